"""Runs a finder on one photo, at a size no larger than it needs for the face that the label names.

HOG's time is proportional to the pixels, and face_recognition gives it four times those of the photo. A label says how
large the face is: the whole photo is searched just large enough for that, and then the surroundings of a missed label
larger.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from clean.faceless import VISIBLE, visible
from clean.finders import FACE, Finder
from visavis import images
from visavis.boxes import Boxes, as_boxes, grow, scale
from visavis.evaluation import conventions
from visavis.images import Picture

CLOSER = 1.0
"""The sixth value of a row from a closer look, which was taken because of a label."""


def enough(labels: Boxes, asked: Sequence[Finder], shortest: int) -> Callable[[int, int], int]:
    """For `images.decode_reduced`: a function that gives the pixels of the shorter side that inspections need.

    labels: (M, 4), pixels of the photo. shortest: pixels of the shorter side that other steps need.
    """

    def pixels(height: int, width: int) -> int:
        shares = [shortest / min(height, width)]
        for finder in asked:
            shares.append(
                finder.scale((height, width), labels) if finder.scale else finder.longest / max(height, width)
            )
        if asked and len(labels):
            shares.append(FACE / float((labels[:, 3] - labels[:, 1]).min()))
        return math.ceil(max(shares) * min(height, width))

    return pixels


def find(picture: Picture, size: tuple[int, int], labels: Boxes, finder: Finder) -> list[list[float]]:
    """The finder's faces, rows of x1 y1 x2 y2 score. A label (M, 4) where it found none gets a closer look, whose rows
    have `CLOSER` as their sixth value. size: the photo's (height, width), in whose pixels labels and rows are; the
    picture may be smaller."""
    reduced = picture.shape[0] / size[0], picture.shape[1] / size[1]
    labels = scale(as_boxes([label for label in labels if visible(label, size) >= VISIBLE]), reduced)
    factor = finder.scale(picture.shape[:2], labels) if finder.scale else 1.0
    faces = finder.detector.detect([_times(images.grey(picture) if finder.grey else picture, factor)])[0]
    boxes, scores = [scale(faces.boxes, 1 / factor)], [np.asarray(faces.scores)]
    sure_enough = boxes[0][scores[0] >= finder.at_label]
    for label in labels:
        if not conventions.meets(sure_enough, label).any():
            closer = _closer_look(picture, label, finder)
            boxes.append(closer[0])
            scores.append(closer[1])
    corners = scale(np.concatenate(boxes), (1 / reduced[0], 1 / reduced[1]))
    rows = np.concatenate([corners, np.concatenate(scores)[:, None]], axis=1)
    found = [[round(value, 4) for value in row] for row in rows.tolist()]
    return [*found[: len(faces)], *([*row, CLOSER] for row in found[len(faces) :])]


def _closer_look(picture: Picture, label: np.ndarray, finder: Finder) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) and scores (N,) of detections that meet the label, in the picture's pixels."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = np.round(grow(label[None], 0.4)[0]).astype(int)
    x1, y1, x2, y2 = max(0, x1), max(0, y1), min(width, x2), min(height, y2)
    factor = finder.closer / float(label[3] - label[1])
    part = _times(picture[y1:y2, x1:x2], factor)
    across, down = (x2 - x1) / part.shape[1], (y2 - y1) / part.shape[0]
    faces = finder.detector.detect([part])[0].above(finder.at_label)
    found = scale(faces.boxes, (down, across)) + np.array([x1, y1] * 2, np.float32)
    meeting = conventions.meets(found, label)
    return found[meeting], np.asarray(faces.scores)[meeting]


def _times(picture: Picture, factor: float) -> Picture:
    height, width = picture.shape[:2]
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return picture if size == (height, width) else images.resize(picture, size)
