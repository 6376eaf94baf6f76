"""Where windows lie over a picture, and what is in them.

For each size of window a picture is scaled once, so that such a window is a square of `SIDE` pixels there. All windows
of the size are then views of that one array: nothing is cut or copied, and training and use see the same pixels.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from visavis.boxes import Boxes
from visavis.errors import InputError
from visavis.images import Picture, resize

SIDE = 32
"""Pixels of the square that a window is scaled to."""

Size = tuple[int, int]  # height, width in pixels


@dataclass(frozen=True)
class Layer:
    """All windows of one size over a picture.

    size: (height, width) of the picture. scaled: the same of the picture in which a window is a square of `SIDE`
    pixels. step: pixels from one window to the next there; the last ones end at the picture's edges.
    """

    size: Size
    scaled: Size
    step: int

    @property
    def shape(self) -> Size:
        """How many windows lie below each other, and how many side by side."""
        rows, columns = (1 + (length - SIDE) // self.step for length in self.scaled)
        return rows, columns

    def edges(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(rows, 2) upper and lower edges, and (columns, 2) left and right ones, in the picture's pixels."""
        found = []
        for count, own, scaled in zip(self.shape, self.size, self.scaled, strict=True):
            first = self.step * np.arange(count)
            found.append((np.stack([first, first + SIDE], axis=1) * own / scaled).astype(np.float32))
        return found[0], found[1]

    def boxes(self) -> Boxes:
        """(rows * columns, 4): the windows, row by row, in the picture's pixels."""
        down, across = self.edges()
        rows, columns = self.shape
        return np.stack([
            np.tile(across[:, 0], rows), np.repeat(down[:, 0], columns),
            np.tile(across[:, 1], rows), np.repeat(down[:, 1], columns),
        ], axis=1)  # fmt: skip

    def views(self, picture: Picture) -> NDArray[np.uint8]:
        """(rows, columns, SIDE, SIDE, 3): what is in each window; views of one scaled picture."""
        every = sliding_window_view(resize(picture, self.scaled), (SIDE, SIDE), axis=(0, 1))
        return every[:: self.step, :: self.step].transpose(0, 1, 3, 4, 2)


def layers(size: Size, sizes: Sequence[Size], step: int) -> list[Layer]:
    """The windows over a picture of `size`, a layer for each of `sizes` that fits into it.

    A window's height and width give way by up to half a step, so that a whole number of steps leads from edge to edge.
    """
    found = []
    for window in sizes:
        steps = [round((length * SIDE / own - SIDE) / step) for length, own in zip(size, window, strict=True)]
        if min(steps) >= 0:
            found.append(Layer(size, (SIDE + step * steps[0], SIDE + step * steps[1]), step))
    return found


def step_of(stride: float) -> int:
    """How many pixels of `SIDE` a stride is. stride: percent of the window's height and width."""
    return max(1, round(SIDE * stride / 100))


def sizes_of(text: str) -> list[Size]:
    """`100x85,200x100` as heights and widths in pixels. Raises InputError."""
    found = []
    for part in text.split(","):
        numbers = re.fullmatch(r"(\d+)x(\d+)", part.strip())
        if numbers is None or not all(map(int, numbers.groups())):
            raise InputError(f"`sizes` {text}: {part!r} is no HEIGHTxWIDTH in pixels, such as 100x85")
        found.append((int(numbers[1]), int(numbers[2])))
    return found


def strides_of(text: str) -> list[float]:
    """`30,35,40` as numbers, percent. Raises InputError."""
    found = []
    for part in text.split(","):
        if not re.fullmatch(r"\s*\d+(\.\d+)?\s*", part) or not 1 <= float(part) <= 100:
            raise InputError(f"`strides` {text}: {part!r} is no percentage from 1 to 100, such as 30")
        found.append(float(part))
    return found


def text_of(sizes: Sequence[Size]) -> str:
    """The other way."""
    return ",".join(f"{height}x{width}" for height, width in sizes)
