"""What became of each input, as plain values, and the journal in which a run keeps that: a killed run goes on there."""

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.files import replaced
from visavis.journal import cut_torn_end, lines
from visavis.locking import lock
from visavis.messages import say
from visavis.sources import Input, shown

SIDES = ("x1", "y1", "x2", "y2")

Face = dict[str, Any]
"""`SIDES` in pixels of the photo as displayed to 0.01, `score` to 0.0001, `keypoints` where the detector gives any (x y
each, as the sides), and a value an attribute: None where it is no number."""


@dataclass(frozen=True)
class Record:
    """One input and what became of it: a row of files.csv, and its rows of faces.csv.

    status: `ok`, `unreadable`, `skipped`. reason: a keyword (docs/predict.md), or empty. height, width: pixels as
    displayed, None of what was not read. seconds: decoding, and its share of its batch's time in the network.
    frames: of a video, how many were looked at: 0, every, 2 every ...; its faces have `frame`, the number of theirs,
    and `time`, seconds. left_out: faces that are not among them, for they are smaller than was asked for. unsure: finds
    that are not, for their scores are below the threshold, and that redaction covers all the same.
    """

    path: str
    status: str
    reason: str = ""
    width: int | None = None
    height: int | None = None
    seconds: float = 0.0
    faces: list[Face] = field(default_factory=list)
    frames: int | None = None
    every: int | None = None
    left_out: int = 0
    unsure: int = 0

    def as_json(self) -> str:
        """One line."""
        values = asdict(self) | {"seconds": round(self.seconds, 3)}
        if self.frames is None:
            del values["frames"], values["every"]
        return json.dumps(values, separators=(",", ":"))


def reported(faces: Faces, min_size: float, threshold: float = 0) -> NDArray[np.bool_]:
    """(N,) which finds are reported: those sure enough, whose shorter side has at least so many pixels."""
    large = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) >= min_size
    return np.asarray(large & (np.asarray(faces.scores) >= threshold))


def count_unreported(faces: Faces, min_size: float, threshold: float = 0) -> tuple[int, int]:
    """How many are not reported: `left_out` and `unsure` of a `Record`."""
    sure = np.asarray(faces.scores) >= threshold
    return int((sure & ~reported(faces, min_size)).sum()), int((~sure).sum())


def face_rows(faces: Faces) -> list[Face]:
    """The faces as plain values, surest first."""
    boxes = np.round(faces.boxes.astype(np.float64), 2).tolist()
    scores = np.round(np.asarray(faces.scores, np.float64), 4).tolist()
    columns = {name: [_plain(value) for value in values.tolist()] for name, values in faces.attributes.items()}
    if faces.keypoints is not None:
        columns["keypoints"] = np.round(faces.keypoints.astype(np.float64), 2).tolist()
    return [
        dict(zip(SIDES, box, strict=True)) | {"score": score} | {name: column[n] for name, column in columns.items()}
        for n, (box, score) in enumerate(zip(boxes, scores, strict=True))
    ]


def _plain(value: Any) -> Any:
    """An attribute's value: numbers to 0.0001, and None for NaN and infinity, which JSON does not have."""
    if not isinstance(value, float):
        return value
    return round(value, 4) if math.isfinite(value) else None


class Journal:
    """The inputs of a run, its settings, and the records made so far: one file, a line each, to be closed.

    The first line is there as a whole or not at all. A torn end, as a kill leaves it, is cut off.
    """

    def __init__(self, path: Path, file: IO[bytes] | None = None) -> None:
        """file: the journal, opened and locked already. Raises InputError where another run is at work with it."""
        self.path = path
        self._file = file or path.open("r+b")
        if file is None:
            _lock(self._file, path)
        cut_torn_end(path)
        head = json.loads(self._file.readline())
        self.settings: dict[str, Any] = head["settings"]
        self.inputs = [Input(*fields) for fields in head["inputs"]]
        self._begin = end = self._file.tell()
        self.done = 0
        for place, line in lines(self._file):
            if place != end:  # a torn line: the inputs from there on are done again
                break
            end += len(line)
            self.done += 1
        self._file.truncate(end)
        self._file.seek(end)

    @classmethod
    def begin(cls, path: Path, settings: dict[str, Any], inputs: Sequence[Input]) -> "Journal":
        """A new one; an old one is replaced. Raises InputError where another run is at work with that."""
        with path.open("ab") as old:
            _lock(old, path)
            with replaced(path) as file:
                _lock(file)  # before it has its name: there is no moment at which another run could begin
                json.dump({"settings": settings, "inputs": [astuple(one) for one in inputs]}, file)
                file.write("\n")
                locked = os.dup(file.fileno())
        begun = os.fdopen(locked, "r+b")
        begun.seek(0)
        return cls(path, begun)

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether a run was begun: a run that was stopped while it did so leaves an empty file at most."""
        return path.exists() and path.stat().st_size > 0

    def records(self) -> Iterator[Record]:
        """Those made so far, of the first inputs, in their order."""
        with self.path.open("rb") as file:
            file.seek(self._begin)
            for _, line in zip(range(self.done), file, strict=False):
                yield Record(**json.loads(line))

    def add(self, record: Record) -> None:
        """Write the record of the next input, and flush it."""
        self._file.write(record.as_json().encode() + b"\n")
        self._file.flush()
        self.done += 1

    def close(self) -> None:
        """Let another run have it."""
        self._file.close()


def _lock(file: IO[Any], path: Path | None = None) -> None:
    """Lock an open file, which must still be the one at `path`, until it is closed. Raises InputError."""
    if not lock(file, path):
        file.close()
        raise InputError(f"another run is at work in {Path(file.name).parent}; wait until it is done")


def crashed(path: str, error: Exception) -> ImageError:
    """What nobody foresaw, as the fault of the file that it happened with."""
    return ImageError("crashed", f"{shown(path)}: {type(error).__name__}: {' '.join(str(error).split())}")


def unreadable(error: ImageError) -> tuple[str, str]:
    """Status and reason; what nobody foresaw is said, too, for the keyword says too little of it."""
    if error.reason == "crashed":
        say(error.detail)
    return "unreadable", error.reason


def unopened(one: Input) -> Record:
    """The record of an input that is not looked at."""
    return Record(shown(one.path), one.status, one.reason)
