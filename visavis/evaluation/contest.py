"""Several detectors on the same photos: what each found, and every figure about it.

Photos are parallel lists, with one entry per photo.
"""

from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from visavis import calibration, metrics
from visavis.boxes import Boxes
from visavis.calibration import Calibration
from visavis.detectors.protocol import Detector
from visavis.evaluation import bootstrap, conventions, memory
from visavis.faces import Faces
from visavis.metrics import Judged

LEAST = 6
"""With fewer photos, one of two equal detectors is better on all of them more often than once in 20 times (2 * 0.5 ** 5
is 0.06), which the bootstrap does not notice."""
WEIGHED = 4
"""A detector's memory is measured with this many photos, the largest ones."""


@dataclass
class Contestant:
    """A detector, and what it found in each photo that could be read."""

    name: str
    source: str
    """The name or the path that it was loaded from."""
    detector: Detector
    threshold: float
    calibration: Calibration = Calibration()
    """What the detector applies to its network's scores."""
    how: dict[str, Any] = field(default_factory=dict)
    """The options that `load_detector` was given."""
    found: list[Faces] = field(default_factory=list)
    aligned: list[Faces] = field(default_factory=list)
    """The same, with boxes moved to the convention of the labels; see `aligned`."""
    milliseconds: list[float] = field(default_factory=list)


@dataclass
class LabelledPhotos:
    """The photos that could be read, with their labels, as parallel lists; and those that could not be read."""

    ids: list[str] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    truth: list[Faces] = field(default_factory=list)
    ignore: list[Boxes] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """(height, width)"""
    unreadable: list[dict[str, str]] = field(default_factory=list)


def ranked(contestant: Contestant, labelled: LabelledPhotos) -> Judged:
    """What it found, matched with the labels at IoU 0.5, highest score first."""
    return metrics.judge(labelled.truth, contestant.found, 0.5, labelled.ignore)


def figures(contestant: Contestant, labelled: LabelledPhotos, false: tuple[int, ...] = ()) -> dict[str, Any]:
    """Every figure of one detector, ready for JSON (None for a figure that is not defined). false: numbers of false
    positives in all photos together; for each, `recall_with_N_false` is the recall there, boxes aligned."""
    scores = metrics.score(labelled.truth, contestant.found, labelled.ignore)
    judged = ranked(contestant, labelled)
    precision, recall, f1 = metrics.at_threshold(judged, contestant.threshold)
    values = asdict(scores) | {
        "threshold": contestant.threshold,
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }
    drawn = bootstrap.draw(judged, labelled.truth)
    same_boxes = metrics.judge(labelled.truth, contestant.aligned, 0.5, labelled.ignore)
    values["ap50_aligned"] = metrics.average_precision(same_boxes)
    values["best_f1_aligned"] = metrics.best_threshold(same_boxes)[1]
    values |= {f"recall_with_{count}_false": metrics.recall_with(same_boxes, count) for count in false}
    values |= calibrated(contestant, judged)
    known = {key: None if value is None else metrics.or_none(value) for key, value in values.items()}
    counted = judged.right[judged.scores >= contestant.threshold]
    intervals = {
        "ap50_interval": bootstrap.of_figure(drawn.ap, judged.truths),
        "best_f1_interval": bootstrap.of_figure(drawn.f1, judged.truths),
        "precision_interval": bootstrap.share(int(counted.sum()), len(counted)),
        "recall_interval": bootstrap.share(int(counted.sum()), judged.truths),
        "false_per_photo": int((~counted).sum()) / judged.photos if judged.photos else None,
    }
    over = calibration.reliability(judged.scores, judged.right)
    ranges = [
        {"finds": int(finds), "score": metrics.or_none(score), "right": metrics.or_none(right)}
        for finds, score, right in zip(over.finds, over.score, over.right, strict=True)
    ]
    return {"name": contestant.name} | known | intervals | {"reliability": ranges}


def cost(contestant: Contestant, labelled: LabelledPhotos, on: str, batch_size: int) -> dict[str, float | None]:
    """Time per photo in this process, and memory in a separate process, with the largest photos. on: the device."""
    largest = sorted(range(len(labelled.paths)), key=lambda number: -np.prod(labelled.sizes[number]))
    photos = [labelled.paths[number] for number in largest[: max(WEIGHED, batch_size)]]
    peak = memory.measure(contestant.source, on, contestant.detector.threshold, photos, batch_size, contestant.how)
    return times(contestant) | {
        "memory_mb": peak.resident,
        "memory_loaded_mb": peak.loaded,
        "cuda_mb": peak.cuda,
    }


def times(contestant: Contestant) -> dict[str, float]:
    """Milliseconds per photo."""
    return {
        "ms_median": float(np.median(contestant.milliseconds)),
        "ms_p95": float(np.percentile(contestant.milliseconds, 95)),
    }


def calibrated(contestant: Contestant, judged: Judged) -> dict[str, float | None]:
    """Expected calibration errors: of the scores, of only those from the threshold on (low scores are many), of the
    network's own scores before any calibration, and of these with the calibration that fits these photos, where each
    half of the photos uses the fit of the other half."""
    counted = judged.scores >= contestant.threshold
    raw = contestant.calibration.undo(judged.scores)
    whole = calibration.fit(raw, judged.right)
    fitted = calibration.fitted_elsewhere(raw, judged.right, judged.photo)
    return {
        "ece": calibration.reliability(judged.scores, judged.right).error,
        "ece_counted": calibration.reliability(judged.scores[counted], judged.right[counted]).error,
        "ece_raw": calibration.reliability(raw, judged.right).error,
        "ece_fitted": None if fitted is None else calibration.reliability(fitted, judged.right).error,
        "temperature": contestant.calibration.temperature,
        "shift": contestant.calibration.shift,
        "temperature_fitted": None if whole is None else whole.temperature,
        "shift_fitted": None if whole is None else whole.shift,
    }


def aligned(contestant: Contestant, labelled: LabelledPhotos) -> list[Faces]:
    """What was found, with boxes moved to the labels' convention, as estimated from the other half of the photos.

    Detectors frame a face by different conventions; this compares what they find, not how they frame it.
    """
    moved = list(contestant.found)
    for half in (0, 1):
        pairs = [
            (contestant.found[number].above(contestant.threshold).boxes, labelled.truth[number].boxes)
            for number in range(1 - half, len(moved), 2)
        ]
        shift = conventions.estimate(pairs)
        for number in range(half, len(moved), 2):
            faces = contestant.found[number]
            moved[number] = Faces(shift.move(faces.boxes), faces.scores)
    return moved


def differences(contestants: list[Contestant], labelled: LabelledPhotos) -> list[dict[str, Any]]:
    """For each pair of detectors, with aligned boxes: by how much the first is better, with its 95 % interval.

    Both get the same draws of photos, so what is hard for both cancels out. `known`: whether the interval excludes 0;
    if not, or with fewer than `LEAST` photos, neither is called better.
    """
    drawn = []
    for contestant in contestants:
        judged = metrics.judge(labelled.truth, contestant.aligned, 0.5, labelled.ignore)
        drawn.append((contestant.name, metrics.average_precision(judged), bootstrap.draw(judged, labelled.truth).ap))
    rows = []
    for (first, mine, draws), (second, other, others) in combinations(drawn, 2):
        if (between := bootstrap.interval(draws - others)) is not None:
            known = not between[0] <= 0 <= between[1] and len(labelled.truth) >= LEAST
            row = {"first": first, "second": second, "ap50_aligned": mine - other, "interval": between, "known": known}
            rows.append(row)
    return rows
