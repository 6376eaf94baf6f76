"""Decodes photos no larger than a detector needs them.

A network that takes a photo of 12 megapixels at 512 pixels needs an eighth of the pixels on each side: libjpeg can
decode at a half, a quarter or an eighth of the size, in less time, and the rest is never in memory.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from visavis import images
from visavis.errors import ImageError
from visavis.images import Picture

SPARE = 1.75
"""A JPEG is decoded with at least so many times the pixels on each side that are needed, and then reduced further,
since libjpeg's reduction is coarser than ours and would move boxes."""


@dataclass(frozen=True)
class UsefulSize:
    """The largest size at which a detector makes use of a photo.

    shortest, longest: pixels of the shorter and of the longer side; the stricter one applies. None: no limit.
    """

    shortest: int | None = None
    longest: int | None = None

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which the detector takes a photo of that size: its own, or smaller ones."""
        return self._side(height, height, width), self._side(width, height, width)

    def _side(self, side: int, height: int, width: int) -> int:
        shortest = side if self.shortest is None else side * self.shortest // min(height, width)
        longest = side if self.longest is None else side * self.longest // max(height, width)
        return max(1, min(side, shortest, longest))  # integer arithmetic, so that every program gets the same pixels


@dataclass(frozen=True)
class ReducedPhoto:
    """A photo at the size that a detector needs.

    picture: as displayed, perhaps smaller than the photo. height, width: of the photo, pixels as displayed. scale:
    vertical and horizontal, from the picture's pixels to the photo's. animated: it is the first of several frames.
    digest: of the file's bytes, to notice a change when it is read again; empty if it will not be. otherwise: what
    others may see of it (visavis.colours.appearances), of the picture's size.
    """

    picture: Picture
    height: int
    width: int
    scale: tuple[float, float]
    animated: bool
    digest: bytes = b""
    otherwise: tuple[Picture, ...] = ()


def digest(data: bytes) -> bytes:
    """A hash of a file's bytes. Size and time would not do: a copy of an older photo keeps the time of that."""
    return hashlib.sha256(data).digest()


def read_unchanged(path: str | Path, expected: bytes) -> bytes:
    """The bytes of a file that was read before, when they had this digest. Raises ImageError where they have another
    one now."""
    data = images.read_bytes(path)
    if digest(data) != expected:
        raise ImageError("changed", "the file changed during the run")
    return data


def read_reduced_photo(
    path: str | Path,
    useful_size: UsefulSize,
    max_pixels: int = images.MAX_PIXELS,
    again: bool = False,
    otherwise: bool = False,
) -> ReducedPhoto:
    """Decode a photo at `useful_size`, or its own size if that is smaller. again: whether the file will be read a
    second time, for which it gets a digest. otherwise: whether what others may see of it is wanted, too. Raises
    ImageError."""

    def least(height: int, width: int) -> int | None:
        size = useful_size.size(height, width)
        return None if size == (height, width) else math.ceil(SPARE * min(size))

    data = images.read_bytes(path)
    read = images.decode_reduced(data, least, max_pixels, otherwise)
    size = useful_size.size(read.height, read.width)
    height, width = read.picture.shape[:2]
    # Half of 301 pixels are 151, and the last one covers half a pixel beyond the photo: the decoder scales by integers.
    scale = read.times * height / size[0], read.times * width / size[1]
    picture, *others = (images.resize(one, size) for one in (read.picture, *read.otherwise))
    known = digest(data) if again else b""
    return ReducedPhoto(picture, read.height, read.width, scale, read.animated, known, tuple(others))
