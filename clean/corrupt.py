"""Cleaner 1: files that do not decode to a photo.

visavis.images finds what does not decode. Here are the faults that a decoder accepts: a picture too small to learn
from, one that shows nothing, and one that is not what was encoded.
"""

import re
from functools import lru_cache
from itertools import product

import numpy as np

from visavis.errors import ImageError
from visavis.images import Picture, opened

_ROUGH = 3
"""A quantisation step this many times larger or smaller than all of its neighbours is damage. The ratio is at most 2 in
libjpeg's tables of all qualities and in Photoshop's, and 4/3 in those of 6,189 web photos."""

_PADDING = 16
"""Bytes that an encoder may leave between a picture and its end."""


def check(data: bytes, max_pixels: int) -> None:
    """Raises ImageError (`damaged`) for a JPEG that decodes, but not to the picture that was encoded.

    One wrong byte in a header is enough: with a wrong code table, the data end too early or too late, which is only a
    warning of libjpeg; or brightness is rounded in steps that no encoder uses.
    """
    if not data.startswith(b"\xff\xd8"):
        return
    import simplejpeg

    with opened(data, max_pixels) as picture:
        tables = [tuple(table) for table in picture.quantization.values()]  # type: ignore[attr-defined]
    if any(_roughness(table) > _ROUGH for table in tables):
        raise ImageError("damaged", "one step of its quantisation table is out of all proportion")
    try:
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, strict=True)  # an eighth of the pixels
    except ValueError as error:  # also for what simplejpeg does not support, such as CMYK, which Pillow has decoded
        left = re.search(r"Corrupt JPEG data: (?:(\d+) extraneous bytes before marker)?", str(error))
        if left and int(left[1] or _PADDING + 1) > _PADDING:
            raise ImageError("damaged", str(error)) from None


@lru_cache(1000)  # most photos share a few tables
def _roughness(table: tuple[int, ...]) -> float:
    """The largest factor by which any of 8 x 8 steps exceeds its largest neighbour, or falls below its smallest."""
    steps = np.maximum(np.reshape(table, (8, 8)), 0.5)
    framed = np.pad(steps, 1, constant_values=np.nan)
    around = [framed[1 + down : 9 + down, 1 + right : 9 + right] for down, right in product((-1, 0, 1), repeat=2)]
    del around[4]  # the step itself
    largest, smallest = np.nanmax(around, axis=0), np.nanmin(around, axis=0)
    return float(max((steps / largest).max(), (smallest / steps).max()))


def examine(picture: Picture, min_side: int) -> None:
    """Raises ImageError for a decoded picture that nothing can be learnt from:

    too_small    its shorter side is below `min_side` pixels
    not_a_photo  it has one or two colours: a placeholder, a blank page, line art
    """
    height, width = picture.shape[:2]
    if min(height, width) < min_side:
        raise ImageError("too_small", f"{width} x {height} pixels; the shorter side must have {min_side}")
    if colours := _few_colours(picture):
        raise ImageError("not_a_photo", f"{'one colour' if colours == 1 else 'two colours'} in all")


def _few_colours(picture: Picture) -> int:
    """1 or 2 if the picture consists of so many colours, else 0.

    JPEG rings at edges, so values within 12 levels count as one colour, and 1 pixel in 100 (with two colours 3) may
    have any other. Of 1,200 web photos, none had fewer than 5 in 100 outside its two commonest colours. At most
    64 x 64 pixels are sampled.
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
