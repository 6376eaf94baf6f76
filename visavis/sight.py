"""How large a picture a detector has use for, and decoding no more of a photo than that.

A network that looks at 512 pixels of a photo of 12 megapixels needs an eighth of what its file holds: libjpeg
computes a half, a quarter or an eighth of the pixels alone, in less time, and the rest is never in memory.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from visavis import images
from visavis.images import Picture

SPARE = 1.75
"""A JPEG is decoded with at least so many times the pixels a side that are needed, and then shrunk: libjpeg's own way
of shrinking is coarser than ours, and boxes would move."""


@dataclass(frozen=True)
class Sight:
    """The most pixels that a detector has use for. None: it looks at every one.

    shortest, longest: of the shorter and the longer side; the tighter one holds.
    """

    shortest: int | None = None
    longest: int | None = None

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which a photo of that size is looked at: its own, or smaller ones."""
        return self._side(height, height, width), self._side(width, height, width)

    def _side(self, side: int, height: int, width: int) -> int:
        shortest = side if self.shortest is None else side * self.shortest // min(height, width)
        longest = side if self.longest is None else side * self.longest // max(height, width)
        return max(1, min(side, shortest, longest))  # whole numbers: every program comes to the same pixels


@dataclass(frozen=True)
class Glimpse:
    """A photo as a detector needs it.

    picture: as displayed, perhaps smaller than the photo. height, width: of the photo, pixels as displayed.
    scale: down and across, from the picture's pixels to the photo's. animated: it is the first of several frames.
    digest: of the file's bytes, which tell whether it is still the same when it is read again; empty if it will not be.
    """

    picture: Picture
    height: int
    width: int
    scale: tuple[float, float]
    animated: bool
    digest: bytes = b""


def digest(data: bytes) -> bytes:
    """What no other file's bytes have. Sizes and times would not do: a copy of an older photo keeps its own."""
    return hashlib.sha256(data).digest()


def glimpse(path: str | Path, sight: Sight, max_pixels: int = images.MAX_PIXELS, again: bool = False) -> Glimpse:
    """Decode what `sight` has use for. again: the file will be read once more. Raises ImageError."""

    def least(height: int, width: int) -> int | None:
        size = sight.size(height, width)
        return None if size == (height, width) else math.ceil(SPARE * min(size))

    data = images.read_bytes(path)
    read = images.decode_reduced(data, least, max_pixels)
    size = sight.size(read.height, read.width)
    height, width = read.picture.shape[:2]
    picture = images.resize(read.picture, size) if size != (height, width) else read.picture
    # A half of 301 pixels are 151, the last of which is a half in the photo: the decoder's scale is a whole number.
    scale = read.times * height / size[0], read.times * width / size[1]
    return Glimpse(picture, read.height, read.width, scale, read.animated, digest(data) if again else b"")
