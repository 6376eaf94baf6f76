"""Boxes between two searched frames of a video: which are the same face, where it is in between, and where it may be.

Nothing here depends on frames or files: boxes (N, 4) float32 in, boxes out.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes
from visavis.faces import Faces

REACH = 3.0
"""A face may move between two searched frames by up to this many times the longer side of its box."""


def pairs(before: Boxes, after: Boxes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices into `before` and `after` of boxes that are taken for the same face: the pairing with the least total
    movement (the Hungarian algorithm of Kuhn and Munkres).

    Movement is measured in sides of the larger box; no pair moves by more than `REACH`.
    """
    from scipy.optimize import linear_sum_assignment

    middles = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (before, after)]
    sides = [np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1) for boxes in (before, after)]
    away = np.linalg.norm(middles[0][:, None] - middles[1][None], axis=2) / np.maximum(sides[0][:, None], sides[1])
    first, second = linear_sum_assignment(np.minimum(away, 2 * REACH))
    near = away[first, second] <= REACH
    return first[near], second[near]


def between(before: Boxes, after: Boxes, share: float) -> Boxes:
    """The boxes of `before`, moved by `share` (0 to 1) of the straight way to `after`."""
    moved = before.copy()
    first, second = pairs(before, after)
    moved[first] += (after[second] - before[first]) * np.float32(share)
    return moved


def carried(faces: Faces, boxes: Boxes) -> Faces:
    """The faces in other boxes, (N, 4); their keypoints move and grow with their box."""
    if faces.keypoints is None or not len(faces):
        return replace(faces, boxes=boxes)
    size, before = (np.maximum(one[:, 2:] - one[:, :2], 1e-3) for one in (boxes, faces.boxes))
    points = (faces.keypoints - faces.boxes[:, None, :2]) * (size / before)[:, None] + boxes[:, None, :2]
    return replace(faces, boxes=boxes, keypoints=points.astype(np.float32))


def spanned(before: Boxes, after: Boxes) -> Boxes:
    """Boxes that contain every face wherever it may be between two searched frames.

    For a face in both: the smallest box around its two. For a face in only one: its box, because it may have been
    missed in the other, or have come or gone at any time between them.
    """
    first, second = pairs(before, after)
    hulls = np.hstack(
        [np.minimum(before[first, :2], after[second, :2]), np.maximum(before[first, 2:], after[second, 2:])]
    )
    alone = np.delete(before, first, axis=0), np.delete(after, second, axis=0)
    return as_boxes(np.concatenate([hulls, *alone]))
