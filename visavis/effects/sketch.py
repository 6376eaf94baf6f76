"""Vector shapes on a picture, placed on a face: smooth curves in the face's own coordinates, without jagged edges.

The coordinates: x along the line of the eyes to the picture's right, y down the face; the origin lies between the eyes,
and 1 is the distance between their middles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from visavis.images import Picture

Path = NDArray[np.float64]
"""(N, 2) x y of points of an outline."""
Colour = tuple[int, int, int]
Part = tuple[slice, slice]
Shape = dict[str, Any]
"""An outline as JSON values; see `Outlines`."""
Draw = Callable[[ImageDraw.ImageDraw, list[tuple[float, float]]], None]

FINER = 3
"""Shapes are drawn this many times larger and then reduced, for smooth edges."""
MOST = 2048
"""The largest side of what is drawn, in pixels: larger faces get coarser edges, too fine to be seen."""
FAR = 5e8
"""Pillow draws with integers of 32 bits: points that lie farther away, in pixels, are taken to lie at this distance."""


@dataclass(frozen=True)
class Place:
    """Where a face is: the origin of its coordinates, and its x axis, as long as their unit; pixels.

    mirrored axes do not occur: y is x turned by 90 degrees clockwise as one looks at the picture.
    """

    origin: tuple[float, float]
    across: tuple[float, float]

    @property
    def unit(self) -> float:
        """The length of the unit, in pixels."""
        return float(np.hypot(*self.across))

    def outside(self, path: ArrayLike) -> Path:
        """(N, 2) of the face's coordinates in pixels."""
        x, y = self.across
        return np.asarray(path, np.float64) @ np.array([[x, y], [-y, x]]) + self.origin

    def inside(self, points: ArrayLike) -> Path:
        """(N, 2) pixels in the face's coordinates."""
        x, y = self.across
        return (np.asarray(points, np.float64) - self.origin) @ np.array([[x, -y], [y, x]]) / self.unit**2


def curve(points: ArrayLike, closed: bool = True, steps: int = 12) -> Path:
    """A smooth curve through (N, 2) points (Catmull and Rom's spline, which suits shapes without sharp turns)."""
    through = np.asarray(points, np.float64)
    count = len(through)
    ends = np.arange(count if closed else count - 1)
    before, one, two, after = (
        through[(ends + shift) % count] if closed else through[np.clip(ends + shift, 0, count - 1)]
        for shift in (-1, 0, 1, 2)
    )
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    path = 0.5 * (
        2 * one + (two - before) * t + (2 * before - 5 * one + 4 * two - after) * t**2
        + (3 * one - before - 3 * two + after) * t**3
    )  # fmt: skip
    path = path.transpose(1, 0, 2).reshape(-1, 2)
    return path if closed else np.concatenate([path, through[-1:]])


def oval(x: float, y: float, wide: float, high: float, turn: float = 0.0, power: float = 2.0) -> Path:
    """An ellipse around (x, y), `wide` and `high` from its middle, turned by radians; power above 2: with corners
    (Lamé's curve)."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    a, b = (np.sign(one) * np.abs(one) ** (2 / power) for one in (cosine, sine))
    across, down = a * wide, b * high
    return np.stack(
        [x + across * np.cos(turn) - down * np.sin(turn), y + across * np.sin(turn) + down * np.cos(turn)], 1
    )


class Layer(Protocol):
    """What shapes are drawn on, one over the other."""

    def fill(self, path: Path, colour: Colour, alpha: float = 1.0, fade: tuple[Colour, Path] | None = None) -> None:
        """Fill an outline, in pixels. fade: a second colour, and two points between which the first passes into it."""
        ...

    def line(self, path: Path, colour: Colour, width: float, alpha: float = 1.0) -> None:
        """Draw along a path, `width` pixels wide, with round ends and corners."""
        ...

    def erase(self, path: Path) -> None:
        """Take away what was drawn within an outline: something is in front of it."""
        ...


class Outlines:
    """A `Layer` that paints nothing: `shapes` are the calls as JSON values, for a page that paints them itself.

    Each has its `path`, a flat list x y x y ... of pixels rounded to 0.1, and unless it is `erased`, a `colour`, an
    `alpha`, and a line's `width` or the `fade` of what is filled: the second colour, and x y x y of the two points.
    """

    def __init__(self) -> None:
        self.shapes: list[Shape] = []

    def fill(self, path: Path, colour: Colour, alpha: float = 1.0, fade: tuple[Colour, Path] | None = None) -> None:
        """See `Layer`."""
        more = {} if fade is None else {"fade": {"colour": fade[0], "path": _flat(fade[1])}}
        self.shapes.append({"path": _flat(path), "colour": colour, "alpha": alpha} | more)

    def line(self, path: Path, colour: Colour, width: float, alpha: float = 1.0) -> None:
        """See `Layer`."""
        self.shapes.append({"path": _flat(path), "colour": colour, "alpha": alpha, "width": round(width, 2)})

    def erase(self, path: Path) -> None:
        """See `Layer`."""
        self.shapes.append({"path": _flat(path), "erased": True})


def _flat(path: Path) -> list[float]:
    return np.round(np.asarray(path), 1).ravel().tolist()


class Sketch:
    """A `Layer`, transparent, over part of a picture of (height, width), on which shapes are drawn one over the other.

    reach: the part, x1 y1 x2 y2, pixels; beyond it nothing is drawn.
    """

    def __init__(self, size: tuple[int, int], reach: Sequence[float]) -> None:
        x1, y1, x2, y2 = reach
        self.left, self.top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
        self.right, self.bottom = min(size[1], int(np.ceil(x2))), min(size[0], int(np.ceil(y2)))
        self.empty = self.right <= self.left or self.bottom <= self.top
        width, height = max(1, self.right - self.left), max(1, self.bottom - self.top)
        self.finer = max(1.0, min(FINER, MOST / max(width, height)))
        self._size = (max(1, round(width * self.finer)), max(1, round(height * self.finer)))
        self._layer = np.zeros((self._size[1], self._size[0], 4), np.float32)  # colour times alpha, and alpha; 0 to 1

    def fill(self, path: Path, colour: Colour, alpha: float = 1.0, fade: tuple[Colour, Path] | None = None) -> None:
        """See `Layer`."""
        place, mask = self._mask(path, 1, lambda pen, places: pen.polygon(places, fill=255))
        self._lay(place, mask * alpha, self._shade(place, colour, fade))

    def line(self, path: Path, colour: Colour, width: float, alpha: float = 1.0) -> None:
        """See `Layer`."""
        wide = max(1, round(width * self.finer))

        def draw(pen: ImageDraw.ImageDraw, places: list[tuple[float, float]]) -> None:
            pen.line(places, fill=255, width=wide, joint="curve")
            for x, y in (places[0], places[-1]):
                pen.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=255)

        place, mask = self._mask(path, wide, draw)
        self._lay(place, mask * alpha, self._shade(place, colour, None))

    def erase(self, path: Path) -> None:
        """See `Layer`."""
        place, mask = self._mask(path, 1, lambda pen, places: pen.polygon(places, fill=255))
        self._layer[place] *= 1 - mask[..., None]

    def onto(self, picture: Picture) -> Picture:
        """A copy of the picture with the layer over it."""
        if self.empty:
            return picture
        size = (self.right - self.left, self.bottom - self.top)
        channels = [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(self._layer[..., channel])).resize(size, Image.Resampling.BOX)
            )
            for channel in range(4)
        ]
        layer = np.stack(channels, axis=-1)
        whole = picture.copy()
        part = whole[self.top : self.bottom, self.left : self.right]
        part[:] = np.clip(part * (1 - layer[..., 3:]) + layer[..., :3] * 255 + 0.5, 0, 255).astype(np.uint8)
        return whole

    def _mask(self, path: Path, reach: int, draw: Draw) -> tuple[Part, NDArray[np.float32]]:
        """The part of the layer in which a path lies, and how far each of its pixels is covered."""
        places = (np.asarray(path) - [self.left, self.top]) * self.finer
        low = np.clip(np.floor(places.min(axis=0)) - reach, 0, self._size).astype(int)
        high = np.clip(np.ceil(places.max(axis=0)) + reach, low, self._size).astype(int)
        mask = Image.new("L", (max(1, high[0] - low[0]), max(1, high[1] - low[1])))
        draw(ImageDraw.Draw(mask), [(x, y) for x, y in (places - low).clip(-FAR, FAR).tolist()])
        part = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
        shown = np.asarray(mask)[: high[1] - low[1], : high[0] - low[0]]
        return part, np.asarray(shown / 255, np.float32)

    def _shade(self, part: Part, colour: Colour, fade: tuple[Colour, Path] | None) -> NDArray[np.float32]:
        """(3,) the colour, or (height, width, 3) the passage from it to the second one."""
        first = np.asarray(np.array(colour) / 255, np.float32)
        if fade is None:
            return first
        other, ends = np.array(fade[0], np.float32) / 255, (np.asarray(fade[1]) - [self.left, self.top]) * self.finer
        along = ends[1] - ends[0]
        ys, xs = np.mgrid[part].astype(np.float32)
        share = ((xs - ends[0][0]) * along[0] + (ys - ends[0][1]) * along[1]) / max(1e-6, float(along @ along))
        share = np.clip(share, 0, 1)[..., None].astype(np.float32)
        return np.asarray(first * (1 - share) + other * share, np.float32)

    def _lay(self, part: Part, alpha: NDArray[np.float32], colour: NDArray[np.float32]) -> None:
        layer = self._layer[part]
        layer *= 1 - alpha[..., None]
        layer[..., :3] += alpha[..., None] * colour
        layer[..., 3] += alpha
