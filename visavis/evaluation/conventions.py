"""Conventions of framing: how the boxes of one detector or labeller differ from another's around the same faces.

A label may reach from hairline to chin and a detection from brow to chin. The difference is estimated from the data
itself (`estimate`), and detections are moved to the labels' convention before the two are compared.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, area, as_boxes
from visavis.messages import counted

MATCHES = 20
"""With fewer clear pairs than this there is no estimate, and detections are not moved."""


@dataclass(frozen=True)
class Shift:
    """The way from one convention to another: how far the centre moves, in widths and heights of the box, and by which
    factors the sides grow. matches: the number of pairs that it was estimated from."""

    right: float = 0.0
    down: float = 0.0
    wider: float = 1.0
    taller: float = 1.0
    matches: int = 0

    def move(self, boxes: Boxes) -> Boxes:
        """(N, 4) boxes by the one convention -> (N, 4) by the other."""
        sides = boxes[:, 2:] - boxes[:, :2]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + sides * np.array([self.right, self.down], np.float32)
        half = sides * np.array([self.wider, self.taller], np.float32) / 2
        return as_boxes(np.hstack([centres - half, centres + half]))

    def __str__(self) -> str:
        if self.matches < MATCHES:
            return (
                f"no estimate from {counted(self.matches, 'confident detection')} at labels ({MATCHES} are needed); "
                "detections are compared as they are"
            )
        return (
            f"from {counted(self.matches, 'confident detection')} at labels: centre {self.right:+.1%} right, "
            f"{self.down:+.1%} down, {self.wider:.2f} times as wide, {self.taller:.2f} times as tall"
        )


def estimate(pairs: Iterable[tuple[Boxes, Boxes]]) -> Shift:
    """The shift from detections to labels. pairs: of each photo, its confident detections (N, 4) and labels (M, 4).

    Only photos with one of each that meet count, because there the pair is clear. Medians make single wrong pairs
    harmless. With fewer than `MATCHES` pairs the shift changes nothing.
    """
    clear = array("f")  # not a list: there may be millions of pairs
    for finds, labels in pairs:
        if len(finds) == len(labels) == 1 and meets(finds, labels[0])[0]:
            clear.extend((*finds[0].tolist(), *labels[0].tolist()))
    matches = len(clear) // 8
    if matches < MATCHES:
        return Shift(matches=matches)
    found, label = np.split(np.asarray(clear).reshape(-1, 8), 2, axis=1)
    sides, label_sides = found[:, 2:] - found[:, :2], label[:, 2:] - label[:, :2]
    apart = (label[:, :2] + label[:, 2:] - found[:, :2] - found[:, 2:]) / 2
    right, down = np.median(apart / sides, axis=0)
    wider, taller = np.median(label_sides / sides, axis=0)
    return Shift(float(right), float(down), float(wider), float(taller), matches)


def meets(found: Boxes, label: Sequence[float] | NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each of (N, 4) detections is of the label's face, by whatever convention: (N,) bool.

    The centre of each must lie in the other, and neither may have more than nine times the other's area.
    """
    box = as_boxes(np.asarray(label)[None])
    ratio = np.maximum(area(found), 1e-6) / np.maximum(area(box), 1e-6)
    return np.asarray(_centre_in(found, box) & _centre_in(box, found) & (ratio < 9) & (ratio > 1 / 9))


def _centre_in(boxes: Boxes, other: Boxes) -> NDArray[np.bool_]:
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.asarray(((centres > other[:, :2]) & (centres < other[:, 2:])).all(axis=1))
