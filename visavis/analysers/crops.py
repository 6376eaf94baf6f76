"""What a network is shown of a face: a square around its box, always of one size."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from visavis.images import Picture
from visavis.keypoints import Points

GREY = (124, 116, 104)
"""What is seen beyond the picture's edges: the mean of ImageNet."""


def square(box: np.ndarray, margin: float) -> tuple[float, float, float, float]:
    """The square around the middle of a box (x1, y1, x2, y2) that is `margin` times as wide as its longer side."""
    x1, y1, x2, y2 = (float(side) for side in box)
    half = max(x2 - x1, y2 - y1) * margin / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return x - half, y - half, x + half, y + half


def cut(picture: Picture, frame: tuple[float, float, float, float], side: int) -> Picture:
    """(side, side, 3) uint8: what lies in `frame` (x1, y1, x2, y2), pixels, antialiased; `GREY` beyond the edges.

    A frame that is much larger than the picture is cut from a smaller copy, so that its margins take little memory.
    """
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = frame
    wide = max(x2 - x1, y2 - y1)
    if wide > max(4 * side, 2 * height, 2 * width):
        small = int(width * 4 * side / wide), int(height * 4 * side / wide)
        if not all(small):
            return _grey(side)
        across, down = small[0] / width, small[1] / height
        copy = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(small, Image.Resampling.BOX))
        return cut(copy, (x1 * across, y1 * down, x2 * across, y2 * down), side)
    left, top = int(np.floor(x1)) - 1, int(np.floor(y1)) - 1
    right, bottom = int(np.ceil(x2)) + 1, int(np.ceil(y2)) + 1
    seen = picture[max(0, top) : max(0, min(bottom, height)), max(0, left) : max(0, min(right, width))]
    if not seen.size:
        return _grey(side)
    if seen.shape[:2] != (bottom - top, right - left):
        canvas = _grey(bottom - top, right - left)
        y, x = max(0, -top), max(0, -left)
        canvas[y : y + seen.shape[0], x : x + seen.shape[1]] = seen
        seen = canvas
    shrunk = Image.fromarray(np.ascontiguousarray(seen)).resize(
        (side, side), Image.Resampling.BILINEAR, box=(x1 - left, y1 - top, x2 - left, y2 - top)
    )
    return np.asarray(shrunk)


def _grey(height: int, width: int | None = None) -> Picture:
    return np.full((height, width or height, 3), GREY, np.uint8)


@dataclass(frozen=True)
class Frame:
    """A square in a picture that may be turned: what a network is shown of a face, or a face is levelled by.

    x, y: its middle, pixels. half: half of its side, pixels. angle: radians by which its upper side is turned,
    clockwise as one looks at the picture.
    """

    x: float
    y: float
    half: float
    angle: float = 0.0

    @classmethod
    def around(cls, box: np.ndarray, margin: float) -> "Frame":
        """The upright one: `square`."""
        x1, y1, x2, y2 = square(box, margin)
        return cls((x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2)

    def cut(self, picture: Picture, side: int) -> Picture:
        """(side, side, 3) uint8: what lies in it, antialiased; `GREY` beyond the picture's edges."""
        if not self.angle:
            return cut(picture, (self.x - self.half, self.y - self.half, self.x + self.half, self.y + self.half), side)
        more = abs(math.cos(self.angle)) + abs(math.sin(self.angle))
        half, wide = self.half * more, math.ceil(side * more)
        upright = cut(picture, (self.x - half, self.y - half, self.x + half, self.y + half), wide)
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        unit = wide / (side * more)  # pixels of `upright` that a pixel of the crop is wide
        left = wide / 2 - unit * side / 2 * (cosine - sine)
        top = wide / 2 - unit * side / 2 * (sine + cosine)
        how = (unit * cosine, -unit * sine, left, unit * sine, unit * cosine, top)
        turned = Image.fromarray(upright).transform(
            (side, side), Image.Transform.AFFINE, how, Image.Resampling.BILINEAR, fillcolor=GREY
        )
        return np.asarray(turned)

    def inside(self, points: Points) -> Points:
        """(..., 2) points of the picture, in shares of its side from its upper left corner on."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        moved = (points - [self.x, self.y]) @ np.array([[cosine, -sine], [sine, cosine]])
        return (moved / (2 * self.half) + 0.5).astype(np.float32)

    def outside(self, points: Points) -> Points:
        """The other way: (..., 2) shares of its side, in pixels of the picture."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        moved = (points - 0.5) * (2 * self.half) @ np.array([[cosine, sine], [-sine, cosine]])
        return (moved + [self.x, self.y]).astype(np.float32)
