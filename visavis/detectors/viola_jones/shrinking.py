"""All sizes of faces as OpenCV finds them: by shrinking the picture again and again, and not by scaling features.

This is `CascadeClassifier.detectMultiScale` of OpenCV 4 before it groups windows, to the pixel.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visavis.detectors.viola_jones.cascade import Cascade
from visavis.detectors.viola_jones.integral import Grey, integral, squares
from visavis.detectors.viola_jones.scanning import Layer, contrasting, grid, margins_in_place


def shrunken_pictures(
    cascade: Cascade, picture: Grey, step: float = 1.1, smallest: tuple[int, int] = (0, 0)
) -> Iterator[Layer]:
    """Windows of one size after the other, each `step` times as large as the one before.

    smallest: width and height of the smallest window to search.
    """
    height, width = picture.shape
    rows, columns = np.arange(cascade.height + 1), np.arange(cascade.width + 1)
    factor, parts = 1.0, 0
    while (wide := round(cascade.width * factor)) <= width and (high := round(cascade.height * factor)) <= height:
        scale = np.float32(factor)
        if wide >= smallest[0] and high >= smallest[1]:
            small = shrunk(picture, round(float(np.float32(height) / scale)), round(float(np.float32(width) / scale)))
            sums, squared = integral(small), squares(small)
            apart = 1 if scale >= 2 else 2
            # OpenCV parts the rows among its threads, and leaves out the last one where that does not come out even.
            parts = parts or -(-(small.shape[1] + 1 - cascade.width) // 32)
            seen = parts * max(((small.shape[0] + 1 - cascade.height) // apart + parts - 1) // parts, 1)
            starts = grid(sums, columns, rows, apart)[:seen]
            layer = Layer(sums, squared, columns, rows, starts.ravel(), float(scale), (wide, high), (width, height))
            yield replace(layer, starts=_seen(cascade, layer, starts))
        factor *= step


def _seen(cascade: Cascade, layer: Layer, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the windows, (down, across), at which OpenCV looks: where the first stage drops one it leaves out the
    next, as that will hardly be a face."""
    there, means, norms = contrasting(cascade, layer, starts.ravel())
    dropped = there[margins_in_place(cascade.stages[0], layer, there, means, norms) < 0]
    rejected = np.isin(starts, dropped)
    seen = np.ones_like(rejected)
    for column in range(1, starts.shape[1]):
        seen[:, column] = ~(seen[:, column - 1] & rejected[:, column - 1])
    return starts[seen]


def shrunk(picture: Grey, height: int, width: int) -> Grey:
    """OpenCV's INTER_LINEAR_EXACT: between the four nearest pixels, in whole numbers, so that every processor gets the
    same."""
    if picture.shape == (height, width):
        return picture
    (top, down), (left, right) = _between(picture.shape[0], height), _between(picture.shape[1], width)
    across = picture[:, left] * (256 - right) + picture[:, np.minimum(left + 1, picture.shape[1] - 1)] * right
    below = across[np.minimum(top + 1, picture.shape[0] - 1)]
    return ((across[top] * (256 - down[:, None]) + below * down[:, None] + (1 << 15)) >> 16).astype(np.uint8)


def _between(source: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each of `target` pixels, the one of `source` pixels before its centre, and how far it is on the way from
    there to the next, in 256ths."""
    centre = (np.arange(target) + 0.5) * (source / target) - 0.5
    before = np.floor(centre).astype(np.int64)
    part = np.rint((centre - before) * 256).astype(np.int64)
    return np.clip(before, 0, source - 1), np.where((before < 0) | (before >= source - 1), 0, part)
