"""The other faces: the list labels one face per photo, and a detector would be punished for finding the rest.

This records the rest: to learn from if a finder is sure, and otherwise to be left out of the loss.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clean.faceless import OVERLAP, Found
from clean.finders import FINDERS
from clean.inspection import Given, ListedPhoto
from dataset import tables
from visavis.boxes import Boxes, as_boxes, covered, iou, nms
from visavis.evaluation.conventions import meets

LISTED = "list"
"""The `source` of the labels."""

SAME = 0.9
"""From this IoU on, a label and a row that somebody else wrote are the same box."""


def is_ours(source: str) -> bool:
    """Whether clean wrote the rows of faces.csv with this `source`. All others are kept as they are."""
    return source == LISTED or source in FINDERS


def not_ours(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a faces.csv, if there is one, that clean did not write: labels by hand, or by an import."""
    for row in tables.rows(path) if path.exists() else ():
        if not is_ours(row["source"]):
            yield {column: row[column] for column in tables.COLUMNS["faces.csv"]}


def rows(photo: ListedPhoto, labels: Boxes, found: Sequence[Found]) -> list[dict[str, str]]:
    """The rows of faces.csv that clean writes for one photo: its labels (M, 4), then every other detection.

    Rows by somebody else (`photo.given`) take precedence: a label or a detection that has such a row gets no second
    one, nor does a detection inside a region to ignore.

    What two finders detect, or one finder twice, is one row, by the surer of them. In large faces, finders also detect
    eyes and ears: a detection within a label gets no row, or is left out of the loss if a finder is sure.
    """
    image_id = photo.image_id
    given = as_boxes([face[:4] for face in photo.given])
    listed = [_row(image_id, label, LISTED, "train") for label in labels if not (iou(label[None], given) >= SAME).any()]
    seen = [(box, float(score), one) for one in found for box, score in zip(one.boxes, one.scores, strict=True)]
    seen = [
        (box, score, one)
        for box, score, one in seen
        if score >= (one.sure if _within(box, labels) else one.elsewhere)
        and not _is_label(box, labels)
        and unknown(box[None], photo.given)[0]
    ]
    if not seen:
        return listed
    # Scores of two finders are not comparable: a sure detection goes before an unsure one, then the score decides.
    rank = np.array([score + (score >= one.sure) for _, score, one in seen], dtype=np.float32)
    kept = nms(np.stack([box for box, _, _ in seen]), rank, 0.4)
    return listed + [
        _row(image_id, box, one.finder, "train" if score >= one.sure and not _within(box, labels) else "ignore")
        for box, score, one in (seen[index] for index in kept)
    ]


def unknown(boxes: Boxes, given: Sequence[Given]) -> NDArray[np.bool_]:
    """(N,) which of (N, 4) detections are neither a face in a row by somebody else, nor in a region to ignore."""
    known = as_boxes([face[:4] for face in given])
    ignored = as_boxes([face[:4] for face in given if face[4] == "ignore"])
    return np.array([not _is_label(box, known) and not _within(box, ignored) for box in boxes], bool)


def _is_label(box: np.ndarray, labels: Boxes) -> bool:
    overlaps = iou(box[None], labels)[0]
    return bool((overlaps >= OVERLAP).any()) or any(meets(box[None], label)[0] for label in labels)


def _within(box: np.ndarray, labels: Boxes) -> bool:
    return bool((covered(box[None], labels) >= 0.8).any())


def _row(image_id: str, box: np.ndarray, source: str, use: str) -> dict[str, str]:
    corners = {name: f"{value:.1f}" for name, value in zip(("x1", "y1", "x2", "y2"), box, strict=True)}
    return {"image_id": image_id, **corners, "source": source, "use": use}
