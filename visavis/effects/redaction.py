"""Faces made unrecognisable: blurred, pixelated or covered. The files around the pixels: visavis.rewriting.repainting.

What is left of a face: its region (the box, grown by `grow` at each side) is averaged to at most `CELLS` cells along
its longer side, and every effect draws from those averages alone: `pixelate` shows them as squares, `blur` and `oval-
blur` pass smoothly from one to the next. Even somebody who knows the method cannot recover anything finer, as from a
light blur, which can be inverted. The number of cells does not depend on the size of a face: one of 3000 pixels is
left with no more detail than one of 60. With `grow` 0.2 the face itself covers hardly more than 2 x 2 cells. With 4
cells along a region, our detector, which has learnt to find blurred faces, found one in 100 again; people recognise
those they know at 7 x 10 (Sinha et al., "Face Recognition by Humans: Nineteen Results", 2006, result 1).

The averages still reveal the colours of hair, skin and clothes, and a network that was trained on pixelated photos of
a few known people may distinguish them (McPherson et al., "Defeating Image Obfuscation with Deep Learning", 2016).
`fill` leaves nothing at all.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visavis.boxes import area, grow
from visavis.faces import Faces
from visavis.images import Picture
from visavis.ranges import check_number

CELLS = 3
"""The largest number of averages along the longer side of a region, whatever the photo's size."""

SMALLEST_CELL = 4
"""The smallest side of a cell, in pixels: small regions are averaged to fewer cells."""


@dataclass(frozen=True)
class Effect:
    """How a region is shown. It receives only the region's averages, so that no effect can leave more than those.

    show: an image of the averages, and (width, height) of the region -> an image of that size. oval: only the ellipse
    in the face's grown box is changed, not the rectangle.
    """

    show: Callable[[Image.Image, tuple[int, int]], Image.Image]
    oval: bool = False


def _smooth(averages: Image.Image, size: tuple[int, int]) -> Image.Image:
    return averages.resize(size, Image.Resampling.BICUBIC)


EFFECTS: dict[str, Effect] = {
    "blur": Effect(_smooth),
    "pixelate": Effect(lambda averages, size: averages.resize(size, Image.Resampling.NEAREST)),
    "fill": Effect(lambda averages, size: Image.new("RGB", size)),
    "oval-blur": Effect(_smooth, oval=True),
}
"""Name -> effect. To add one is to add a line."""


@dataclass(frozen=True)
class Redaction:
    """Makes faces unrecognisable: `redaction(image, faces)` is a copy of the image.

    effect: `blur` and `pixelate` (rectangles), `oval-blur` (the ellipse in the rectangle), `fill` (black rectangles).
    grow: share of a face's width and height by which its region reaches out at each side; a box ends at brow and
    chin, a head does not.
    keep_largest: leave the face of the largest box as it is, where no other face's region reaches into it. It is one of
    the first `sure` faces, where a call says how many those are.
    """

    effect: str = "blur"
    grow: float = 0.2
    keep_largest: bool = False

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise ValueError(f"there is no effect {self.effect!r}; there are {', '.join(EFFECTS)}")
        check_number("grow", self.grow, 0)

    def __call__(self, image: Picture, faces: Faces, sure: int | None = None) -> Picture:
        """A copy of `image`, (height, width, 3) uint8, with all `faces` redacted; boxes may reach outside it."""
        redacted = Image.fromarray(image).copy()
        for region in self._regions((image.shape[0], image.shape[1]), faces, sure):
            before = redacted.crop(region.place)
            redacted.paste(self._averaged(before, region.cell), region.place, region.shape(EFFECTS[self.effect].oval))
        return np.asarray(redacted)

    def mask(self, size: tuple[int, int], faces: Faces, sure: int | None = None) -> NDArray[np.bool_]:
        """(height, width) bool: the pixels of a picture of `size` that may have changed."""
        mask = Image.new("1", (size[1], size[0]))
        for region in self._regions(size, faces, sure):
            mask.paste(1, region.place, region.shape(EFFECTS[self.effect].oval))
        return np.asarray(mask)

    def _regions(self, size: tuple[int, int], faces: Faces, sure: int | None) -> Iterator["_Region"]:
        areas = area(faces.boxes[:sure])
        largest = int(areas.argmax()) if self.keep_largest and len(areas) else -1
        for index, (x1, y1, x2, y2) in enumerate(grow(faces.boxes, self.grow).tolist()):
            left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
            right, bottom = min(size[1], math.ceil(x2)), min(size[0], math.ceil(y2))
            if index != largest and left < right and top < bottom:
                yield _Region((x1, y1, x2, y2), (left, top, right, bottom))

    def _averaged(self, before: Image.Image, cell: float) -> Image.Image:
        """A region as its effect shows it, made of averages over squares of `cell` pixels alone."""
        across, down = (max(1, round(side / cell)) for side in before.size)
        averages = before.resize((across, down), Image.Resampling.BOX)
        return EFFECTS[self.effect].show(averages, before.size)


@dataclass(frozen=True)
class _Region:
    """Where a face is redacted: its grown box, and `place`, the box's pixels within the picture; x1, y1, x2, y2."""

    box: tuple[float, float, float, float]
    place: tuple[int, int, int, int]

    @property
    def cell(self) -> float:
        """Side of the squares that are averaged, in pixels."""
        x1, y1, x2, y2 = self.box
        return max(max(x2 - x1, y2 - y1) / CELLS, SMALLEST_CELL)

    def shape(self, oval: bool) -> Image.Image:
        """The part of `place` that is redacted, as a mask: all of it, or what the ellipse in the box covers."""
        left, top, right, bottom = self.place
        if not oval:
            return Image.new("1", (right - left, bottom - top), 1)
        x1, y1, x2, y2 = self.box
        across = (np.arange(left, right) + 0.5 - (x1 + x2) / 2) / ((x2 - x1) / 2)
        down = (np.arange(top, bottom) + 0.5 - (y1 + y2) / 2) / ((y2 - y1) / 2)
        return Image.fromarray(across[None] ** 2 + down[:, None] ** 2 <= 1)
