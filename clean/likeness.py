"""Do two photos show the same? Also where one was saved anew, resized, mirrored, or slightly cropped.

Two steps. Perceptual hashes (imagehash's pHash: Zauner, "Implementation and Benchmarking of Perceptual Image
Hash Functions", 2010) say cheaply which pairs may be alike; then small thumbnails of those few pairs are laid
over each other, for at a distance that catches crops two portraits before a plain wall have like hashes, too.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from visavis.images import Picture

DISTANCE = 12
"""Bits of 64 in which two hashes may differ for the pair to be looked at closely.

Copies saved anew or halved differ in 2 at most, those with up to 5 % cut off at each side in 12 (98 of 100), two
of 2,500 web photos that have nothing in common in about 32, and one such pair in 14,000 in 12 or fewer."""

SAME = 0.77
"""Correlation of the fine detail of the aligned thumbnails from which on two photos are the same one.

Different people before a plain wall came to 0.76 at most among 5,500 web photos, 99 in 100 copies with up to 5 % cut
off at each side to more than 0.82. (The thumbnails as they are tell them apart less well: 0.95 against 0.95.)"""

ALIKE = 0.68
"""From here on they go to the same side of a split, and both are kept: a mistake costs nothing there."""

_COARSE = 0.85  # correlation of the thumbnails as they are, without which their fine detail is not looked at

SHORTEST = 256
"""A photo's shorter side may be reduced to as many pixels before its likeness is taken."""

CUT = 0.12
"""As much may be missing at each side, as a share of the width or height."""

_SIDE = 24  # of a thumbnail, pixels
_TRIM = 0.05  # what is cut off each side for the hash that cropped copies are compared with
_BLOCK = 1 << 20  # distances that are held in memory at a time, ten bytes each


@dataclass(frozen=True)
class Likeness:
    """What is kept of a photo to compare it by: less than a kilobyte.

    hashes: (4,) uint64: the whole photo, its middle, and both mirrored. thumbnail: (24, 24) uint8, grey.
    """

    hashes: NDArray[np.uint64]
    thumbnail: NDArray[np.uint8]

    def __str__(self) -> str:
        return b64encode(self.hashes.astype("<u8").tobytes() + self.thumbnail.tobytes()).decode()

    @classmethod
    def parse(cls, text: str) -> "Likeness":
        """The inverse of str()."""
        data = b64decode(text)
        return cls(
            np.frombuffer(data[:32], "<u8").astype(np.uint64), np.frombuffer(data[32:], np.uint8).reshape(_SIDE, _SIDE)
        )

    @cached_property
    def image(self) -> Image.Image:
        """The thumbnail, for Pillow."""
        return Image.fromarray(self.thumbnail)


def of(picture: Picture) -> Likeness:
    """The likeness of a (height, width, 3) uint8 RGB picture."""
    from imagehash import phash

    grey = Image.fromarray(picture).convert("L")
    grey = grey.reduce(max(1, min(grey.size) // 128))
    width, height = grey.size
    across, down = round(width * _TRIM), round(height * _TRIM)
    middle = grey.crop((across, down, width - across, height - down))
    # At the size that phash begins with: what is small is mirrored, and phash does not shrink it again.
    views = [view.resize((32, 32), Image.Resampling.LANCZOS) for view in (grey, middle)]
    views += [ImageOps.mirror(view) for view in views]
    hashes = np.array([int(str(phash(view)), 16) for view in views], dtype=np.uint64)
    return Likeness(hashes, np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BOX)))


def pairs(some: Sequence[Likeness], least: float = ALIKE) -> Iterator[tuple[int, int, float]]:
    """Every pair (i, j, correlation) of photos, i < j, that are alike to at least that correlation.

    All hashes are compared with all, as numbers: 6,000 photos take a second, 100,000 some minutes.
    """
    if len(some) < 2:
        return
    hashes = np.empty((len(some), 4), np.uint64)
    for number, one in enumerate(some):
        hashes[number] = one.hashes
    rows = max(1, _BLOCK // len(some))
    for start in range(0, len(some), rows):
        block = hashes[start : start + rows]
        near: dict[tuple[int, int], None] = {}
        # Whole against whole; each whole against the other's middle; the same with one of them mirrored.
        for mine, theirs in ((0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (3, 0)):
            apart = np.bitwise_count(block[:, mine, None] ^ hashes[None, start:, theirs])
            for row, column in np.argwhere(apart <= DISTANCE).tolist():
                if row < column:
                    near[row, column] = None
        for row, column in near:
            alike = correlation(some[start + row], some[start + column])
            if alike >= least:
                yield start + row, start + column, alike


def correlation(first: Likeness, second: Likeness) -> float:
    """How alike two photos are once aligned, mirrored or not: Pearson's correlation of what is left of the grey
    values without their blurred copy, -1..1; 0 where the grey values themselves are too unlike to be aligned."""
    return max(_aligned(first.image, second.image), _aligned(first.image, ImageOps.mirror(second.image)))


def _aligned(first: Image.Image, second: Image.Image) -> float:
    """The best correlation over cuts at the four sides of either, found downhill in ever smaller steps."""
    cuts = [0.0] * 4
    best = _correlation(*_overlaid(first, second, cuts))
    for step in (0.04, 0.02, 0.01):
        if best < 0.5:  # a copy with 5 % cut off starts above this
            return 0.0
        better = True
        while better:
            better = False
            for side in range(4):
                for change in (step, -step):
                    tried = [*cuts]
                    tried[side] += change
                    if abs(tried[side]) > CUT:
                        continue
                    if (value := _correlation(*_overlaid(first, second, tried))) > best:
                        cuts, best, better = tried, value, True
    if best < _COARSE:
        return 0.0
    return _correlation(*(_fine(image) for image in _overlaid(first, second, cuts)))


def _overlaid(first: Image.Image, second: Image.Image, cuts: Sequence[float]) -> tuple[Image.Image, Image.Image]:
    """What both show, where `cuts` (left, top, right, bottom; shares) are missing from the second, or below 0 from
    the first."""
    return _cut(first, [max(0.0, cut) for cut in cuts]), _cut(second, [max(0.0, -cut) for cut in cuts])


def _cut(image: Image.Image, cuts: Sequence[float]) -> Image.Image:
    left, top, right, bottom = (cut * _SIDE for cut in cuts)
    box = (left, top, _SIDE - right, _SIDE - bottom)
    return image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box)


def _fine(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32) - np.asarray(image.filter(ImageFilter.GaussianBlur(1)), np.float32)


def _correlation(first: Image.Image | NDArray[np.float32], second: Image.Image | NDArray[np.float32]) -> float:
    one, two = np.asarray(first, np.float32), np.asarray(second, np.float32)
    one, two = one - one.mean(), two - two.mean()
    return float((one * two).sum() / max(1e-6, float(np.sqrt((one * one).sum() * (two * two).sum()))))
