"""Brings the detections of several looks at one photo, resized or in parts, into its own pixels, and merges them: each
face is then there once."""

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import clip, covered, iou, scale
from visavis.faces import Faces
from visavis.images import Picture

Place = tuple[int, int, int, int]
"""x1 y1 x2 y2 of a piece of a photo, in whole pixels."""
SAME, PART = 0.4, 0.7
"""Of two detections of different looks, the one with the lower score is dropped if their IoU, or the share of it that
lies in the other, is at least this."""
RIVAL = 0.5
"""Another detection of the same look may fit a face better if it has at least this share of the score."""


def merged(parts: list[Faces]) -> Faces:
    """All detections, highest score first, without those that repeat one of another look with a higher score, or a part
    of it.

    Two detections of the same look are never merged: its detector saw both, and took them for two faces. parts: the
    detections of each look.
    """
    faces, look = together(parts), _looks(parts)
    scores = np.asarray(faces.scores)
    kept = np.zeros(len(faces), bool)
    for number in range(len(faces)):  # a row at a time: crowds in pieces have thousands
        own, others = faces.boxes[number : number + 1], faces.boxes[kept & (look != look[number])]
        overlaps = iou(own, others)[0]
        again = overlaps >= SAME
        if again.any():  # if another detection of the same look fits a face better, this one is of a neighbouring face
            rivals = faces.boxes[(look == look[number]) & (scores >= RIVAL * scores[number])]
            again = overlaps[again] >= iou(rivals, others[again]).max(axis=0)
        kept[number] = not (again.any() or (covered(own, others) >= PART).any())
    return faces[kept]


def _looks(parts: list[Faces]) -> NDArray[np.int64]:
    """(N,) the number of the look from which each detection of `together` is."""
    look = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    scores = np.concatenate([np.asarray(part.scores) for part in parts])
    return look[np.argsort(-scores, kind="stable")]


def together(parts: list[Faces]) -> Faces:
    """All detections, highest score first, with the attributes that all parts have; parts without a face do not
    count."""
    parts = [part for part in parts if len(part)] or [Faces()]
    boxes = np.concatenate([part.boxes for part in parts])
    scores = np.concatenate([np.asarray(part.scores) for part in parts])
    several = [part.keypoints for part in parts if part.keypoints is not None]
    names = set.intersection(*(set(part.attributes) for part in parts))
    attributes = {name: np.concatenate([part.attributes[name] for part in parts]) for name in sorted(names)}
    faces = Faces(boxes, scores, np.concatenate(several) if len(several) == len(parts) else None, attributes)
    return faces[np.argsort(-scores, kind="stable")]


def rescaled(found: Faces, seen: Picture, image: Picture) -> Faces:
    """The boxes and scores of what was found in `seen`, in the pixels of `image`, of which that is a resized copy."""
    if seen is image:
        return found
    (height, width), (down, across) = image.shape[:2], seen.shape[:2]
    return Faces(clip(scale(found.boxes, (height / down, width / across)), (height, width)), found.scores)


def placed(found: Faces, place: Place, size: tuple[int, int], near: float) -> tuple[Faces, NDArray[np.bool_]]:
    """The detections of the piece of a photo at `place`, in the photo's pixels, and (N,) which of them an inner edge
    may cut: those that are nearer to it than `near` pixels. size: height and width of the photo."""
    x1, y1, x2, y2 = place
    inner = np.array([x1 > 0, y1 > 0, x2 < size[1], y2 < size[0]])
    apart = np.abs(found.boxes - np.array([0, 0, x2 - x1, y2 - y1], np.float32))
    moved = clip(found.boxes + np.array([x1, y1, x1, y1], np.float32), size)
    points = None if found.keypoints is None else found.keypoints + np.array([x1, y1], np.float32)
    return Faces(moved, found.scores, points, found.attributes), np.asarray(((apart < near) & inner).any(axis=1))
