"""Detections scored against labels: matching, precision and recall, AP, the best threshold.

`judge` turns photos into one ranked list, from which each figure is computed; `score` computes them all. A detection
on an `ignore` box, where nobody knows whether there is a face, counts as neither right nor wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, nan

import numpy as np
from numpy.typing import NDArray

from visavis import boxes
from visavis.boxes import Boxes
from visavis.faces import Faces

FALSE, NEITHER = -1, -2
"""What `match` gives a detection without a label: `FALSE`, or `NEITHER` where it lies on an ignored region."""

COVERED = 0.5
"""A detection without a label lies on an ignored region if at least this share of its own area does."""

IOUS = tuple(step / 100 for step in range(50, 100, 5))
"""The IoU thresholds over which COCO averages AP."""

FEW = 100
"""Fewer faces than this are too few to choose a threshold from, and say little about a detector. With 100 faces, one
that is found or missed by chance changes recall by 0.01."""

ANY_SIZE = (0.0, inf)
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, inf)}
"""COCO's size ranges: smallest and largest area of a box, in square pixels of the photo."""


@dataclass(frozen=True)
class Judged:
    """The detections of all photos, highest score first, without those that count as neither right nor wrong.

    scores: (K,) float32. right: (K,) bool. photo, find: (K,) index of each one's photo, and its index in that photo.
    truths, photos: the number of labelled faces and of photos.
    """

    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    photo: NDArray[np.int64]
    find: NDArray[np.int64]
    truths: int
    photos: int


@dataclass(frozen=True)
class Curve:
    """Precision, recall and F1 at each distinct threshold, all (T,), highest threshold first."""

    thresholds: NDArray[np.float32]
    right: NDArray[np.int64]
    false: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """The figures of one detector on one set of photos, from 0 to 1; NaN if there is no face to find."""

    ap: float
    """Mean of the average precision at IoU 0.50, 0.55 .. 0.95 (COCO's AP)."""
    ap50: float
    ap75: float
    ap_small: float
    """AP of the faces of that size (`SIZES`); faces and detections of other sizes count as neither right nor wrong."""
    ap_medium: float
    ap_large: float
    best_f1: float
    """Highest F1 over all thresholds, IoU 0.5."""
    best_threshold: float
    best_f2: float
    """The same for F2, in which recall counts twice as much as precision."""
    best_f2_threshold: float
    recall_at_tenth: float
    """Recall at one false positive in ten photos, IoU 0.5."""
    recall_at_one: float
    """Recall at one false positive per photo, IoU 0.5."""
    photos: int
    faces: int


def match(
    truth: Faces,
    found: Faces,
    iou: float = 0.5,
    ignore: Boxes | None = None,
    size: tuple[float, float] = ANY_SIZE,
) -> NDArray[np.int64]:
    """(N,) for each detection the index of the label that it matches, or `FALSE`, or `NEITHER`.

    By falling score, each detection takes the label that it overlaps most among those still free. ignore: (M, 4).
    size: the range of areas that count. A detection without a match that overlaps a label of another size, or has
    another size itself, is `NEITHER` (as in COCO's evaluation).
    """
    assert found.scores is not None
    asked = _within(truth.boxes, size)
    numbers = np.append(np.flatnonzero(asked), FALSE)  # the last is for no match
    matches = numbers[boxes.match(found.scores, boxes.iou(found.boxes, truth.boxes[asked]), iou)]
    left = np.flatnonzero(matches == FALSE)
    others = boxes.match(found.scores[left], boxes.iou(found.boxes[left], truth.boxes[~asked]), iou)
    matches[left[(others >= 0) | ~_within(found.boxes[left], size)]] = NEITHER
    if ignore is not None and len(ignore):
        on_ignored = (boxes.covered(found.boxes, ignore) >= COVERED).any(axis=1)
        matches[(matches == FALSE) & on_ignored] = NEITHER
    return matches


def _within(some: Boxes, size: tuple[float, float]) -> NDArray[np.bool_]:
    areas = boxes.area(some)
    return (areas >= size[0]) & (areas <= size[1])


def judge(
    truth: Sequence[Faces],
    found: Sequence[Faces],
    iou: float = 0.5,
    ignore: Sequence[Boxes] | None = None,
    size: tuple[float, float] = ANY_SIZE,
) -> Judged:
    """Match each photo's detections with its labels and rank them all. Each sequence has one entry per photo.

    size: as for `match`; only labels of that size are counted.

    Raises ValueError if the sequences differ in length.
    """
    ignore = [boxes.as_boxes([])] * len(truth) if ignore is None else ignore
    if not len(truth) == len(found) == len(ignore):
        raise ValueError(
            f"truth, found and ignore need one entry per photo, and have {len(truth)}, {len(found)} and {len(ignore)}"
        )
    matches = [match(labels, finds, iou, left, size) for labels, finds, left in zip(truth, found, ignore, strict=True)]
    scores = np.concatenate([np.zeros(0, np.float32), *(np.asarray(faces.scores) for faces in found)])
    verdicts = np.concatenate([np.zeros(0, np.int64), *matches])
    photo = np.repeat(np.arange(len(found)), [len(faces) for faces in found])
    find = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(faces)) for faces in found)])
    order = np.argsort(-scores, kind="stable")
    order = order[verdicts[order] != NEITHER]
    truths = sum(int(_within(labels.boxes, size).sum()) for labels in truth)
    return Judged(scores[order], verdicts[order] >= 0, photo[order], find[order], truths, len(truth))


def average_precision(judged: Judged) -> float:
    """Area under the precision-recall curve, by COCO's rule: the mean, at recall 0, 0.01 .. 1, of the
    highest precision at that recall or a higher one. 0 without a detection, NaN without a label.
    """
    if judged.truths == 0:
        return nan
    right = np.cumsum(judged.right)
    precision = right / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / judged.truths, np.linspace(0, 1, 101))
    return float(np.append(precision, 0.0)[at].mean())


def curve(judged: Judged) -> Curve:
    """Precision, recall and F1 over all thresholds. Detections of equal score are taken together.

    Empty without detections; recall and F1 are NaN without a label.
    """
    last = np.flatnonzero(np.diff(judged.scores, append=np.float32(-np.inf)))
    right = np.cumsum(judged.right)[last].astype(np.int64)
    kept = last + 1
    unknown = np.full(len(last), nan)
    return Curve(
        thresholds=judged.scores[last],
        right=right,
        false=kept - right,
        precision=right / kept,
        recall=right / judged.truths if judged.truths else unknown,
        f1=2 * right / (kept + judged.truths) if judged.truths else unknown,
    )


def best_threshold(judged: Judged, beta: float = 1.0) -> tuple[float, float]:
    """The threshold with the highest F-score, and that score. beta: how much more recall counts than precision.

    The threshold lies halfway between two scores, because new photos have other scores than these.
    Without a true positive there is nothing to choose from: (0.5, 0.0), or (0.5, NaN) without a label.
    """
    over = curve(judged)
    if not judged.right.any():
        return 0.5, 0.0 if judged.truths else nan
    scores = (1 + beta**2) * over.right / (beta**2 * judged.truths + over.right + over.false)  # van Rijsbergen 1979
    best = int(scores.argmax())
    lowest = over.thresholds[best]
    below = over.thresholds[best + 1] if best + 1 < len(over.thresholds) else lowest
    middle = (lowest + below) / np.float32(2)
    return float(middle if middle > below else lowest), float(scores[best])


def recall_at(judged: Judged, false_per_photo: float) -> float:
    """The highest recall with at most that many false positives per photo on average; NaN without a label."""
    return recall_with(judged, false_per_photo * judged.photos)


def recall_with(judged: Judged, false: float) -> float:
    """The highest recall with at most that many false positives in all photos together; NaN without a label."""
    if judged.truths == 0:
        return nan
    over = curve(judged)
    allowed = over.right[over.false <= false]
    return float(allowed.max(initial=0) / judged.truths)


def at_threshold(judged: Judged, threshold: float) -> tuple[float, float, float]:
    """Precision, recall and F1 of the detections with at least this score; NaN instead of a division by zero."""
    right = judged.right[judged.scores >= threshold]
    wrong_or_right, correct = len(right), int(right.sum())
    return (
        correct / wrong_or_right if wrong_or_right else nan,
        correct / judged.truths if judged.truths else nan,
        2 * correct / (wrong_or_right + judged.truths) if judged.truths else nan,
    )


def doubtful(judged: Judged, threshold: float) -> int:
    """The number of false positives with at least this score that score higher than half of the true positives.

    A detector rarely gives such scores to what is not a face: many of these are faces that nobody labelled. 0 without
    a true positive.
    """
    if not judged.right.any():
        return 0
    middle = float(np.median(judged.scores[judged.right]))
    return int((~judged.right & (judged.scores >= threshold) & (judged.scores > middle)).sum())


def score(truth: Sequence[Faces], found: Sequence[Faces], ignore: Sequence[Boxes] | None = None) -> Scores:
    """All the figures. For a fair AP, `found` must reach down to a low score (0.05 or less)."""
    judged = {iou: judge(truth, found, iou, ignore) for iou in IOUS}
    precisions = {iou: average_precision(judged[iou]) for iou in IOUS}
    threshold, f1 = best_threshold(judged[0.5])
    f2_threshold, f2 = best_threshold(judged[0.5], beta=2.0)
    by_size = {
        name: float(np.mean([average_precision(judge(truth, found, iou, ignore, size)) for iou in IOUS]))
        for name, size in SIZES.items()
    }
    return Scores(
        ap=float(np.mean(list(precisions.values()))),
        ap50=precisions[0.5],
        ap75=precisions[0.75],
        ap_small=by_size["small"],
        ap_medium=by_size["medium"],
        ap_large=by_size["large"],
        best_f1=f1,
        best_threshold=threshold,
        best_f2=f2,
        best_f2_threshold=f2_threshold,
        recall_at_tenth=recall_at(judged[0.5], 0.1),
        recall_at_one=recall_at(judged[0.5], 1.0),
        photos=len(truth),
        faces=judged[0.5].truths,
    )


def or_none(value: float) -> float | None:
    """The value, or None for NaN, which JSON does not have."""
    return None if isnan(value) else value
