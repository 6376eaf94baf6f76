"""From which score on a finder is sure: from a precision measured on labelled photos, not from a guess.

Photos with several labels tell how often a find away from the main face is a face. Data with one label a photo, as
VGG Face's, cannot tell: there the thresholds hold that were measured elsewhere (`clean.finders`).
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clean.faceless import OVERLAP
from clean.finders import Finder
from clean.look import Photo, Seen
from visavis.boxes import Boxes, area, as_boxes, iou, nms
from visavis.evaluation.conventions import Shift, meets

PRECISION = 0.95
"""Of the finds to learn from, as many are to be faces."""

FACES = 100
"""Fewer labelled faces besides the main ones than this tell nothing."""


@dataclass(frozen=True)
class Others:
    """Finds away from the main face of each photo, and the faces labelled there.

    scores: (N,). right: (N,) whether there is a label. best: (M,) for each labelled face its best find's score, or -1.
    """

    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    best: NDArray[np.float32]
    photos: int

    def precision(self, threshold: float) -> float:
        """Share of the finds from that score on that are labelled faces; NaN without any."""
        chosen = self.right[self.scores >= threshold]
        return float(chosen.mean()) if len(chosen) else float("nan")

    def recall(self, threshold: float) -> float:
        """Share of the labelled faces that are found from that score on; NaN without any."""
        return float((self.best >= threshold).mean()) if len(self.best) else float("nan")

    def sure(self) -> float:
        """The lowest score from which on `PRECISION` is reached; infinite where it is not."""
        order = np.argsort(-self.scores, kind="stable")
        scores = self.scores[order]
        reached = np.cumsum(self.right[order]) / np.arange(1, len(order) + 1) >= PRECISION
        reached &= np.diff(scores, append=-np.inf) < 0  # finds of equal score come in together
        return float(scores[reached].min(initial=np.inf))


def calibrated(finder: Finder, name: str, looks: Iterable[tuple[Photo, Seen]], shift: Shift) -> tuple[Finder, str]:
    """The finder, sure from where it is right in these photos, and where that comes from, in words.

    It may become stricter than it is by itself, never laxer: photos of several people flatter a finder, because
    more of what it finds there besides the main face are faces.
    """
    measured = others(looks, name, shift)
    if len(measured.best) < FACES:
        return finder, (
            f"sure from {finder.sure:.3f} on ({finder.origin}); these photos cannot tell, "
            f"with {len(measured.best)} faces labelled besides the main ones ({FACES} needed)"
        )
    sure = max(finder.sure, measured.sure())
    if not np.isfinite(sure):
        return replace(finder, sure=sure), f"never sure: no score gives a precision of {PRECISION:.0%} in these photos"
    count = int((measured.scores >= sure).sum())
    return replace(finder, sure=sure), (
        f"sure from {sure:.3f} on: {measured.precision(sure):.1%} of {count} finds are labelled faces, in "
        f"{measured.photos} photos with several, besides the largest; {measured.recall(sure):.0%} of those are found"
    )


def others(looks: Iterable[tuple[Photo, Seen]], name: str, shift: Shift) -> Others:
    """The finder's finds away from the largest label, in photos with several, each distinct photo once.

    A closer look is left out: it is taken where a label says so. A face that nobody labelled counts as none, so
    that precision is rather too low than too high.
    """
    scores, right, best = array("f"), array("b"), array("f")
    known: set[int] = set()
    for photo, seen in looks:
        if len(photo.boxes) < 2 or seen.reason or name not in seen.finds or hash(seen.sha256) in known:
            continue
        known.add(hash(seen.sha256))
        labels = as_boxes(photo.boxes)
        main = int(area(labels).argmax())
        rows = np.array([row for row in seen.finds[name] if len(row) == 5], np.float32).reshape(-1, 5)
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
    """Whether the find is each label's face: (M,) bool."""
    near = [meets(box[None], label)[0] for label in labels]
    return np.asarray((iou(box[None], labels)[0] >= OVERLAP) | np.array(near, bool))
