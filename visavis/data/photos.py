"""The photos of a data folder with what is known of them: `load_photos` joins the tables.

`Photos` holds them as a few arrays instead of a million objects: processes that read from it share its memory,
where a list of objects would be copied bit by bit into each of them (reading one changes its reference count).
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, area, as_boxes, clip
from visavis.data import join, tables
from visavis.data.missing import none_is_ok
from visavis.data.split import SPLITS, Shares
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import header, limit_at
from visavis.messages import counted, say

SMALLEST = 4.0
"""A face of fewer pixels a side, after clipping, is nothing to learn from."""
VISIBLE = 0.25
"""Nor is one of which less than this share lies inside the picture."""

_TOLD = 10
"""Rows that are named in a message, at most."""


@dataclass(frozen=True)
class Photo:
    """A photo and what is known of the faces in it. Boxes as stored: they may reach outside."""

    image_id: str
    identity: str
    path: Path
    boxes: Boxes  # (N, 4) float32, to learn from
    ignore: Boxes = field(default_factory=lambda: as_boxes([]))  # (M, 4) float32, to leave out of the loss
    side: str = "train"  # of the split: train, val or test; none for one that would bring its like to two sides
    size: tuple[int, int] = (0, 0)  # height, width in pixels as displayed; (0, 0) where no table says

    def known_size(self) -> tuple[int, int] | None:
        """`size` where a table says it, otherwise that of the file; None if that cannot be read."""
        return self.size if min(self.size) > 0 else header(self.path)

    @property
    def max_pixels(self) -> int:
        """The limit to read it under: what downloads.csv accepted is accepted here."""
        return limit_at(*self.size)


def load_photos(folder: Path, split: str = "all", shares: Shares = Shares(), dropped: bool = False) -> list[Photo]:
    """`Photos.load` as a list of objects: handy where they are few, as in notebooks and tests."""
    return list(Photos.load(folder, split, shares, dropped))


class Photos(Sequence[Photo]):
    """Photos as arrays: a sequence that makes each `Photo` when it is asked for it.

    left_out: table, row and reason of each label that is too little of a face (see `worthwhile`), as far as the
    tables say how large the pictures are.
    """

    left_out: "list[tuple[str, int, str]]"

    def __init__(self, photos: Iterable[Photo]) -> None:
        ids, identities, paths, sides = _Texts(), _Texts(), _Texts(), bytearray()
        boxes, ignore, sizes = _Ragged(), _Ragged(), []
        for photo in photos:
            ids.add(photo.image_id)
            identities.add(photo.identity)
            paths.add(str(photo.path))
            sides.append(_SIDES.index(photo.side))
            boxes.add(photo.boxes)
            ignore.add(photo.ignore)
            sizes += photo.size
        self._ids, self._identities, self._paths = ids.packed(), identities.packed(), paths.packed()
        self._sides = np.frombuffer(bytes(sides), np.uint8)
        self._boxes, self._ignore = boxes.packed(), ignore.packed()
        self.sizes: NDArray[np.int32] = np.array(sizes, np.int32).reshape(-1, 2)
        """(N, 2) height and width in pixels; 0 0 where no table says."""
        self.left_out = []

    @classmethod
    def load(cls, folder: Path, split: str = "all", shares: Shares = Shares(), dropped: bool = False) -> "Photos":
        """The photos of one split of a data folder, by image_id.

        A photo is in it if downloads.csv calls it ok (or, with no such table, if it lies under images/)
        and clean.csv does not drop it. Its faces are its rows in faces.csv or, where it has none there,
        those in labels.csv. Photos that look alike (groups.csv) are in the same split.
        dropped: with those that clean.csv drops, too.
        Labels that show too little of a face are reported, by table and row. Raises InputError with file and row for
        bad tables, and for an empty split.
        """
        if split not in SPLITS:
            raise InputError(f"no split {split!r}; there are {', '.join(SPLITS)}")
        rows = join.read(folder, shares, dropped)
        left_out: list[tuple[str, int, str]] = []

        def chosen() -> Iterable[Photo]:
            for row in rows:
                if split not in ("all", row.side):
                    continue
                boxes, ignore = as_boxes(row.boxes), as_boxes(row.ignore)
                if min(row.size) > 0 and len(boxes):
                    useless = ~worthwhile(boxes, row.size)
                    left_out.extend((row.table, row.lines[n], _why(boxes[n], row)) for n in np.flatnonzero(useless))
                yield Photo(row.image_id, row.identity, row.path, boxes, ignore, row.side, row.size)

        photos = cls(chosen())
        if not len(photos):
            raise InputError(_empty(folder, split, shares, rows))
        photos.left_out = left_out
        if left_out:
            some = "; ".join(f"{table} row {line}: {why}" for table, line, why in left_out[:_TOLD])
            more = f"; and {len(left_out) - _TOLD} more" if len(left_out) > _TOLD else ""
            say(
                f"{counted(len(left_out), 'label is', 'labels are')} too little of a face to learn from, and ignored: "
                f"{some}{more}"
            )
        return photos

    def __len__(self) -> int:
        return len(self._sides)

    @overload
    def __getitem__(self, index: int) -> Photo: ...
    @overload
    def __getitem__(self, index: slice) -> "Photos": ...
    def __getitem__(self, index: "int | slice") -> "Photo | Photos":
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        number = range(len(self))[index]  # negative ones count from the end; IndexError beyond
        height, width = self.sizes[number].tolist()
        return Photo(
            _text(self._ids, number),
            _text(self._identities, number),
            Path(_text(self._paths, number)),
            _rows(self._boxes, number),
            _rows(self._ignore, number),
            _SIDES[self._sides[number]],
            (height, width),
        )

    @property
    def faces(self) -> int:
        """Faces to learn from, in all photos."""
        return len(self._boxes[1])

    @property
    def ignored(self) -> int:
        """Regions to leave out of the loss, in all photos."""
        return len(self._ignore[1])

    def sample(self, count: int, seed: int) -> "Photos":
        """So many of them by chance, or all; the same seed gives the same."""
        return self.take(random.Random(seed).sample(range(len(self)), min(count, len(self))))

    def take(self, numbers: Iterable[int]) -> "Photos":
        """Those of these numbers, in their order."""
        return Photos(self[int(number)] for number in numbers)

    def ratios(self) -> NDArray[np.float64]:
        """(N,) width over height of each. Where no table says it, the file's header is read; 1 if it cannot be."""
        for number in np.flatnonzero((self.sizes == 0).any(axis=1)):
            self.sizes[number] = header(self[int(number)].path) or (1, 1)
        return self.sizes[:, 1] / self.sizes[:, 0]


def worthwhile(boxes: Boxes, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(N,): which of (N, 4) boxes, as stored, are enough of a face in a picture of `size` (height, width)."""
    seen = clip(boxes, size)
    return np.asarray(((seen[:, 2:] - seen[:, :2]) >= SMALLEST).all(axis=1) & (area(seen) >= VISIBLE * area(boxes)))


def labels_within(photo: Photo, size: tuple[int, int]) -> tuple[Faces, Boxes]:
    """The labels that a detector is held to in a picture of `size` (height, width), and what to ignore.

    As in training: boxes are clipped to the picture, and what is too little of a face joins the ignored.
    """
    enough = worthwhile(photo.boxes, size)
    boxes = clip(photo.boxes, size)
    ignored = np.concatenate([boxes[~enough], clip(photo.ignore, size)])
    return Faces(boxes[enough]), ignored[area(ignored) > 0]


def _why(box: np.ndarray, row: "join.Row") -> str:
    seen = clip(box[None], row.size)[0]
    width, height = np.maximum(seen[2:] - seen[:2], 0)
    share = width * height / max(1e-6, float((box[2] - box[0]) * (box[3] - box[1])))
    return f"{width:.0f} x {height:.0f} pixels of it, {share:.0%}, lie in {row.image_id}"


def _empty(folder: Path, split: str, shares: Shares, rows: "Sequence[join.Row]") -> str:
    """Why a split has no photo, and what to do."""
    if not rows:
        table = folder / "downloads.csv"
        if table.exists() and not any(row["status"] == "ok" for row in tables.rows(table)):
            return none_is_ok(table)
        return f"{folder}: no photo in the split {split!r}: clean.csv keeps none; see its reasons"
    people = len({row.identity or row.image_id for row in rows})
    part = {"val": shares.val, "test": shares.test}.get(split, 1 - shares.val - shares.test)
    what = "identities" if any(row.identity for row in rows) else "photos"
    return (
        f"{folder}/labels.csv: no photo in the split {split!r}: a share of {part:g} of {people} {what} is too small to "
        f"hold one (a hash of the name decides); change `val` and `test`, or add {what}"
    )


_SIDES = ("train", "val", "test", "")
_Packed = tuple[NDArray[np.int64], np.ndarray]  # where each one ends (with a 0 before), and all of them in a row


class _Texts:
    """Many texts, to be one array of UTF-8."""

    def __init__(self) -> None:
        self.ends, self.text = [0], bytearray()

    def add(self, text: str) -> None:
        self.text += text.encode("utf-8", "surrogateescape")
        self.ends.append(len(self.text))

    def packed(self) -> _Packed:
        return np.array(self.ends, np.int64), np.frombuffer(bytes(self.text), np.uint8)


class _Ragged:
    """Many (N, 4) arrays, to be one."""

    def __init__(self) -> None:
        self.ends, self.values = [0], bytearray()

    def add(self, boxes: Boxes) -> None:
        self.values += np.ascontiguousarray(boxes, np.float32).tobytes()
        self.ends.append(len(self.values) // 16)

    def packed(self) -> _Packed:
        return np.array(self.ends, np.int64), np.frombuffer(bytes(self.values), np.float32).reshape(-1, 4)


def _text(packed: _Packed, number: int) -> str:
    return _rows(packed, number).tobytes().decode("utf-8", "surrogateescape")


def _rows(packed: _Packed, number: int) -> np.ndarray:
    ends, values = packed
    return values[ends[number] : ends[number + 1]]
