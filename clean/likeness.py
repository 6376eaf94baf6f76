"""Whether two photos are the same, even if one was saved again, resized, mirrored, or slightly cropped.

This takes two steps. Perceptual hashes (imagehash's pHash: Zauner, "Implementation and Benchmarking of Perceptual Image
Hash Functions", 2010) cheaply select pairs that may be alike. Then small thumbnails of these few pairs are aligned and
compared, because at a distance that finds crops, two portraits before a plain wall have similar hashes, too.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from visavis.images import Picture

Thumbnails = NDArray[Any]  # (N, 24, 24) uint8 or float32, grey

DISTANCE = 12
"""A pair is compared closely if its hashes differ in at most this many of 64 bits.

Copies that were saved again or halved differ in at most 2, those with up to 5 % cut off at each side in at most 12 (98
of 100), unrelated photos (of 2,500 web photos) in about 32, and one unrelated pair in 14,000 in 12 or fewer."""

SAME = 0.77
"""From this correlation of the aligned thumbnails' fine detail on, two photos are the same.

Different people before a plain wall reached at most 0.76 among 5,500 web photos; 99 in 100 copies with up to 5 % cut
off at each side exceeded 0.82. (Whole thumbnails do not separate them: 0.95 against 0.95.)"""

ALIKE = 0.68
"""From this correlation on, photos stay in the same split, and both are kept: a mistake costs nothing there."""

_COARSE = 0.85  # correlation of the whole thumbnails below which their fine detail is not compared

SHORTEST = 256
"""A photo's shorter side may be reduced to this many pixels before its likeness is computed."""

_SIDE = 24  # of a thumbnail, pixels
_TRIM = 0.05  # share cut off each side for the hash with which cropped copies are compared
_CUT = 12  # hundredths that may be missing at each side
_BLOCK = 1 << 20  # distances held in memory at a time, ten bytes each
_TOGETHER = 256  # pairs aligned at a time


@dataclass(frozen=True)
class Likeness:
    """What is stored of a photo to compare it with others, in less than a kilobyte.

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


def of(picture: Picture) -> Likeness:
    """The likeness of a (height, width, 3) uint8 RGB picture."""
    from imagehash import phash

    grey = Image.fromarray(picture).convert("L")
    grey = grey.reduce(max(1, min(grey.size) // 128))
    width, height = grey.size
    across, down = round(width * _TRIM), round(height * _TRIM)
    middle = grey.crop((across, down, width - across, height - down))
    # Reduced to the size with which phash begins, so that mirroring is cheap and phash does not reduce it again.
    views = [view.resize((32, 32), Image.Resampling.LANCZOS) for view in (grey, middle)]
    views += [ImageOps.mirror(view) for view in views]
    hashes = np.array([int(str(phash(view)), 16) for view in views], dtype=np.uint64)
    return Likeness(hashes, np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BOX)))


def pairs(some: Sequence[Likeness], least: float = ALIKE) -> Iterator[tuple[int, int, float]]:
    """Every pair (i, j, correlation) of photos, i < j, with at least that correlation.

    All hashes are compared with all others: 6,000 photos take a second, 100,000 two minutes.
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
        rest = iter(near)
        while chosen := list(islice(rest, _TOGETHER)):
            first, second = (np.stack([some[start + pair[end]].thumbnail for pair in chosen]) for end in (0, 1))
            for (row, column), alike in zip(chosen, correlations(first, second).tolist(), strict=True):
                if alike >= least:
                    yield start + row, start + column, alike


def correlations(first: Thumbnails, second: Thumbnails) -> NDArray[np.float32]:
    """How alike the photos of each pair are once aligned, mirrored or not: (N,) Pearson's correlation of the grey
    values minus their blurred copy, -1..1; 0 if the grey values themselves are too different to be aligned.
    first, second: (N, 24, 24)."""
    return np.maximum(_aligned(first, second), _aligned(first, second[:, :, ::-1]))


def _aligned(first: Thumbnails, second: Thumbnails) -> NDArray[np.float32]:
    """The best correlation over cuts at the four sides of either, found by a search with ever smaller steps."""
    cuts = np.zeros((len(first), 4), int)  # left, top, right, bottom; hundredths of the side
    best = _correlation(first, second)
    for step in (4, 2, 1):
        moving = np.flatnonzero(best >= 0.5)  # a copy with 5 % cut off starts above this
        while len(moving):
            before = best[moving]
            for side, change in product(range(4), (step, -step)):
                tried = cuts[moving]
                tried[:, side] += change
                value = _correlation(*_overlaid(first[moving], second[moving], tried.clip(-_CUT, _CUT)))
                better = (value > best[moving]) & (abs(tried[:, side]) <= _CUT)
                best[moving[better]], cuts[moving[better]] = value[better], tried[better]
            moving = moving[best[moving] > before]
    close = np.flatnonzero(best >= _COARSE)
    found = np.zeros(len(first), np.float32)
    found[close] = _correlation(*(_fine(part) for part in _overlaid(first[close], second[close], cuts[close])))
    return found


def _overlaid(first: Thumbnails, second: Thumbnails, cuts: NDArray[np.int_]) -> tuple[Thumbnails, Thumbnails]:
    """The part that both show, if `cuts` are missing from the second, or, below 0, from the first."""
    return _cut(first, cuts.clip(0)), _cut(second, (-cuts).clip(0))


def _cut(some: Thumbnails, cuts: NDArray[np.int_]) -> Thumbnails:
    left, top, right, bottom = cuts.T
    stretch = _stretches()
    return np.asarray(stretch[top, bottom] @ some @ stretch[left, right].swapaxes(1, 2))


@cache
def _stretches() -> NDArray[np.float32]:
    """(13, 13, 24, 24) for hundredths cut off at either end: the matrix by which Pillow would resize the rest of a
    column to its full length."""
    unit = Image.fromarray(np.eye(_SIDE, dtype=np.float32))
    share = _SIDE / 100
    boxes = [
        [(0, before * share, _SIDE, _SIDE - behind * share) for behind in range(_CUT + 1)] for before in range(_CUT + 1)
    ]
    return np.array([[unit.resize(unit.size, Image.Resampling.BILINEAR, box) for box in row] for row in boxes])


def _fine(some: Thumbnails) -> Thumbnails:
    """The thumbnails minus their blurred copies (rounded to whole grey values, as by Pillow)."""
    blur = ImageFilter.GaussianBlur(1)
    whole = some.round().clip(0, 255).astype(np.uint8)
    blurred = [np.asarray(Image.fromarray(one).filter(blur)) for one in whole]
    return whole - np.array(blurred, np.float32).reshape(whole.shape)


def _correlation(first: Thumbnails, second: Thumbnails) -> NDArray[np.float32]:
    """(N,) of (N, 24, 24) each."""
    one, two = (
        some.reshape(-1, _SIDE * _SIDE) - some.mean(axis=(1, 2), dtype=np.float32)[:, None] for some in (first, second)
    )
    return np.asarray((one * two).sum(1) / np.sqrt((one * one).sum(1) * (two * two).sum(1)).clip(1e-6))
