"""All windows of a picture through a cascade.

Faces of different sizes are found in one of two ways. The paper scales the features, which costs nothing, since a sum
over a large rectangle takes as long as one over a small rectangle (`scaled_features`). OpenCV shrinks the picture again
and again (shrinking.py).

What a coarse grid of windows has of a face is one or two, which may lie so far off that the last stages drop them. So
where a window is likely to show a face, others around it are looked at, too (`search`).

The first stages see every window, and take the few numbers that they need from the integral image in place. Windows
that are left after `EARLY` features, about one in a hundred, get a copy of the numbers at all their corners, and
together they go through the other stages.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes
from visavis.detectors.viola_jones.cascade import Cascade, Stage
from visavis.detectors.viola_jones.integral import Grey, integral, squares

EARLY = 100
"""A stage that has more features than this, with all stages before it, sees copies of windows."""
STEP, STRIDE = 1.25, 1.5
"""By what each size of windows is larger than the one before, and how many of their own pixels windows are apart."""
SIZES, PLACES = (STEP ** (-1 / 3), 1.0, STEP ** (1 / 3)), (-STRIDE / 2, 0.0, STRIDE / 2)
"""Where to look around a window: the sizes, in its own, and how far to the side, and up or down, in its pixels."""
LIKELY = 3 / 4
"""The share of the stages that a window must pass before others around it are looked at."""
AT_ONCE = 1 << 16
"""Windows that the first stages see together: what is known of them stays in the processor's cache."""
WAITING = 1 << 14
"""Copies of windows that wait for the other stages before these have their turn, each of 2.5 KB."""


@dataclass(frozen=True, eq=False)
class Layer:
    """The windows of one size in a picture.

    sums, squares: (height + 1, width + 1), integral images of the picture and of its squares. columns, rows: at which
    pixels of the picture, from the window's corner, its own pixels begin, and the last one ends: 0, 1 .. 24, or larger
    numbers where features are scaled. starts: (W,) index of each window's corner in `sums`, as one row of numbers.
    scale: what pixels of this picture are in pixels of the photo. size: width and height of a window in the photo.
    photo: width and height of that; a window that rounding moves over its edge ends there.
    """

    sums: NDArray[np.int32]
    squares: NDArray[np.int64]
    columns: NDArray[np.int64]
    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    scale: float
    size: tuple[int, int]
    photo: tuple[int, int]

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """How far each corner of a window's pixels is from the window's own corner in `sums`, as one row of numbers."""
        return (self.rows[:, None] * self.sums.shape[1] + self.columns).ravel()

    @cached_property
    def areas(self) -> NDArray[np.float64]:
        """How many pixels of the picture more (or less, because of rounding) are above and to the left of each corner
        than there should be."""
        exact = [np.linspace(0, lines[-1], len(lines)) for lines in (self.rows, self.columns)]
        return np.asarray(np.outer(self.rows, self.columns) - np.outer(*exact), np.float64).ravel()

    def boxes(self, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """(W, 4) x1 y1 x2 y2 of windows in pixels of the photo."""
        y, x = np.divmod(starts, self.sums.shape[1])
        corner = np.rint(np.stack([x, y], axis=1).astype(np.float32) * np.float32(self.scale))
        return np.hstack(
            [corner, np.minimum(corner + np.array(self.size, np.float32), np.array(self.photo, np.float32))]
        )


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of a picture that pass a cascade, or a part of it.

    boxes: (W, 4) float32, x1 y1 x2 y2 in pixels. integrals: (corners, W) float32, the integral image of each. norms:
    (W,) float32, by what to multiply the values of features. margins: (S, W) float32, by how much they passed each
    stage.
    """

    boxes: NDArray[np.float32]
    integrals: NDArray[np.float32]
    norms: NDArray[np.float32]
    margins: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: NDArray[Any]) -> "Windows":
        return Windows(self.boxes[index], self.integrals[:, index], self.norms[index], self.margins[:, index])


def scaled_features(
    cascade: Cascade, picture: Grey, step: float = STEP, stride: float = STRIDE, smallest: float = 1.0
) -> Iterator[Layer]:
    """Windows of one size after the other, each `step` times as large as the one before (section 5 of the paper).

    stride: how far windows are apart, in their own pixels. smallest: pixels of the picture in a pixel of the first
    window.
    """
    sums, squared = integral(picture), squares(picture)
    scale = smallest
    while True:
        columns, rows = (np.rint(np.arange(n + 1) * scale).astype(np.int64) for n in (cascade.width, cascade.height))
        if columns[-1] > picture.shape[1] or rows[-1] > picture.shape[0]:
            return
        starts = grid(sums, columns, rows, max(1, round(stride * scale))).ravel()
        yield Layer(sums, squared, columns, rows, starts, 1.0, (int(columns[-1]), int(rows[-1])), picture.shape[::-1])
        scale *= step


def grid(sums: NDArray[np.int32], columns: NDArray[np.int64], rows: NDArray[np.int64], apart: int) -> NDArray[np.int64]:
    """(down, across) the starts of all windows that lie in the picture, so many pixels apart."""
    height, width = sums.shape
    down, across = np.arange(0, height - rows[-1], apart), np.arange(0, width - columns[-1], apart)
    return down[:, None] * width + across


def around(cascade: Cascade, layer: Layer, boxes: Boxes) -> Iterator[Layer]:
    """Windows around some (N, 4), as `SIZES` and `PLACES` have it, of one size after the other; none twice. layer: any
    of the same picture, of `scaled_features`."""
    scales = np.maximum(1.0, np.outer((boxes[:, 2] - boxes[:, 0]) / cascade.width, SIZES))
    own = np.rint(scales[..., None] * [cascade.width, cascade.height]).astype(np.int64)
    moved = scales[..., None, None] * np.array(list(itertools.product(PLACES, PLACES)))
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    corners = np.rint(middles[:, None, None] - own[:, :, None] / 2 + moved).astype(np.int64)
    inside = ((corners >= 0) & (corners + own[:, :, None] <= layer.photo)).all(axis=3)
    for size in np.unique(own.reshape(-1, 2), axis=0):
        starts = np.unique(corners[inside & (own == size).all(axis=2)[..., None]] @ [1, layer.sums.shape[1]])
        columns, rows = (
            np.rint(np.linspace(0, end, count + 1)).astype(np.int64)
            for end, count in zip(size, (cascade.width, cascade.height), strict=True)
        )
        yield replace(layer, columns=columns, rows=rows, starts=starts, size=(int(size[0]), int(size[1])))


def search(cascade: Cascade, picture: Grey) -> Windows:
    """The windows that pass all stages, of a coarse grid and, where windows of it are likely, of a finer one."""
    first = replace(cascade, stages=cascade.stages[: math.ceil(LIKELY * len(cascade.stages))])
    layers = list(scaled_features(cascade, picture))
    likely = scan(first, layers).boxes
    return scan(cascade, around(cascade, layers[0], likely) if len(likely) else ())


def scan(cascade: Cascade, layers: Iterable[Layer]) -> Windows:
    """The windows that pass all stages."""
    early = 0
    while early < len(cascade.stages) and sum(map(len, cascade.stages[: early + 1])) <= EARLY:
        early += 1
    passed: list[Windows] = []
    waiting: list[Windows] = []
    for layer in layers:
        for begin in range(0, len(layer.starts), AT_ONCE):
            if sum(map(len, waiting)) > WAITING:
                passed.append(other_stages(cascade, together(cascade, waiting), early))
                waiting.clear()
            waiting.append(first_stages(cascade, layer, layer.starts[begin : begin + AT_ONCE], early))
    return together(cascade, [*passed, other_stages(cascade, together(cascade, waiting), early)])


def first_stages(cascade: Cascade, layer: Layer, starts: NDArray[np.int64], count: int) -> Windows:
    """Those of the windows that pass the first `count` stages."""
    starts, means, norms = contrasting(cascade, layer, starts)
    passed: list[NDArray[np.float32]] = []
    for stage in cascade.stages[:count]:
        margins = margins_in_place(stage, layer, starts, means, norms)
        kept = np.flatnonzero(margins >= 0)
        starts, means, norms = starts[kept], means[kept], norms[kept]
        passed = [before[kept] for before in [*passed, margins.astype(np.float32)]]
    numbers = layer.sums.ravel()[layer.offsets[:, None] + starts]
    corner = numbers.reshape(len(layer.rows), len(layer.columns), -1)
    own = corner - corner[:1] - corner[:, :1] + corner[:1, :1]  # sums from the window's corner on: exact in float32
    exact = own.reshape(numbers.shape).astype(np.float32)
    if layer.areas.any():
        exact -= layer.areas[:, None].astype(np.float32) * means
    margins = np.array(passed, np.float32).reshape(count, len(starts))
    return Windows(layer.boxes(starts), exact, norms, margins)


def other_stages(cascade: Cascade, windows: Windows, done: int) -> Windows:
    """Those of the windows that pass all stages; `done` of these they have passed."""
    for stage in cascade.stages[done:]:
        margins = stage.margins(windows.integrals, windows.norms)
        kept = np.flatnonzero(margins >= 0)
        passed = np.vstack([windows.margins[:, kept], margins[kept].astype(np.float32)])
        windows = Windows(windows.boxes[kept], windows.integrals[:, kept], windows.norms[kept], passed)
    return windows


def together(cascade: Cascade, parts: list[Windows]) -> Windows:
    """The windows of all parts, which have passed the same stages."""
    if not parts:
        corners = (cascade.width + 1) * (cascade.height + 1)
        return Windows(
            *(np.zeros(shape, np.float32) for shape in ((0, 4), (corners, 0), (0,), (len(cascade.stages), 0)))
        )
    return Windows(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.integrals for part in parts], axis=1),
        np.concatenate([part.norms for part in parts]),
        np.concatenate([part.margins for part in parts], axis=1),
    )


def contrasting(
    cascade: Cascade, layer: Layer, starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Those of the windows that have enough contrast, (W,), the mean of each, and 1 / (area * standard deviation), by
    which features are multiplied so that they do not depend on the light."""
    inset = cascade.inset
    top, left = layer.rows[inset], layer.columns[inset]
    bottom, right = layer.rows[-1 - inset], layer.columns[-1 - inset]
    area = float((bottom - top) * (right - left))
    line = layer.sums.shape[1]

    def inside(sums: NDArray[Any]) -> NDArray[np.float64]:
        flat = sums.ravel()
        a, b, c, d = (flat[y * line + x :].take(starts) for y in (top, bottom) for x in (left, right))
        return (d - b - c + a).astype(np.float64)

    total = inside(layer.sums)
    deviation = np.sqrt(np.maximum(area * inside(layer.squares) - total * total, 0))  # times the area
    kept = np.flatnonzero(deviation > cascade.contrast * area)
    return starts[kept], (total[kept] / area).astype(np.float32), (1 / deviation[kept]).astype(np.float32)


def margins_in_place(
    stage: Stage, layer: Layer, starts: NDArray[np.int64], means: NDArray[np.float32], norms: NDArray[np.float32]
) -> NDArray[np.float64]:
    """As Stage.margins, of windows in the integral image."""
    flat = layer.sums.ravel()
    below = np.empty((len(stage), len(starts)), np.bool_)
    uneven = stage.corners @ layer.areas
    for feature in range(len(stage)):
        part = slice(*stage.corners.indptr[feature : feature + 2])
        value = np.zeros(len(starts), np.int32)
        for corner, count in zip(stage.corners.indices[part], stage.corners.data[part], strict=True):
            value += flat[layer.offsets[corner] :].take(starts) * np.int32(count)
        exact = value.astype(np.float32)
        if uneven[feature]:
            exact -= means * np.float32(uneven[feature])
        below[feature] = exact * norms < stage.thresholds[feature]
    return stage.margins_of(below)
