"""Labels for another size than the photo's: made by a tool that ignores the EXIF orientation, or before the photo was
resized."""

from collections.abc import Callable

import numpy as np

from dataset.formats.imported import Box, Exif, ImportedPhoto, say_some
from visavis.errors import InputError

Size = tuple[int, int]  # height, width


class Fitting:
    """Brings the boxes of a source to its photos as displayed, one photo after another.

    exif: as in `Wanted`. With `auto`, labels whose size does not show whether their tool turned the photo wait for
    `finish`: those of a square photo, of one whose orientation (2 to 4) keeps its sides, or without a size. If another
    photo's labels show that the tool did not turn it, it did not turn these either.
    """

    def __init__(self, exif: Exif) -> None:
        self.exif = exif
        self._ignored = False
        self._waiting: list[tuple[ImportedPhoto, Size, int]] = []
        self._changed: list[str] = []

    def take(self, one: ImportedPhoto, displayed: Size, orientation: int) -> None:
        """Convert the boxes of a photo to its size as displayed (height, width), or let them wait.

        orientation: EXIF's, 1 to 8. Raises InputError if the labels cannot belong to this photo.
        """
        one.displayed = self.exif == "applied" or orientation == 1 or (one.displayed and self.exif == "auto")
        stored = _of_stored(one, displayed, orientation)
        if stored is False and self.exif == "ignored" and orientation > 1:
            size = _named(one.size or displayed)
            raise InputError(f"{one.where}: the labels are for {size} pixels, the photo's size after its EXIF "
                             "orientation; set `exif` to auto")  # fmt: skip
        if stored is None and self.exif == "auto":
            self._waiting.append((one, displayed, orientation))
            return
        self._ignored |= stored is True
        self._fit(one, displayed, orientation, stored is not False)

    def finish(self) -> None:
        """Convert the labels that wait; report what was changed, and which labels were unclear."""
        for one, displayed, orientation in self._waiting:
            self._fit(one, displayed, orientation, self._ignored)
        say_some("photo has", "photos have", "another size or orientation than in the labels:", self._changed)
        if not self._ignored:
            unclear = [one.where or one.image for one, _, _ in self._waiting if one.boxes or one.ignore]
            say_some(
                "photo has",
                "photos have",
                "an EXIF orientation, which the labels are assumed to follow; if these were by a tool that ignores it, "
                "set `exif` to ignored:",
                unclear,
            )

    def _fit(self, one: ImportedPhoto, displayed: Size, orientation: int, stored: bool) -> None:
        if said := fitted(one, displayed, orientation, stored):
            self._changed.append(said)


def fitted(one: ImportedPhoto, displayed: Size, orientation: int, stored: bool = False) -> str:
    """Convert the boxes to the photo as displayed; returns a message about what was wrong, or an empty text.

    orientation: EXIF's, 1 to 8. stored: whether the boxes are of the photo as stored. Raises InputError if the labels
    cannot belong to this photo.
    """
    meant = displayed[::-1] if stored and orientation >= 5 else displayed
    size = one.size if one.size and min(one.size) > 0 else meant
    if one.of_shares:
        size = displayed
    elif one.displayed and not same_shape(size, displayed) and orientation >= 5:
        size = size[::-1]
    found = f"{one.where}: labels for {_named(size)} pixels, and the photo has {_named(displayed)}"
    if not one.of_shares and not same_shape(size, meant):
        raise InputError(
            f"{found} ({one.image}); correct the size in the labels, or give the photo that they were made for"
        )
    if stored:
        _change(one, lambda box: turned(_scaled(box, size, meant), meant, orientation))
        return f"{found} because of its EXIF orientation: the boxes were turned, too"
    if size == displayed:
        return ""
    for box in [*one.boxes, *one.ignore]:
        if not one.of_shares and (box[0] + box[2] > 2 * size[1] or box[1] + box[3] > 2 * size[0]):
            raise InputError(f"{found} ({one.image}), and the box {box} lies outside the former; correct the size in "
                             "the labels")  # fmt: skip
    _change(one, lambda box: _scaled(box, size, displayed))
    return f"{found}: the boxes were scaled"


def same_shape(one: Size, other: Size) -> bool:
    """Whether the two have the same aspect ratio, except for rounding to whole pixels."""
    factor = other[1] / one[1]
    return abs(one[0] * factor - other[0]) <= max(1.0, factor)


def _of_stored(one: ImportedPhoto, displayed: Size, orientation: int) -> bool | None:
    """Whether the labels are of the photo as stored, before its EXIF orientation; None if their size does not show
    it."""
    if one.displayed:
        return False
    if orientation < 5 or one.size is None or min(one.size) <= 0 or same_shape(displayed, displayed[::-1]):
        return None
    return not same_shape(one.size, displayed)


def turned(box: Box, stored: Size, orientation: int) -> Box:
    """A box in the photo as stored, (height, width), converted to the photo as displayed (EXIF 2.32, Orientation)."""
    height, width = stored
    x, y = np.array([box[0], box[2]]), np.array([box[1], box[3]])
    mirrored_x, mirrored_y = width - x, height - y
    x, y = {
        1: (x, y),
        2: (mirrored_x, y),
        3: (mirrored_x, mirrored_y),
        4: (x, mirrored_y),
        5: (y, x),
        6: (mirrored_y, x),
        7: (mirrored_y, mirrored_x),
        8: (y, mirrored_x),
    }[orientation]
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _scaled(box: Box, before: Size, after: Size) -> Box:
    down, across = after[0] / before[0], after[1] / before[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def _change(one: ImportedPhoto, change: Callable[[Box], Box]) -> None:
    one.boxes = [change(box) for box in one.boxes]
    one.ignore = [change(box) for box in one.ignore]
    one.points = [np.array([change((x, y, x, y))[:2] for x, y in points.tolist()], np.float32) for points in one.points]


def _named(size: Size) -> str:
    return f"{size[1]} x {size[0]}"
