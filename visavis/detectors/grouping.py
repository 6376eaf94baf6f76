"""One face of the many windows around it (Viola and Jones 2004, section 5.6), and how strong they are together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes, covered, iou

SAME = 0.3
"""Windows whose IoU with the best one is at least this are of the same face."""
INSIDE = 0.7
"""A face of which this share lies in a better one, or the other way round, is a part of it, or taken for it twice."""


def grouped(boxes: Boxes, strengths: NDArray[np.floating[Any]]) -> tuple[Boxes, NDArray[np.float32]]:
    """(F, 4) one box a face, the mean of its windows by their strengths, and (F,) the sum of these; the strongest
    face first.

    boxes: (W, 4). strengths: (W,), above 0, how sure the detector is of each window. The strongest window takes all
    windows that overlap it enough, then the strongest that is left does, and so on.
    """
    left = np.argsort(-strengths, kind="stable")
    faces, sums = [], []
    while left.size:
        own = iou(boxes[left[:1]], boxes[left])[0] >= SAME
        own[0] = True  # even if it has no area
        members, left = left[own], left[~own]
        weights = strengths[members]
        faces.append((boxes[members] * weights[:, None]).sum(axis=0) / weights.sum())
        sums.append(weights.sum())
    found, strong = as_boxes(faces), np.array(sums, np.float32)
    order = np.argsort(-strong, kind="stable")
    found, strong = found[order], strong[order]
    kept: list[int] = []
    for face in range(len(found)):
        one, better = found[[face]], found[kept]
        if not (np.maximum(covered(one, better), covered(better, one).T) >= INSIDE).any():
            kept.append(face)
    return found[kept], strong[kept]
