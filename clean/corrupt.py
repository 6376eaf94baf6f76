"""Cleaner 1: files that do not decode to a photo.

The bytes decide, under the limits of visavis.images; here is only what is a fault for training and
none for a decoder: a picture too small to learn from, and one that shows nothing.
"""

import numpy as np

from visavis.images import ImageError, Picture


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
