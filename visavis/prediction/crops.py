"""A face cut out of its picture, with a margin around it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.images import Picture


@dataclass(frozen=True)
class Crops:
    """How to cut faces out: `crops.cut(picture, box)`.

    margin: share of the box's width and height that is added at each side. square: as high as wide, the longer side.
    flat: all files in one folder, instead of a folder for each photo.
    """

    margin: float = 0.2
    square: bool = False
    flat: bool = False

    def name(self, place: str, face: str) -> str:
        """The path of a face's file below crops/. If flat, slashes in the photo's place become underscores, and
        underscores become two, so that no two faces share a path."""
        return f"{place.replace('_', '__').replace('/', '_')}-{face}.jpg" if self.flat else f"{place}/{face}.jpg"

    def cut(self, picture: Picture, box: NDArray[np.float32]) -> Picture:
        """The part of (height, width, 3) `picture` around `box`, x1 y1 x2 y2: at least one pixel, and all from inside.

        A square one that would reach outside is moved inwards, and shrunk only where the picture is smaller.
        """
        x1, y1, x2, y2 = (float(side) for side in box)
        width, height = (x2 - x1) * (1 + 2 * self.margin), (y2 - y1) * (1 + 2 * self.margin)
        if self.square:
            width = height = min(max(width, height), *picture.shape[:2])
        left, right = _within((x1 + x2) / 2, width, picture.shape[1], self.square)
        top, bottom = _within((y1 + y2) / 2, height, picture.shape[0], self.square)
        return picture[top:bottom, left:right]


def _within(middle: float, length: float, limit: int, whole: bool) -> tuple[int, int]:
    """The first pixel, and the one after the last, of an interval around `middle` in a row of `limit` pixels.

    whole: at an edge the interval is moved instead of shortened.
    """
    pixels = max(1, round(length)) if whole else max(1, math.ceil(length))
    first = min(max(0, round(middle - pixels / 2)), max(0, limit - (pixels if whole else 1)))
    last = first + pixels if whole else min(limit, max(first + 1, round(middle + pixels / 2)))
    return first, last
