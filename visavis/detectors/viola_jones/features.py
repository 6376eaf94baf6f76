"""Haar-like features: the brightness of some rectangles in a window minus that of others next to them.

A feature is up to three rectangles with a weight each: the whole of it counts -1, and its bright parts 2 or 3, so that
it is 0 where the window is of one brightness. OpenCV writes features in the same way, and has some whose rectangles are
turned by 45 degrees ("tilted"; Lienhart and Maydt, "An Extended Set of Haar-like Features for Rapid Object Detection",
2002).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

SIDE = 24
"""Pixels of a window, as in the paper."""

Rectangles = NDArray[np.int16]
"""(F, 3, 5): x, y, width, height and weight of the rectangles of each feature; a rectangle that it lacks is all 0."""

Corners = Any
"""A scipy.sparse.csr_array, (F, C) float32: what each corner of a window's pixels counts in each feature."""

KINDS = {
    "two beside each other": (2, 1, [(0, 0, 1, 1)]),
    "two above each other": (1, 2, [(0, 0, 1, 1)]),
    "three beside each other": (3, 1, [(1, 0, 1, 1)]),
    "three above each other": (1, 3, [(0, 1, 1, 1)]),
    "four in a square": (2, 2, [(0, 0, 1, 1), (1, 1, 1, 1)]),
}
"""How many cells a feature has across and down, and which of them are bright: x, y, width, height in cells."""


def every(side: int = SIDE) -> Rectangles:
    """All features in a window of `side` x `side` pixels: 162,336 for 24."""
    return np.concatenate([np.zeros((0, 3, 5), np.int16), *_every(side)])


def _every(side: int) -> Iterator[Rectangles]:
    """Kind by kind and size by size, the features at all places in the window."""
    for across, down, bright in KINDS.values():
        weight = across * down // len(bright)  # so that the bright cells outweigh the whole exactly
        for width in range(1, side // across + 1):  # of a cell
            for height in range(1, side // down + 1):
                whole = (0, 0, across * width, down * height, -1)
                parts = [(x * width, y * height, w * width, h * height, weight) for x, y, w, h in bright]
                y, x = np.mgrid[: side - down * height + 1, : side - across * width + 1].astype(np.int16)
                features = np.zeros((x.size, 3, 5), np.int16)
                features[:, : 1 + len(parts)] = [whole, *parts]
                features[:, : 1 + len(parts), 0] += x.reshape(-1, 1)
                features[:, : 1 + len(parts), 1] += y.reshape(-1, 1)
                yield features


def corners(
    rectangles: NDArray[Any], width: int = SIDE, height: int = SIDE, tilted: NDArray[np.bool_] | None = None
) -> Corners:
    """(F, (height + 1) * (width + 1)) float32, sparse: what each corner of the window's integral image counts in a
    feature. The matrix times the integral images of windows, a column each, are the features' values.

    A corner that rectangles share is there once, so that two rectangles side by side need 6 numbers, and not 8.
    tilted: (F,), whose rectangles are turned by 45 degrees; None if none are.
    """
    if tilted is None:
        return _upright(rectangles, width, height)
    upright = np.where(tilted[:, None, None], 0, rectangles)
    return _upright(upright, width, height) + _tilted(rectangles - upright, width, height)


def _upright(rectangles: NDArray[Any], width: int, height: int) -> Corners:
    x, y, wide, high, weight = np.moveaxis(np.asarray(rectangles, np.float32), -1, 0)
    feature = np.broadcast_to(np.arange(len(x), dtype=np.int32)[:, None], x.shape)
    at = [(y, x, weight), (y, x + wide, -weight), (y + high, x, -weight), (y + high, x + wide, weight)]
    rows = np.concatenate([feature.ravel()] * 4)
    columns = np.concatenate([(down * (width + 1) + right).ravel() for down, right, _ in at]).astype(np.int32)
    counts = np.concatenate([count.ravel() for _, _, count in at])
    matrix = csr_array((counts, (rows, columns)), (len(x), (width + 1) * (height + 1)), dtype=np.float32)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _tilted(rectangles: NDArray[Any], width: int, height: int) -> Corners:
    """x, y: the topmost corner of each rectangle; its width goes down to the right from there, its height down to the
    left.

    Lienhart and Maydt take such a sum from four numbers of a second, tilted integral image. In pixels, though, a tilted
    rectangle is made of steps, and a sum over them takes some more corners of the integral image that is there already.
    """
    x, y, wide, high, weight = np.moveaxis(np.asarray(rectangles, np.float32)[..., None, None], 2, 0)
    down, right = np.mgrid[:height, :width]

    def above(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
        """1 in the pixels of the quarter of the plane whose lowest corner this is, and 0 in the others."""
        return (np.abs(right + 1 - x) < y - down).astype(np.float32)

    inside = (
        above(x, y) - above(x - high, y + high) - above(x + wide, y + wide) + above(x + wide - high, y + wide + high)
    )
    pixels = np.pad((weight * inside).sum(axis=1), ((0, 0), (1, 1), (1, 1)))
    return csr_array(np.diff(np.diff(pixels, axis=1), axis=2).reshape(len(pixels), -1))
