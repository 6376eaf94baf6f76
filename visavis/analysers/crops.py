"""What a network is shown of a face: a square around its box, always of one size."""

import numpy as np
from PIL import Image

from visavis.images import Picture

GREY = (124, 116, 104)
"""What is seen beyond the picture's edges: the mean of ImageNet."""


def square(box: np.ndarray, margin: float) -> tuple[float, float, float, float]:
    """The square around the middle of a box (x1, y1, x2, y2) that is `margin` times as wide as its longer side."""
    x1, y1, x2, y2 = (float(side) for side in box)
    half = max(x2 - x1, y2 - y1) * margin / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return x - half, y - half, x + half, y + half


def cut(picture: Picture, frame: tuple[float, float, float, float], side: int) -> Picture:
    """(side, side, 3) uint8: what lies in `frame` (x1, y1, x2, y2), pixels, antialiased; `GREY` beyond the edges."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = frame
    left, top = int(np.floor(x1)) - 1, int(np.floor(y1)) - 1
    right, bottom = int(np.ceil(x2)) + 1, int(np.ceil(y2)) + 1
    seen = picture[max(0, top) : max(0, min(bottom, height)), max(0, left) : max(0, min(right, width))]
    if seen.shape[:2] != (bottom - top, right - left):
        canvas = np.empty((bottom - top, right - left, 3), np.uint8)
        canvas[:] = GREY
        if seen.size:
            y, x = max(0, -top), max(0, -left)
            canvas[y : y + seen.shape[0], x : x + seen.shape[1]] = seen
        seen = canvas
    shrunk = Image.fromarray(np.ascontiguousarray(seen)).resize(
        (side, side), Image.Resampling.BILINEAR, box=(x1 - left, y1 - top, x2 - left, y2 - top)
    )
    return np.asarray(shrunk)
