"""What was seen so far, on disk: one JSON line a look, so that a stopped run goes on where it was.

Looks stay there, and are read one at a time: a hundred thousand of them are not held in memory.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Self, overload

from clean.look import Photo, Seen


def places(path: Path) -> dict[str, int]:
    """image_id -> where in the file the last look at it begins, in bytes; nothing where there is no journal.

    A line that is none of ours (torn by a kill, of another version) only costs another look.
    """
    found: dict[str, int] = {}
    if not path.exists():
        return found
    with path.open("rb") as file:
        place = 0
        for line in file:
            with suppress(ValueError, TypeError):  # no JSON, or no UTF-8; other fields
                found[Seen(**json.loads(line)).image_id] = place
            place += len(line)
    return found


class Looks(Sequence[tuple[Photo, Seen]]):
    """Photos and what was seen of each, read from the journal whenever they are asked for.

    place: image_id -> where its look begins, as `places` has it.
    """

    def __init__(self, photos: Sequence[Photo], path: Path, place: dict[str, int]) -> None:
        self.photos, self.path = photos, path
        self._places = [place[photo.image_id] for photo in photos]

    def __len__(self) -> int:
        return len(self.photos)

    def __iter__(self) -> Iterator[tuple[Photo, Seen]]:
        if self.photos:
            with self.path.open("rb") as file:
                for photo, place in zip(self.photos, self._places, strict=True):
                    yield photo, _at(file, place)

    @overload
    def __getitem__(self, index: int) -> tuple[Photo, Seen]: ...
    @overload
    def __getitem__(self, index: slice) -> "Looks": ...
    def __getitem__(self, index: int | slice) -> "tuple[Photo, Seen] | Looks":
        if isinstance(index, slice):
            chosen = range(len(self))[index]
            place = {self.photos[one].image_id: self._places[one] for one in chosen}
            return Looks([self.photos[one] for one in chosen], self.path, place)
        return self.photos[index], read(self.path, self._places[index])


def read(path: Path, place: int) -> Seen:
    """The look that begins there."""
    with path.open("rb") as file:
        return _at(file, place)


def _at(file: IO[bytes], place: int) -> Seen:
    file.seek(place)
    return Seen(**json.loads(file.readline()))


class Journal:
    """Adds looks to the file at `path`, each a flushed line. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        if self._file.seek(0, 2):
            self._file.seek(-1, 2)
            if self._file.read(1) != b"\n":  # a killed run's last line: ours must not grow on it
                self._file.write(b"\n")
        return self

    def add(self, seen: Seen) -> int:
        """Write one look; where it begins."""
        place = self._file.seek(0, 2)
        self._file.write(json.dumps(asdict(seen)).encode() + b"\n")
        self._file.flush()
        return place

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
