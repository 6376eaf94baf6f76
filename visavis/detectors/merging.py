"""Finds of several looks at one photo as one: each face once."""

import numpy as np

from visavis.boxes import Boxes, covered, iou
from visavis.faces import Faces

SAME, PART = 0.4, 0.7
"""Of two finds, the less sure goes from this IoU on, or with this share of it in the other."""


def merged(parts: list[Faces]) -> Faces:
    """All finds, surest first, without those that are a surer one once more, or a part of it."""
    faces = together(parts)
    kept: list[int] = []
    for number in range(len(faces)):
        if not _repeats(faces.boxes[number : number + 1], faces.boxes[kept]):
            kept.append(number)
    return faces[np.array(kept, np.int64)]


def together(parts: list[Faces]) -> Faces:
    """All finds, surest first, with what all parts tell of theirs; one without any tells nothing."""
    parts = [part for part in parts if len(part)] or [Faces()]
    boxes = np.concatenate([part.boxes for part in parts])
    scores = np.concatenate([np.asarray(part.scores) for part in parts])
    several = [part.keypoints for part in parts if part.keypoints is not None]
    names = set.intersection(*(set(part.attributes) for part in parts))
    attributes = {name: np.concatenate([part.attributes[name] for part in parts]) for name in sorted(names)}
    faces = Faces(boxes, scores, np.concatenate(several) if len(several) == len(parts) else None, attributes)
    return faces[np.argsort(-scores, kind="stable")]


def _repeats(box: Boxes, surer: Boxes) -> bool:
    return bool((iou(box, surer) >= SAME).any() or (covered(box, surer) >= PART).any())
