"""Finds of several looks at one photo as one: each face once."""

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import clip, covered, iou
from visavis.faces import Faces

Place = tuple[int, int, int, int]
"""x1 y1 x2 y2 of a piece of a photo, whole pixels."""
SAME, PART = 0.4, 0.7
"""Of two finds of different looks, the less sure goes from this IoU on, or with this share of it in the other."""
RIVAL = 0.5
"""A find of the same look with this share of the score may be the better one for a face."""


def merged(parts: list[Faces]) -> Faces:
    """All finds, highest score first, without those that are a surer one of another look once more, or a part of it.

    What one look found stays apart: its detector saw both, and took them for two. parts: the finds of each look.
    """
    faces, look = together(parts), _looks(parts)
    scores = np.asarray(faces.scores)
    overlaps, inside = iou(faces.boxes, faces.boxes), covered(faces.boxes, faces.boxes)
    kept: list[int] = []
    for number in range(len(faces)):
        others = np.array([one for one in kept if look[one] != look[number]], np.int64)
        # Where this look has another find that fits a face better, this one is a neighbour of that face.
        rivals = (look == look[number]) & (scores >= RIVAL * scores[number])
        best = overlaps[rivals][:, others].max(axis=0, initial=0)
        again = (overlaps[number, others] >= SAME) & (overlaps[number, others] >= best)
        if not (again | (inside[number, others] >= PART)).any():
            kept.append(number)
    return faces[np.array(kept, np.int64)]


def _looks(parts: list[Faces]) -> NDArray[np.int64]:
    """(N,) the number of the look that each find of `together` is from."""
    look = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    scores = np.concatenate([np.asarray(part.scores) for part in parts])
    return look[np.argsort(-scores, kind="stable")]


def together(parts: list[Faces]) -> Faces:
    """All finds, highest score first, with what all parts tell of theirs; one without any tells nothing."""
    parts = [part for part in parts if len(part)] or [Faces()]
    boxes = np.concatenate([part.boxes for part in parts])
    scores = np.concatenate([np.asarray(part.scores) for part in parts])
    several = [part.keypoints for part in parts if part.keypoints is not None]
    names = set.intersection(*(set(part.attributes) for part in parts))
    attributes = {name: np.concatenate([part.attributes[name] for part in parts]) for name in sorted(names)}
    faces = Faces(boxes, scores, np.concatenate(several) if len(several) == len(parts) else None, attributes)
    return faces[np.argsort(-scores, kind="stable")]


def placed(found: Faces, place: Place, size: tuple[int, int], near: float) -> tuple[Faces, NDArray[np.bool_]]:
    """Finds of a piece of a photo, which lies at `place`, in the photo's pixels, and (N,) which of them an inner edge
    may cut: those that come so near. size: height and width of the photo."""
    x1, y1, x2, y2 = place
    inner = np.array([x1 > 0, y1 > 0, x2 < size[1], y2 < size[0]])
    apart = np.abs(found.boxes - np.array([0, 0, x2 - x1, y2 - y1], np.float32))
    moved = clip(found.boxes + np.array([x1, y1, x1, y1], np.float32), size)
    points = None if found.keypoints is None else found.keypoints + np.array([x1, y1], np.float32)
    return Faces(moved, found.scores, points, found.attributes), np.asarray(((apart < near) & inner).any(axis=1))
