"""How good finds are, measured against labels: matching, precision and recall, AP, the best threshold.

The way is `judge` (photos to one ranked list), then any of the figures; `score` does it all. A find on
an `ignore` box, where nobody knows whether there is a face, is neither right nor wrong.
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
"""What `match` gives a find without a truth: a false one, and one on an ignored region."""

COVERED = 0.5
"""A find without a truth is on an ignored region where this share of its own area lies in it."""

IOUS = tuple(step / 100 for step in range(50, 100, 5))
"""The overlaps that COCO's AP is the mean over."""

FEW = 100
"""Faces: fewer than that are too few to choose a threshold by, or to tell much about a detector. With 100 faces, one
that is found or missed by chance moves recall by a hundredth."""

ANY_SIZE = (0.0, inf)
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, inf)}
"""COCO's sizes: least and greatest area of a box, in square pixels of the photo."""


@dataclass(frozen=True)
class Judged:
    """The finds of all photos but those that count as neither, surest first.

    scores: (K,) float32, falling. right: (K,) bool. photo, find: (K,) where each one is from.
    truths, photos: how many there are.
    """

    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    photo: NDArray[np.int64]
    find: NDArray[np.int64]
    truths: int
    photos: int


@dataclass(frozen=True)
class Curve:
    """Precision, recall and F1 at each threshold that makes a difference, all (T,), thresholds falling."""

    thresholds: NDArray[np.float32]
    right: NDArray[np.int64]
    false: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """The figures of one detector on one set of photos; in 0..1, NaN where there is no face to find."""

    ap: float
    """Mean of the average precision at IoU 0.50, 0.55 .. 0.95 (COCO's AP)."""
    ap50: float
    ap75: float
    ap_small: float
    """AP of the faces of that size (`SIZES`), where the others, and finds as large as they are, count as neither."""
    ap_medium: float
    ap_large: float
    best_f1: float
    """Highest F1 over all thresholds, IoU 0.5."""
    best_threshold: float
    best_f2: float
    """The same for F2, which recall counts for twice as much in, and its threshold."""
    best_f2_threshold: float
    recall_at_tenth: float
    """Recall at one false find in ten photos, IoU 0.5."""
    recall_at_one: float
    """Recall at one false find a photo, IoU 0.5."""
    photos: int
    faces: int


def match(
    truth: Faces,
    found: Faces,
    iou: float = 0.5,
    ignore: Boxes | None = None,
    size: tuple[float, float] = ANY_SIZE,
) -> NDArray[np.int64]:
    """(N,) for each find the index of the truth that it takes, or `FALSE`, or `NEITHER`.

    The surest find chooses first, the truth that it overlaps most among those still free. ignore: (M, 4).
    size: the areas that count. A find that is left over and takes a truth of another size, or has another
    size itself, is neither (as in COCO's evaluation).
    """
    assert found.scores is not None
    asked = _within(truth.boxes, size)
    numbers = np.append(np.flatnonzero(asked), FALSE)  # of the truths asked for; the last is for no match
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
    """Match each photo's finds with its labels and rank them all. One entry a photo in each sequence.

    size: as for `match`; the truths that are counted are those of that size.

    Raises ValueError where the sequences differ in length.
    """
    ignore = [boxes.as_boxes([])] * len(truth) if ignore is None else ignore
    if not len(truth) == len(found) == len(ignore):
        raise ValueError(f"labels of {len(truth)} photos, finds of {len(found)}, ignored regions of {len(ignore)}")
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
    highest precision at that recall or a higher one. 0 without a find, NaN without a truth.
    """
    if judged.truths == 0:
        return nan
    right = np.cumsum(judged.right)
    precision = right / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / judged.truths, np.linspace(0, 1, 101))
    return float(np.append(precision, 0.0)[at].mean())


def curve(judged: Judged) -> Curve:
    """Precision, recall and F1 over all thresholds. Finds of equal score come in together.

    Empty without finds; recall and F1 are NaN without a truth.
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
    """The threshold with the highest F-score, and that score; beta: how much more recall counts than precision.

    It lies halfway down to the next lower score, since new photos have other scores than these.
    Without a right find there is nothing to choose by: (0.5, 0.0), or (0.5, NaN) without a truth.
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
    """The highest recall with at most that many false finds a photo on average; NaN without a truth."""
    if judged.truths == 0:
        return nan
    over = curve(judged)
    allowed = over.right[over.false <= false_per_photo * judged.photos]
    return float(allowed.max(initial=0) / judged.truths)


def at_threshold(judged: Judged, threshold: float) -> tuple[float, float, float]:
    """Precision, recall and F1 of the finds with at least this score; NaN where there is nothing to divide by."""
    right = judged.right[judged.scores >= threshold]
    wrong_or_right, correct = len(right), int(right.sum())
    return (
        correct / wrong_or_right if wrong_or_right else nan,
        correct / judged.truths if judged.truths else nan,
        2 * correct / (wrong_or_right + judged.truths) if judged.truths else nan,
    )


def doubtful(judged: Judged, threshold: float) -> int:
    """How many of the false finds from this score on are surer than half of the right ones.

    A detector is rarely so sure of what is no face: many of these are faces that nobody labelled. 0 without a right
    find.
    """
    if not judged.right.any():
        return 0
    middle = float(np.median(judged.scores[judged.right]))
    return int((~judged.right & (judged.scores >= threshold) & (judged.scores > middle)).sum())


def score(truth: Sequence[Faces], found: Sequence[Faces], ignore: Sequence[Boxes] | None = None) -> Scores:
    """All the figures. For a fair AP the finds go down to a low score (0.05 or less)."""
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
    """NaN as None: JSON has no NaN."""
    return None if isnan(value) else value
