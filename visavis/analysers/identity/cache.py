"""Encodings that were made before, in one SQLite file: by the photo's SHA-256, the face's box, and the encoder.

They are personal data: a person is recognised by them as by a photo. Nobody but the user may read the file, and
`forget` deletes it. Several processes may use it at once; each opens it for as long as it works on one photo.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from visavis.analysers.identity.encoding import Encoder, Encodings
from visavis.boxes import Boxes, as_boxes
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import Picture
from visavis.messages import counted, say

FILE = "encodings.sqlite"
"""Its name, in a folder of results as in a folder of people."""
VERSION = 1
"""Counts up when the tables change."""
PATIENCE = 60.0
"""Seconds to wait while another process writes."""

_TABLES = {
    "encodings": "(photo blob, box blob, encoder text, encoding blob, primary key (photo, box, encoder))",
    "encoders": "(name text primary key)",
    "searched": "(photo blob, detector text, boxes blob, primary key (photo, detector))",
}


class Cache:
    """The encodings of one encoder, which has this `name`, in the file at `path`. Use as a context manager.

    Encodings that another version of the encoder made, and a file that another version of visavis made or that is
    damaged, are deleted, and a message says so. Raises InputError where the file cannot be written.
    """

    def __init__(self, path: Path, encoder: str) -> None:
        self.path, self._encoder = path, encoder

    def __enter__(self) -> Self:
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):  # it is locked, or may not be written to
                    raise
                say(f"{self.path} is no file of encodings, or is damaged ({error}); it is deleted and made anew")
                self._file.close()
                forget(self.path.parent)
                self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, photo: bytes, boxes: Boxes, size: int) -> Encodings:
        """(N, size) encodings of the faces in these (N, 4) boxes of the photo with that SHA-256; NaN where none is
        kept."""
        kept = np.full((len(boxes), size), np.nan, np.float32)
        query = "select encoding from encodings where photo = ? and box = ? and encoder = ?"
        with self._explained():
            for number, box in enumerate(boxes):
                row = self._file.execute(query, (photo, _key(box), self._encoder)).fetchone()
                if row is not None:
                    kept[number] = np.frombuffer(row[0], "<f4")
        return kept

    def put(self, photo: bytes, boxes: Boxes, encodings: Encodings) -> None:
        """Keep the encodings of the faces in these boxes, but for those that are NaN."""
        rows = [
            (photo, _key(box), self._encoder, np.asarray(encoding, "<f4").tobytes())
            for box, encoding in zip(boxes, encodings, strict=True)
            if not np.isnan(encoding).any()
        ]
        with self._explained(), self._file:
            self._file.executemany("insert or replace into encodings values (?, ?, ?, ?)", rows)

    def boxes(self, photo: bytes, detector: str) -> Boxes | None:
        """The boxes that a detector found in the photo; None where it is not known to have searched it."""
        query = "select boxes from searched where photo = ? and detector = ?"
        with self._explained():
            row = self._file.execute(query, (photo, detector)).fetchone()
        return None if row is None else as_boxes(np.frombuffer(row[0], "<f4").reshape(-1, 4))

    def put_boxes(self, photo: bytes, detector: str, boxes: Boxes) -> None:
        """Keep what a detector found in the photo. detector: all that this depends on, as a text."""
        row = photo, detector, np.asarray(boxes, "<f4").tobytes()
        with self._explained(), self._file:
            self._file.execute("insert or replace into searched values (?, ?, ?)", row)

    def _open(self) -> None:
        self._file = sqlite3.connect(self.path, timeout=PATIENCE)
        self._file.execute("pragma synchronous = normal")  # off, a power cut could leave encodings that are wrong
        if self._version() != VERSION:
            self.path.chmod(0o600)
            with self._file as file:
                file.execute("begin immediate")  # another process may have been as quick
                version = self._version()
                if version not in (0, VERSION):
                    say(f"{self.path} is of another version of visavis; its encodings are deleted and made anew")
                for name, columns in _TABLES.items() if version != VERSION else ():
                    file.execute(f"drop table if exists {name}")
                    file.execute(f"create table {name} {columns} without rowid")
                file.execute(f"pragma user_version = {VERSION}")
        names = [name for (name,) in self._file.execute("select name from encoders")]
        if self._encoder in names:
            return
        family = self._encoder.partition("/")[0]
        for old in [name for name in names if name.partition("/")[0] == family]:
            with self._file as file:
                dropped = file.execute("delete from encodings where encoder = ?", (old,)).rowcount
                file.execute("delete from encoders where name = ?", (old,))
            say(
                f"{self.path}: {counted(dropped, 'encoding is', 'encodings are')} of {old}, not {self._encoder}: "
                "deleted, to be made anew"
            )
        with self._file as file:
            file.execute("insert or ignore into encoders values (?)", (self._encoder,))

    def _version(self) -> int:
        return int(self._file.execute("pragma user_version").fetchone()[0])

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise InputError(
                f"{self.path}, in which encodings of faces are kept, cannot be used ({error}); mend or delete it"
            ) from None


def cached(cache: Cache, encoder: Encoder, picture: Picture, faces: Faces, photo: bytes) -> Encodings:
    """(N, size) encodings of the faces of a photo with that SHA-256: as kept, or made now and kept."""
    encodings = cache.get(photo, faces.boxes, encoder.size)
    new = np.isnan(encodings).any(axis=1)
    if new.any():
        encodings[new] = encoder.encode(picture, faces[new])
        cache.put(photo, faces.boxes[new], encodings[new])
    return encodings


def forget(folder: Path) -> bool:
    """Delete the encodings that are kept in a folder of results or of people. Whether there were any."""
    there = (folder / FILE).exists()
    for name in (FILE, f"{FILE}-journal"):
        (folder / name).unlink(missing_ok=True)
    return there


def _key(box: np.ndarray) -> bytes:
    """Boxes are the same to a hundredth of a pixel, as tables have them."""
    return (np.round(np.asarray(box, np.float64), 2) * 100).round().astype("<i8").tobytes()
