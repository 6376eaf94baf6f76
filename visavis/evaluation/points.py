"""What analysers' points are worth, face by face, behind a detector, on the faces of points.csv.

NME is the mean distance of a face's points from the labelled ones, as a share of the distance between the outer corners
of the eyes (Sagonas et al., "300 Faces in-the-Wild Challenge", 2013). A face that the detector does not find has none,
and counts as a failure.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.points.analyser import roll
from visavis.analysers.protocol import Analyser
from visavis.boxes import as_boxes, iou
from visavis.data.photos import Photo
from visavis.data.points import Pointed
from visavis.detectors.protocol import Detector
from visavis.evaluation import bootstrap
from visavis.evaluation.readable import readable
from visavis.evaluation.scoreboard import cell
from visavis.faces import Faces
from visavis.images import Picture
from visavis.keypoints import PARTS, SIXTY_EIGHT, Points, converted
from visavis.messages import counted
from visavis.training.points import FAILED, area, between_corners, by_corners, by_diagonal

SAME = 0.3
"""IoU of a detection with a labelled face's box, from which on it is of that face."""
TURNS = ((0, 15), (15, 30), (30, 60), (60, 181))
"""Degrees by which a face is turned in the picture: from the first up to the second."""
ASIDE = (("facing", 0, 0.3), ("half aside", 0.3, 0.6), ("in profile", 0.6, 1.01))
"""How far a head looks aside: the difference of the nose's distances from both ends of the jaw, as a share of their
sum, which is 0 from the front and 1 in profile."""

Change = Callable[[Picture, Points], tuple[Picture, Points]]
"""What is done to a photo and the points of its faces before a detector searches it."""


@dataclass
class Contender:
    """An analyser, the points that it found, (K, 2) a face or None, and the milliseconds that each face took."""

    name: str
    analyser: Analyser
    found: list[Points | None] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)


@dataclass
class LabelledFaces:
    """The labelled faces of the photos that could be read: a list entry a face."""

    image_ids: list[str] = field(default_factory=list)
    truth: list[Points] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)


def locate_all(
    contenders: Sequence[Contender],
    detector: Detector,
    photos: Sequence[Photo],
    labelled: dict[str, list[Pointed]],
    change: Change = lambda picture, points: (picture, points),
) -> LabelledFaces:
    """Find the faces of each photo once, and ask every contender for the points of those that are labelled."""
    seen = LabelledFaces()
    for photo, picture in readable(photos, seen.unreadable):
        known = labelled[photo.image_id]
        picture, truth = change(picture, np.stack([one.points for one in known]))
        seen.image_ids += [photo.image_id] * len(known)
        seen.truth += list(truth)
        (found,) = detector.detect([picture])
        which = [matching(found, points) for points in truth]
        faces = found[np.array([number for number in which if number is not None], np.int64)]
        for contender in contenders:
            began = time.perf_counter()
            points = iter(np.asarray(contender.analyser.analyse(picture, faces).keypoints))
            if len(faces):
                contender.milliseconds.append((time.perf_counter() - began) * 1000 / len(faces))
            contender.found += [None if number is None else next(points) for number in which]
    return seen


def matching(found: Faces, points: Points) -> int | None:
    """Which of the faces found is the one with these points: the box around them says it; None where none is."""
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    head = as_boxes([[low[0], low[1] - 0.3 * (high[1] - low[1]), high[0], high[1]]])
    overlap = iou(found.boxes, head)[:, 0] if len(found) else np.zeros(0)
    best = int(overlap.argmax()) if len(overlap) else -1
    return best if best >= 0 and overlap[best] >= SAME else None


def figures(contender: Contender, truth: Sequence[Points]) -> dict[str, Any]:
    """All figures of one analyser. Of faces without labelled corners of the eyes, none."""
    count = len(contender.analyser.keypoints)
    known = [converted(points, count) for points in truth]
    kept = [
        (one, points)
        for one, points in zip(contender.found, known, strict=True)
        if not np.isnan(between_corners(points[None])[0])
    ]
    there = [pair for pair in kept if pair[0] is not None and not np.isnan(pair[0]).any()]
    found, right = (np.array([pair[side] for pair in there], np.float32).reshape(-1, count, 2) for side in (0, 1))
    errors, missed = by_corners(found, right), len(kept) - len(there)
    failed = int((errors > FAILED).sum()) + missed
    values: dict[str, Any] = {
        "name": contender.name,
        "faces": len(kept),
        "not_found": missed / len(kept) if kept else None,
        "nme": _mean(errors),
        "nme_interval": bootstrap.of_mean(errors),
        "nme_median": float(np.median(errors)) if len(errors) else None,
        "nme_diagonal": _mean(by_diagonal(found, right)),
        "failed": failed / len(kept) if kept else None,
        "failed_interval": bootstrap.share(failed, len(kept)),
        "auc": area(errors) * len(errors) / len(kept) if kept else None,
        "rmse_pixels": float(np.sqrt(np.nanmean((found - right) ** 2))) if len(errors) else None,
        "ms": float(np.median(contender.milliseconds)) if contender.milliseconds else None,
        "errors": np.concatenate([errors, np.full(missed, np.inf)]),
    }
    values["points"] = _by_point(found, right, count)
    if count == len(SIXTY_EIGHT):
        values["parts"] = {part: _mean(np.array(values["points"][span])) for part, span in PARTS.items()}
        values["poses"] = _poses(right, errors)
    return values


def _by_point(found: Points, right: Points, count: int) -> list[float]:
    """The mean error of each point, as a share of the distance between the outer corners of the eyes."""
    if not len(found):
        return [float("nan")] * count
    off = np.linalg.norm(found - right, axis=2) / between_corners(right)[:, None]
    return [float(value) for value in np.nanmean(off, axis=0)]


def _poses(right: Points, errors: NDArray[np.float64]) -> dict[str, dict[str, Any]]:
    """The error of faces that are turned in the picture, and of those that look aside, by how far."""
    angles, sides = np.abs(np.degrees(roll(right))), aside(right)
    groups = {f"turned {low} to {high - 1 if high > 180 else high}°": (angles >= low) & (angles < high)
              for low, high in TURNS}  # fmt: skip
    groups |= {name: (sides >= low) & (sides < high) for name, low, high in ASIDE}
    return {name: {"faces": int(some.sum()), "nme": _mean(errors[some]), "failed": _mean(errors[some] > FAILED)}
            for name, some in groups.items()}  # fmt: skip


def aside(points: Points) -> NDArray[np.float64]:
    """(N,): how far heads with these (N, 68, 2) points look aside, see `ASIDE`."""
    angle = roll(points)
    along = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    left, nose, right = (np.einsum("nd,nd->n", points[:, number], along) for number in (0, 30, 16))
    one, other = np.maximum(nose - left, 0), np.maximum(right - nose, 0)
    return np.abs(one - other) / np.maximum(one + other, 1e-6)


def _mean(values: NDArray[Any]) -> float | None:
    return float(np.mean(values)) if len(values) else None


ROWS = (
    ("NME by the eyes' outer corners", "nme", ".2%"),
    ("  95 % interval", "nme_interval", ".2%"),
    ("  median", "nme_median", ".2%"),
    ("NME by the box's diagonal", "nme_diagonal", ".2%"),
    ("above 8 %, or not found", "failed", ".1%"),
    ("  95 % interval", "failed_interval", ".1%"),
    ("not found", "not_found", ".1%"),
    ("area under the curve up to 8 %", "auc", ".3f"),
    ("RMSE, pixels", "rmse_pixels", ".2f"),
    ("ms a face, median", "ms", ".2f"),
    ("faces", "faces", "d"),
)
"""The figures as a table: title, key, format."""


def report(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Errors by part of the face and by pose, a line each and a column an analyser."""
    shown = [one for one in results if "parts" in one]
    if not shown:
        return
    names = "".join(f"{one['name']:>16}" for one in shown)
    yield f"{'NME by part':<24}{names}"
    for part in PARTS:
        yield f"  {part:<22}" + "".join(f"{cell(one['parts'][part], '.2%'):>16}" for one in shown)
    yield f"{'NME by pose':<24}{names}"
    for pose, its in shown[0]["poses"].items():
        if its["faces"]:
            cells = "".join(f"{cell(one['poses'][pose]['nme'], '.2%'):>16}" for one in shown)
            yield f"  {pose:<22}{cells}   {counted(its['faces'], 'face')}"
