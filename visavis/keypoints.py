"""Sets of points on a face: their names, their order, which one a mirror swaps for which, and one set from another.

Left and right are the picture's, as in `FIVE_POINTS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.faces import FIVE_POINTS

Points = NDArray[np.float32]
"""(..., K, 2) x y, pixels; NaN for a point that is not known."""


@dataclass(frozen=True)
class Layout:
    """A set of points in its order.

    lines: the points that are joined where a face is drawn, and whether the line is closed.
    corners: numbers of the outer corners of the left and the right eye, between which errors are measured.
    mirrored: of each point, the number of the one that is in its place in a mirrored picture.
    """

    names: tuple[str, ...]
    lines: tuple[tuple[tuple[int, ...], bool], ...]
    corners: tuple[int, int]
    mirrored: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)


def _run(name: str, count: int) -> list[str]:
    return [f"{name}_{number}" for number in range(1, count + 1)]


_GROUPS = {
    "jaw": 17, "left_brow": 5, "right_brow": 5, "nose_bridge": 4, "nose_base": 5, "left_eye": 6, "right_eye": 6,
    "mouth_outer": 12, "mouth_inner": 8,
}  # fmt: skip
"""The parts of a face in the order of 300-W, and how many points each has."""
PARTS: dict[str, slice] = {}
"""Part of a face -> where its points are among the 68."""
for _name, _count in _GROUPS.items():
    _start = sum(one.stop - one.start for one in PARTS.values())
    PARTS[_name] = slice(_start, _start + _count)


SIXTY_EIGHT = Layout(
    tuple(name for part, count in _GROUPS.items() for name in _run(part, count)),
    tuple((tuple(range(span.start, span.stop)), "eye" in part or "mouth" in part) for part, span in PARTS.items()),
    (36, 45),
    (*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
     41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65),
)  # fmt: skip
"""The 68 points of 300-W (Sagonas et al., "300 Faces in-the-Wild Challenge", 2013), in its order."""

FIFTEEN = Layout(
    (
        ("left_eye", "right_eye", "left_eye_inner", "left_eye_outer", "right_eye_inner", "right_eye_outer")
        + ("left_brow_inner", "left_brow_outer", "right_brow_inner", "right_brow_outer", "nose")
        + ("left_mouth", "right_mouth", "upper_lip", "lower_lip")
    ),
    (((7, 6), False), ((8, 9), False), ((3, 0, 2), False), ((4, 1, 5), False), ((11, 13, 12, 14), True)),
    (3, 5),
    (1, 0, 4, 5, 2, 3, 8, 9, 6, 7, 10, 12, 11, 13, 14),
)
"""The 15 points of Kaggle's Facial Keypoints Detection (2013). There, left is the person's left."""

FIVE = Layout(FIVE_POINTS, (((0, 1), False), ((3, 4), False)), (0, 1), (1, 0, 2, 4, 3))
"""The five that many detectors give. They have the middles of the eyes in place of the corners."""

LAYOUTS = {len(layout): layout for layout in (SIXTY_EIGHT, FIFTEEN, FIVE)}
"""By the number of points."""

_EYES = (range(36, 42), range(42, 48))
_FROM_68: dict[int, tuple[Sequence[int], ...]] = {
    68: tuple((number,) for number in range(68)),
    15: (*_EYES, (39,), (36,), (42,), (45,), (21,), (17,), (22,), (26,), (30,), (48,), (54,), (51,), (57,)),
    5: (*_EYES, (30,), (48,), (54,)),
}
_FROM_15: dict[int, tuple[Sequence[int], ...]] = {
    15: tuple((number,) for number in range(15)),
    5: ((0,), (1,), (10,), (11,), (12,)),
}
_FROM: dict[int, dict[int, tuple[Sequence[int], ...]]] = {68: _FROM_68, 15: _FROM_15, 5: {5: _FROM_15[15][:5]}}


def converted(points: Points, count: int) -> Points:
    """(..., K, 2) points of one of `LAYOUTS` as the (..., count, 2) of another that has fewer: the mean of each eye's
    points is its middle. Raises ValueError if the second cannot be computed from the first."""
    if count not in _FROM.get(points.shape[-2], {}):
        raise ValueError(f"a set of {count} points cannot be computed from one of {points.shape[-2]}")
    parts = [points[..., list(numbers), :].mean(axis=-2) for numbers in _FROM[points.shape[-2]][count]]
    return np.stack(parts, axis=-2).astype(np.float32)
