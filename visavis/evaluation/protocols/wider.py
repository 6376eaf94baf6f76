"""WIDER FACE (Yang et al., "WIDER FACE: A Face Detection Benchmark", 2016): easy, medium and hard, by the rules of
its official evaluation.

Each setting counts some of the faces; detections of the others are neither right nor wrong. Overlaps are measured in
whole pixels (both edges belong to a box), a detection is matched with the face that it overlaps most and is a false
positive if that face is taken, the scores of each detector are rescaled to 0..1, and precision is computed at 1,000
thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes
from visavis.charts import Line, curves
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.metrics import or_none

SETTINGS = ("easy", "medium", "hard")
THRESHOLDS = 1000
IOU = 0.5
ROWS = tuple(
    row for setting in SETTINGS for row in ((f"AP, {setting}", setting, ".3f"), ("  faces", f"faces_{setting}", "d"))
)
FILES = ("wider_face_val.mat", *(f"wider_{setting}_val.mat" for setting in SETTINGS))


@dataclass(frozen=True)
class Annotated:
    """A photo: all its faces, and by setting which of them count, (N,) bool."""

    name: str
    path: Path
    boxes: Boxes
    counted: dict[str, NDArray[np.bool_]]


def read(folder: Path) -> list[Annotated]:
    """The validation split: WIDER_val/images/ in `folder`, and the official evaluation's ground_truth/ there (or in
    eval_tools/, as in its archive). Raises InputError if something is missing or malformed."""
    images = folder / "WIDER_val" / "images"
    if not images.is_dir():
        raise InputError(f"{images} is not there; unpack WIDER_val.zip in {folder}")
    places = [place for place in (folder / "ground_truth", folder / "eval_tools" / "ground_truth") if place.is_dir()]
    if not places:
        raise InputError(f"no ground_truth/ in {folder}; unpack the official eval_tools.zip there")
    known, *settings = (_load(places[0] / name) for name in FILES)
    annotated = []
    try:
        for event, (name,) in enumerate(known["event_list"]):
            for number, (file,) in enumerate(known["file_list"][event][0]):
                where = f"{name[0]}/{file[0]}"
                rectangles = np.asarray(known["face_bbx_list"][event][0][number][0], np.float64).reshape(-1, 4)
                counted = {
                    setting: _counted(listed["gt_list"][event][0][number][0], len(rectangles), where)
                    for setting, listed in zip(SETTINGS, settings, strict=True)
                }
                corners = as_boxes(np.hstack([rectangles[:, :2], rectangles[:, :2] + rectangles[:, 2:]]))
                annotated.append(Annotated(where, images / f"{where}.jpg", corners, counted))
    except (KeyError, IndexError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{places[0]} does not hold WIDER FACE's ground truth as published ({error})") from None
    return annotated


def figures(annotated: Sequence[Annotated], sizes: Sequence[tuple[int, int]], found: Sequence[Faces]) -> dict[str, Any]:
    """AP, faces and curve of each setting. sizes: not used here. found: one entry per photo."""
    scores, finds = normalised(found), [faces.boxes for faces in found]
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        counted = [photo.counted[setting] for photo in annotated]
        precision, recall = curve([photo.boxes for photo in annotated], counted, finds, scores)
        values[setting] = or_none(average_precision(precision, recall))
        values[f"faces_{setting}"] = int(sum(one.sum() for one in counted))
        values[f"curve_{setting}"] = {
            "precision": [round(float(one), 4) for one in precision],
            "recall": [or_none(round(float(one), 4)) for one in recall],
        }
    return values


def chart(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw precision over recall, one chart per setting. results: what `figures` returned, with a name."""
    panels = [
        (
            setting,
            [Line(r["name"], *(r[f"curve_{setting}"][side] for side in ("recall", "precision"))) for r in results],
        )
        for setting in SETTINGS
    ]
    curves(panels, ("recall", "precision"), path)


def normalised(found: Sequence[Faces]) -> list[NDArray[np.float64]]:
    """The scores of each photo, rescaled so that over all photos the lowest is 0 and the highest 1."""
    scores = [np.asarray(faces.scores, np.float64) for faces in found]
    every = np.concatenate([np.zeros(0), *scores])
    lowest, highest = (every.min(), every.max()) if len(every) else (0.0, 1.0)
    # If all are equal, all become 0, which passes the last threshold.
    return [(one - lowest) / (highest - lowest or 1.0) for one in scores]


def curve(
    truth: Sequence[Boxes],
    counted: Sequence[NDArray[np.bool_]],
    found: Sequence[Boxes],
    scores: Sequence[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall at the thresholds 0.999, 0.998 .. 0, (1000,) each; recall is NaN without a counted face.

    One entry per photo: truth: all its faces (M, 4); counted: which of them count (M,); found: (N, 4); scores: of
    these, (N,), 0..1. A photo without an annotated face is left out, as in the official evaluation.
    """
    thresholds = 1 - (np.arange(THRESHOLDS) + 1) / THRESHOLDS
    proposals, right = np.zeros(THRESHOLDS), np.zeros(THRESHOLDS)
    for labels, counts, finds, sure in zip(truth, counted, found, scores, strict=True):
        if not len(labels) or not len(finds):
            continue
        order = np.argsort(-sure, kind="stable")
        hits, takes_part = judge(labels, counts, finds[order])
        kept = np.searchsorted(-sure[order], -thresholds, side="right")
        right += np.append(0, np.cumsum(hits))[kept]
        proposals += np.append(0, np.cumsum(takes_part))[kept]
    faces = sum(int(one.sum()) for one in counted)
    precision = np.divide(right, proposals, out=np.zeros(THRESHOLDS), where=proposals > 0)
    return precision, right / faces if faces else np.full(THRESHOLDS, nan)


def judge(truth: Boxes, counted: NDArray[np.bool_], found: Boxes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each of one photo's detections, highest score first: whether it is the first of a face that counts; and
    whether it takes part in precision. truth: (M, 4), M above 0, counted: (M,), found: (N, 4). Both (N,)."""
    overlaps = _overlaps(found, truth)
    hits, takes_part = np.zeros(len(found), bool), np.ones(len(found), bool)
    taken: set[int] = set()
    for find, face in enumerate(overlaps.argmax(axis=1)):
        if overlaps[find, face] < IOU:
            continue
        if not counted[face]:
            takes_part[find] = False
        elif int(face) not in taken:
            hits[find] = True
            taken.add(int(face))
    return hits, takes_part


def average_precision(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> float:
    """Area under the curve (T,), with recall rising, where each recall gets the best precision at it or above (PASCAL
    VOC's rule since 2010). NaN if recall is NaN."""
    if np.isnan(recall).any():
        return nan
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0) * best).sum())


def _overlaps(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """IoU of every pair, (N, M). Both edges of a box belong to it: a box from 0 to 9 is ten pixels wide."""
    a, b = np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1
    shared = np.clip(sides, 0, None).prod(axis=-1)
    areas = [(one[..., 2:] - one[..., :2] + 1).prod(axis=-1) for one in (a, b)]
    return shared / (areas[0] + areas[1] - shared)


def _counted(listed: Any, faces: int, where: str) -> NDArray[np.bool_]:
    """(faces,) whether each face counts. listed: the numbers of those that do, from 1 on."""
    numbers = np.asarray(listed).astype(np.int64).reshape(-1)
    if len(numbers) and not 1 <= numbers.min() <= numbers.max() <= faces:
        raise InputError(f"{where}: its ground truth counts face {numbers.max()} of {faces}")
    counted = np.zeros(faces, bool)
    counted[numbers - 1] = True
    return counted


def _load(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"{path} is not there; it comes with the official eval_tools.zip")
    try:
        return loadmat(path)
    except (ValueError, NotImplementedError, OSError, TypeError) as error:  # what scipy raises for other files
        raise InputError(f"{path} is not a MATLAB file: {error}") from None
