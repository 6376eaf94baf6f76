"""The other faces: the list labels one face a photo, and a detector is punished for finding the rest.

Here the rest is written down: to learn from where a finder is sure, to be left out of the loss where not.
"""

from collections.abc import Sequence

import numpy as np

from clean.faceless import OVERLAP, Found
from visavis.boxes import Boxes, covered, iou, nms
from visavis.evaluation.conventions import meets


def rows(image_id: str, labels: Boxes, found: Sequence[Found]) -> list[dict[str, str]]:
    """The rows of faces.csv for one photo: its labels (M, 4), then every find that is none of them.

    A find that two finders made, or one finder twice, is one row; the surer opinion stands. Of large faces finders
    find eyes and ears, too: what lies within a label has no row, or is left out of the loss where a finder is sure.
    """
    listed = [_row(image_id, label, "list", "train") for label in labels]
    seen = [(box, float(score), one) for one in found for box, score in zip(one.boxes, one.scores, strict=True)]
    seen = [
        (box, score, one)
        for box, score, one in seen
        if score >= (one.sure if _within(box, labels) else one.elsewhere) and not _is_label(box, labels)
    ]
    if not seen:
        return listed
    # Scores of two finders do not compare: a sure find goes before an unsure one, then the score decides.
    rank = np.array([score + (score >= one.sure) for _, score, one in seen], dtype=np.float32)
    kept = nms(np.stack([box for box, _, _ in seen]), rank, 0.4)
    return listed + [
        _row(image_id, box, one.finder, "train" if score >= one.sure and not _within(box, labels) else "ignore")
        for box, score, one in (seen[index] for index in kept)
    ]


def _is_label(box: np.ndarray, labels: Boxes) -> bool:
    overlaps = iou(box[None], labels)[0]
    return bool((overlaps >= OVERLAP).any()) or any(meets(box[None], label)[0] for label in labels)


def _within(box: np.ndarray, labels: Boxes) -> bool:
    return bool((covered(box[None], labels) >= 0.8).any())


def _row(image_id: str, box: np.ndarray, source: str, use: str) -> dict[str, str]:
    corners = {name: f"{value:.1f}" for name, value in zip(("x1", "y1", "x2", "y2"), box, strict=True)}
    return {"image_id": image_id, **corners, "source": source, "use": use}
