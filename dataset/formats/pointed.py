"""Photos of faces whose points are known, but not their boxes: our own detector says where the face is.

That is the box which the networks that learn from them will be given in use.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from dataset.formats.crops import FOUND, looked_at
from dataset.formats.imported import Box, ImportedPhoto, say_some
from visavis.faces import Faces
from visavis.keypoints import Points

FROM_POINTS = "points"
"""What faces.csv says of a box that was put around the points, for the detector found nothing there."""
AROUND = (-0.02, -0.29, 1.02, 1.01)
"""Sides of a box that our detector would draw, as shares of the width and height of the box around the points."""


def with_boxes(photos: Iterable[ImportedPhoto], threshold: float) -> Iterator[ImportedPhoto]:
    """The same photos, with the box of each face of `points`: the one that our detector draws, from a score of
    `threshold` on, or else one around the points (`AROUND`); how many those are is said."""
    without = []

    def take(one: ImportedPhoto, found: Faces, size: tuple[int, int], last: bool) -> bool:
        boxes, flags = zip(*(_box(found, points) for points in one.points), strict=True)
        if last or FROM_POINTS not in flags:
            one.boxes, one.flags = list(boxes), list(flags)
            without.extend(one.where for flag in flags if flag == FROM_POINTS)
        return FROM_POINTS not in flags

    yield from looked_at(photos, threshold, take)
    say_some("face is", "faces are", "not found by our detector; a box around the points is taken:", sorted(without))


def _box(found: Faces, points: Points) -> tuple[Box, str]:
    """The face's box, and what it is from."""
    best = max(found.boxes, key=lambda box: agreement(box, points), default=None)
    if best is None or not agreement(best, points):
        return around(points), FROM_POINTS
    x1, y1, x2, y2 = (float(side) for side in best)
    return (x1, y1, x2, y2), FOUND


def agreement(box: np.ndarray, points: Points) -> float:
    """How well a box (x1, y1, x2, y2) and a face's points are of one face: the share of the points in the box, where
    the box is not much larger than them; else 0."""
    inside = ((points >= box[:2]) & (points <= box[2:])).all(axis=1).mean()
    size, own = box[2:] - box[:2], np.ptp(points, axis=0)
    return float(inside) if inside >= 0.5 and size.max() <= 2.2 * max(1.0, own.max()) else 0.0


def around(points: Points) -> Box:
    """The box that our detector would draw around a face with these (K, 2) points."""
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    x1, y1 = low + size * AROUND[:2]
    x2, y2 = low + size * AROUND[2:]
    return float(x1), float(y1), float(x2), float(y2)
