"""The journal of looks (clean/seen.jsonl), read: one JSON line a look, so that a stopped run goes on where it was.

visavis/journal.py writes it. Looks stay on disk and are read one at a time: a hundred thousand of them are not held in
memory.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, overload

import numpy as np
from numpy.typing import NDArray

from clean.look import Photo, Seen
from visavis.journal import lines


def entries(path: Path) -> Iterator[tuple[str, int]]:
    """image_id and where in the file it begins, in bytes, of each look; a later one replaces a former.

    A line that is none of ours (torn in the middle, of another version) only costs another look.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for place, line in lines(file):
            with suppress(ValueError, TypeError):  # no JSON, or no UTF-8; other fields
                yield Seen(**json.loads(line)).image_id, place


def places(path: Path, photos: Sequence[Photo]) -> NDArray[np.int64]:
    """(N,) for each photo where in the journal its last look begins; -1 where there is none."""
    looks = np.fromiter(((hash(name), place) for name, place in entries(path)), np.dtype("i8, i8"))[::-1]
    known, last = np.unique(looks["f0"], return_index=True)
    names = np.fromiter((hash(photo.image_id) for photo in photos), np.int64, len(photos))
    _, here, there = np.intersect1d(names, known, return_indices=True)
    found = np.full(len(photos), -1, np.int64)
    found[here] = looks["f1"][last[there]]
    return found


class Looks(Sequence[tuple[Photo, Seen]]):
    """Photos and what was seen of each, read from the journal whenever they are asked for.

    places: for each photo where its look begins.
    """

    def __init__(self, photos: Sequence[Photo], path: Path, places: Sequence[int] | NDArray[np.int64]) -> None:
        self.photos, self.path = photos, path
        self._places = places

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
            return Looks(self.photos[index], self.path, self._places[index])
        return self.photos[index], read(self.path, self._places[index])


def read(path: Path, place: int) -> Seen:
    """The look that begins there."""
    with path.open("rb") as file:
        return _at(file, place)


def _at(file: IO[bytes], place: int) -> Seen:
    file.seek(place)
    return Seen(**json.loads(file.readline()))
