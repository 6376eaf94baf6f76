"""Integral images: at each place the sum of all pixels above and to the left of it (Viola and Jones, section 2.1).

The sum over any rectangle is then a sum of four numbers, however large it is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
"""(height, width) uint8: brightness."""


def grey(picture: NDArray[np.uint8]) -> Grey:
    """Brightness of a (height, width, 3) RGB picture, with the weights and the rounding of OpenCV."""
    red, green, blue = (picture[..., channel].astype(np.uint32) for channel in range(3))
    return ((9798 * red + 19235 * green + 3735 * blue + (1 << 14)) >> 15).astype(np.uint8)


def integral(pixels: NDArray[Any], dtype: type = np.int32) -> NDArray[Any]:
    """(..., height, width) -> (..., height + 1, width + 1): the sum of all pixels above and to the left.

    In a large picture int32 overflows, which does no harm: it wraps around, so that differences stay right as long as
    they fit in it themselves.
    """
    *others, height, width = pixels.shape
    sums = np.zeros((*others, height + 1, width + 1), dtype)
    np.cumsum(pixels, axis=-2, dtype=dtype, out=sums[..., 1:, 1:])
    np.cumsum(sums[..., 1:, 1:], axis=-1, out=sums[..., 1:, 1:])
    return sums


def squares(pixels: Grey) -> NDArray[np.int64]:
    """The integral image of the pixels' squares, from which the variance of a window follows."""
    return integral(pixels.astype(np.int32) ** 2, np.int64)
