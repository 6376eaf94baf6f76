"""Reads the journal of inspections (clean/seen.jsonl), which has one JSON line each, so that a stopped run continues.

visavis/journal.py writes it. Inspections stay on disk and are read one at a time, so that memory need not hold a
hundred thousand of them.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, overload

import numpy as np
from numpy.typing import NDArray

from clean.inspection import Inspection, ListedPhoto
from visavis.journal import lines


def entries(path: Path) -> Iterator[tuple[str, int]]:
    """For each inspection, its image_id and its offset in the file, in bytes. A later one replaces an earlier one.

    A line that cannot be read (torn, or of another version) only means that the photo is inspected again.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for place, line in lines(file):
            with suppress(ValueError, TypeError):  # not JSON, not UTF-8, or other fields
                yield Inspection(**json.loads(line)).image_id, place


def places(path: Path, photos: Sequence[ListedPhoto]) -> NDArray[np.int64]:
    """(N,) for each photo, the offset of its last inspection in the journal; -1 if there is none."""
    inspections = np.fromiter(((hash(name), place) for name, place in entries(path)), np.dtype("i8, i8"))[::-1]
    known, last = np.unique(inspections["f0"], return_index=True)
    names = np.fromiter((hash(photo.image_id) for photo in photos), np.int64, len(photos))
    _, here, there = np.intersect1d(names, known, return_indices=True)
    found = np.full(len(photos), -1, np.int64)
    found[here] = inspections["f1"][last[there]]
    return found


class Inspections(Sequence[tuple[ListedPhoto, Inspection]]):
    """Photos with their inspections, which are read from the journal at each access.

    places: for each photo, the offset of its inspection.
    """

    def __init__(self, photos: Sequence[ListedPhoto], path: Path, places: Sequence[int] | NDArray[np.int64]) -> None:
        self.photos, self.path = photos, path
        self._places = places

    def __len__(self) -> int:
        return len(self.photos)

    def __iter__(self) -> Iterator[tuple[ListedPhoto, Inspection]]:
        if self.photos:
            with self.path.open("rb") as file:
                for photo, place in zip(self.photos, self._places, strict=True):
                    yield photo, _at(file, place)

    @overload
    def __getitem__(self, index: int) -> tuple[ListedPhoto, Inspection]: ...
    @overload
    def __getitem__(self, index: slice) -> "Inspections": ...
    def __getitem__(self, index: int | slice) -> "tuple[ListedPhoto, Inspection] | Inspections":
        if isinstance(index, slice):
            return Inspections(self.photos[index], self.path, self._places[index])
        return self.photos[index], read(self.path, self._places[index])


def read(path: Path, place: int) -> Inspection:
    """The inspection at that offset."""
    with path.open("rb") as file:
        return _at(file, place)


def _at(file: IO[bytes], place: int) -> Inspection:
    file.seek(place)
    return Inspection(**json.loads(file.readline()))
