"""Boxes between two looks at a video: who is who, where they are in between, and where they may be.

Nothing here knows frames or files: boxes (N, 4) float32 in, boxes out.
"""

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes

REACH = 3.0
"""Faces of two looks may be one that moved by so many times the longer side of its box."""


def pairs(before: Boxes, after: Boxes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices into both of the boxes that are taken for one face: the pairing with the least movement in all.

    Movement is counted in sides of the larger box (Kuhn and Munkres' assignment; no pair beyond `REACH`).
    """
    from scipy.optimize import linear_sum_assignment

    middles = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (before, after)]
    sides = [np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1) for boxes in (before, after)]
    away = np.linalg.norm(middles[0][:, None] - middles[1][None], axis=2) / np.maximum(sides[0][:, None], sides[1])
    first, second = linear_sum_assignment(np.minimum(away, 2 * REACH))
    near = away[first, second] <= REACH
    return first[near], second[near]


def between(before: Boxes, after: Boxes, share: float) -> Boxes:
    """Where the faces of `before` are when `share` (0 to 1) of the way to `after` is done; in a straight line."""
    moved = before.copy()
    first, second = pairs(before, after)
    moved[first] += (after[second] - before[first]) * np.float32(share)
    return moved


def spanned(before: Boxes, after: Boxes) -> Boxes:
    """Boxes that hold every face wherever it may be between two looks.

    A face of both: the smallest box around its two. A face of one alone: its box, for it may have been missed in the
    other, or have come or gone at any time between them.
    """
    first, second = pairs(before, after)
    hulls = np.hstack(
        [np.minimum(before[first, :2], after[second, :2]), np.maximum(before[first, 2:], after[second, 2:])]
    )
    alone = np.delete(before, first, axis=0), np.delete(after, second, axis=0)
    return as_boxes(np.concatenate([hulls, *alone]))
