"""Many windows lie on each face: makes one detection of them, by their mean or by the best of them."""

import numpy as np

from visavis.boxes import as_boxes, iou, nms
from visavis.faces import Faces

SAME = 0.3
"""IoU from which on two windows are taken to lie on the same face."""


def by_mean(windows: Faces) -> Faces:
    """Groups of overlapping windows, each as its mean: box and score. Not yet scored again."""
    boxes, scores = windows.boxes, np.asarray(windows.scores)
    left = np.argsort(-scores, kind="stable")
    found, values = [], []
    while len(left):
        near = iou(boxes[left[:1]], boxes[left])[0] >= SAME
        near[0] = True
        group = left[near]
        found.append(np.average(boxes[group], axis=0, weights=scores[group]))
        values.append(scores[group].mean())
        left = left[~near]
    return Faces(as_boxes(found), np.array(values, np.float32))


def by_nms(windows: Faces) -> Faces:
    """The windows that no surer one overlaps."""
    return windows[nms(windows.boxes, np.asarray(windows.scores), SAME)]
