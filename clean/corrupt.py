"""Cleaner 1: files that do not decode to a photo.

The bytes decide, under the limits of visavis.images; here is only what is a fault for training and none for a decoder:
a picture too small to learn from, one that shows nothing, and one that is not what was encoded.
"""

import re
from functools import lru_cache
from itertools import product

import numpy as np

from visavis.errors import ImageError
from visavis.images import Picture, opened

_ROUGH = 3
"""A step of quantisation so many times larger than all around it, or smaller, is damage. It is twice at most in
libjpeg's tables of all qualities and in Photoshop's, and 4/3 in 6,189 web photos'."""

_PADDING = 16
"""Bytes that an encoder may leave between a picture and its end."""


def check(data: bytes, max_pixels: int) -> None:
    """Raises ImageError (`damaged`) for a JPEG that decodes, and yet cannot be the picture that was encoded.

    One byte of a header does it: codes of another table are read as other numbers, until the data end too early or too
    late, which libjpeg only warns of; or brightness is rounded in steps that no encoder takes.
    """
    if not data.startswith(b"\xff\xd8"):
        return
    import simplejpeg

    with opened(data, max_pixels) as picture:
        tables = [tuple(table) for table in picture.quantization.values()]  # type: ignore[attr-defined]
    if any(_roughness(table) > _ROUGH for table in tables):
        raise ImageError("damaged", "one step of its table of quantisation is out of all proportion")
    try:
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, strict=True)  # an eighth of the pixels
    except ValueError as error:  # also what simplejpeg does not know, as CMYK; Pillow has decoded those
        left = re.search(r"Corrupt JPEG data: (?:(\d+) extraneous bytes before marker)?", str(error))
        if left and int(left[1] or _PADDING + 1) > _PADDING:
            raise ImageError("damaged", str(error)) from None


@lru_cache(1000)  # most photos share a few tables
def _roughness(table: tuple[int, ...]) -> float:
    """How many times larger than its largest neighbour, or smaller than its smallest, any of 8 x 8 steps is."""
    steps = np.maximum(np.reshape(table, (8, 8)), 0.5)
    framed = np.pad(steps, 1, constant_values=np.nan)
    around = [framed[1 + down : 9 + down, 1 + right : 9 + right] for down, right in product((-1, 0, 1), repeat=2)]
    del around[4]  # the step itself
    largest, smallest = np.nanmax(around, axis=0), np.nanmin(around, axis=0)
    return float(max((steps / largest).max(), (smallest / steps).max()))


def examine(picture: Picture, min_side: int) -> None:
    """Raises ImageError where a decoded picture is none to learn from:

    too_small    its shorter side is below `min_side` pixels
    not_a_photo  it has one or two colours: a placeholder, a blank page, line art
    """
    height, width = picture.shape[:2]
    if min(height, width) < min_side:
        raise ImageError("too_small", f"{width} x {height} pixels, the shorter side should have {min_side}")
    if colours := _few_colours(picture):
        raise ImageError("not_a_photo", f"{'one colour' if colours == 1 else 'two colours'} in all")


def _few_colours(picture: Picture) -> int:
    """1 or 2 where so many colours make up the picture, else 0.

    Not a count of distinct values: JPEG rings at edges, so a colour is whatever is within 12 levels
    of it, and of 100 pixels one (at two colours three) may be anything. Of 1,200 web photos none had
    fewer than 5 outside its two commonest. At most 64 x 64 pixels are looked at, unblended.
    """
    step = -(-max(picture.shape[:2]) // 64)
    rest = picture[::step, ::step].reshape(-1, 3).astype(np.int16)
    count = len(rest)
    for colours, stray in ((1, 0.01), (2, 0.03)):
        codes = (rest >> 3) @ np.array([1024, 32, 1])
        commonest = np.bincount(codes).argmax()
        centre = np.median(rest[codes == commonest], axis=0)
        rest = rest[np.abs(rest - centre).max(axis=1) > 12]
        if len(rest) <= stray * count:
            return colours
    return 0
