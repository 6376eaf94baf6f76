"""Labels that are of another size than the photo: made for it as a tool saw it that passes EXIF's orientation over, or
before the photo was resized."""

from collections.abc import Callable

import numpy as np

from dataset.formats.labelled import Box, Labelled
from visavis.errors import InputError

Size = tuple[int, int]  # height, width


def fitted(one: Labelled, displayed: Size, orientation: int) -> str:
    """Bring the boxes to the photo as displayed; returns what was wrong with them, or an empty text.

    orientation: EXIF's, 1 to 8. Raises InputError where the labels cannot be of this photo.
    """
    if one.size is None or min(one.size) <= 0 or one.size == displayed:
        return ""
    stored = displayed[::-1] if orientation >= 5 else displayed
    if one.displayed and orientation >= 5 and _same_shape(one.size, stored):
        one.size = one.size[::-1]
        if one.size == displayed:
            return ""
    found = f"{one.where}: labels of {_named(one.size)} pixels for a photo of {_named(displayed)}"
    if orientation >= 5 and _same_shape(one.size, stored):
        _change(one, lambda box: turned(_scaled(box, one.size, stored), stored, orientation))
        return f"{found}, which its EXIF orientation turns: the boxes were turned, too"
    if _same_shape(one.size, displayed):
        _change(one, lambda box: _scaled(box, one.size, displayed))
        return f"{found}: the boxes were scaled"
    raise InputError(f"{found} ({one.image}); mend the size in the labels, or give the photo that they were made for")


def turned(box: Box, stored: Size, orientation: int) -> Box:
    """A box of the pixels as they are stored, (height, width), in the photo as displayed (EXIF 2.32, Orientation)."""
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


def _same_shape(one: Size, other: Size) -> bool:
    """Whether one is the other resized, to whole pixels."""
    factor = other[1] / one[1]
    return abs(one[0] * factor - other[0]) <= max(1.0, factor)


def _scaled(box: Box, before: Size | None, after: Size) -> Box:
    assert before is not None
    down, across = after[0] / before[0], after[1] / before[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def _change(one: Labelled, change: Callable[[Box], Box]) -> None:
    one.boxes = [change(box) for box in one.boxes]
    one.ignore = [change(box) for box in one.ignore]


def _named(size: Size) -> str:
    return f"{size[1]} x {size[0]}"
