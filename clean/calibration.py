"""The score from which on a finder's detections are learnt from, chosen by the precision measured on labelled photos.

Photos with several labels show how often a detection away from the main face is a face. Data with one label per photo,
as VGG Face's, does not: then thresholds hold that were measured elsewhere (`clean.finders`).
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clean.faceless import OVERLAP
from clean.finders import Finder
from clean.inspection import Inspection, ListedPhoto
from visavis.boxes import Boxes, area, as_boxes, iou, nms
from visavis.evaluation.conventions import Shift, meets
from visavis.messages import counted

PRECISION = 0.95
"""The share of faces that is required among the detections to learn from."""

FACES = 100
"""With fewer labelled faces than this besides the main ones, nothing is measured."""


@dataclass(frozen=True)
class Others:
    """Detections away from the main face of each photo, and the faces labelled there.

    scores: (N,). right: (N,) whether there is a label. best: (M,) for each labelled face, the highest score of its
    detections, or -1.
    """

    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    best: NDArray[np.float32]
    photos: int

    def precision(self, threshold: float) -> float:
        """The share of labelled faces among the detections from that score on; NaN without any."""
        chosen = self.right[self.scores >= threshold]
        return float(chosen.mean()) if len(chosen) else float("nan")

    def recall(self, threshold: float) -> float:
        """The share of the labelled faces that are detected from that score on; NaN without any."""
        return float((self.best >= threshold).mean()) if len(self.best) else float("nan")

    def sure(self) -> float:
        """The lowest score from which on `PRECISION` is reached; infinite if it is not."""
        order = np.argsort(-self.scores, kind="stable")
        scores = self.scores[order]
        reached = np.cumsum(self.right[order]) / np.arange(1, len(order) + 1) >= PRECISION
        reached &= np.diff(scores, append=-np.inf) < 0  # detections of equal score are taken together
        return float(scores[reached].min(initial=np.inf))


def calibrated(
    finder: Finder, name: str, inspections: Iterable[tuple[ListedPhoto, Inspection]], shift: Shift
) -> tuple[Finder, str]:
    """The finder with its `sure` threshold measured on these photos, and the origin of the threshold as a sentence.

    The threshold may become stricter, never laxer: photos of several people flatter a finder, because more of its
    detections besides the main face are faces there.
    """
    measured = others(inspections, name, shift)
    if len(measured.best) < FACES:
        return finder, (
            f"sure from {finder.sure:.3f} on ({finder.origin}); these photos cannot show it, with "
            f"{counted(len(measured.best), 'face')} labelled besides the main ones ({FACES} are needed)"
        )
    sure = max(finder.sure, measured.sure())
    if not np.isfinite(sure):
        return replace(finder, sure=sure), f"never sure: no score gives a precision of {PRECISION:.0%} in these photos"
    count = int((measured.scores >= sure).sum())
    return replace(finder, sure=sure), (
        f"sure from {sure:.3f} on: {measured.precision(sure):.1%} of {counted(count, 'detection')} besides the "
        f"largest face are labelled faces, in {counted(measured.photos, 'photo')} with several; "
        f"{measured.recall(sure):.0%} of these are found"
    )


def others(inspections: Iterable[tuple[ListedPhoto, Inspection]], name: str, shift: Shift) -> Others:
    """The finder's detections away from the largest label, in photos with several labels, each distinct photo once.

    Those of a closer look are left out, because it is guided by a label. A face that nobody labelled counts as false,
    so precision is rather too low than too high.
    """
    scores, right, best = array("f"), array("b"), array("f")
    known: set[int] = set()
    for photo, inspection in inspections:
        if (
            len(photo.boxes) < 2
            or inspection.reason
            or name not in inspection.finds
            or hash(inspection.sha256) in known
        ):
            continue
        known.add(hash(inspection.sha256))
        labels = as_boxes(photo.boxes)
        main = int(area(labels).argmax())
        rows = np.array([row for row in inspection.finds[name] if len(row) == 5], np.float32).reshape(-1, 5)
        boxes, values = shift.move(rows[:, :4]), rows[:, 4]
        kept = [index for index in nms(boxes, values, 0.4) if not _at(boxes[index], labels[main : main + 1])[0]]
        at = np.array([_at(boxes[index], labels) for index in kept], bool).reshape(-1, len(labels))
        scores.extend(values[kept].tolist())
        right.extend(int(row.any()) for row in at)
        best.extend(float(values[kept][at[:, face]].max(initial=-1)) for face in range(len(labels)) if face != main)
    return Others(
        np.asarray(scores),
        np.asarray(right).astype(bool),
        np.asarray(best),
        len(known),
    )


def _at(box: NDArray[np.float32], labels: Boxes) -> NDArray[np.bool_]:
    """Whether the detection is of each label's face: (M,) bool."""
    near = [meets(box[None], label)[0] for label in labels]
    return np.asarray((iou(box[None], labels)[0] >= OVERLAP) | np.array(near, bool))
