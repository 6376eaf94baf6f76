"""What is said of labelled faces where a detector has to find them first: what it misses, nothing is said of."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import metrics
from visavis.analysers.protocol import Analyser
from visavis.data.attributes import MASKS, KnownAttributes
from visavis.detectors.protocol import Detector
from visavis.evaluation import bootstrap
from visavis.evaluation.scoreboard import cell
from visavis.faces import Faces
from visavis.images import Picture
from visavis.messages import counted

IOU = 0.5
"""From here on, a detection is of a labelled face."""
LOWEST = 0.05
"""The score down to which detections are asked for, for AP."""


class InFront:
    """An analyser whose faces are known by their labels, and which looks at those that a detector finds in their place.

    Labelled faces that are not found have "" and NaN.
    """

    keypoints: tuple[str, ...] = ()

    def __init__(self, analyser: Analyser, detector: Detector, threshold: float = 0) -> None:
        """threshold: the score from which on a face counts as found; the detector may give others, too, for AP is over
        the whole curve."""
        self._detector, self._analyser, self._threshold = detector, analyser, threshold
        self.attributes = analyser.attributes
        self.truth: list[Faces] = []
        self.found: list[Faces] = []
        self.hits = 0

    def analyse(self, picture: Picture, faces: Faces) -> Faces:
        """See visavis.analysers.protocol.Analyser."""
        (detected,) = self._detector.detect([picture])
        found = self._analyser.analyse(picture, detected)
        matches = metrics.match(faces, found, IOU)
        right = np.flatnonzero((matches >= 0) & (np.asarray(found.scores) >= self._threshold))
        self.truth.append(faces)
        self.found.append(found)
        self.hits += len(right)
        given = {}
        for name in self.attributes:
            values: NDArray[Any] = found.attributes[name]
            column = np.full(len(faces), "" if values.dtype.kind == "U" else np.nan, values.dtype)
            column[matches[right]] = values[right]
            given[name] = column
        return replace(faces, attributes=faces.attributes | given)

    def figures(self, known: Sequence[KnownAttributes]) -> dict[str, Any]:
        """How many of the labelled faces were found, and `by_mask` where masks were asked for.

        known: of all labelled faces, in the order in which they were asked for.
        """
        count = sum(map(len, self.truth))
        values: dict[str, Any] = {"faces": count, "found": self.hits / count if count else None}
        values["found_interval"] = bootstrap.share(self.hits, count)
        return values | ({"masks": self._by_mask(known)} if "mask" in self.attributes else {})

    def _by_mask(self, known: Sequence[KnownAttributes]) -> dict[str, Any]:
        """AP at `IOU` of each class of mask, as if it were a kind of thing to find; the score of a detection is that of
        the face times that of the mask.

        Only pictures in which the mask of every labelled face is known count: in others a right one would be false.
        """
        masks = np.array([one.mask for one in known])
        parts = np.split(masks, np.cumsum([len(faces) for faces in self.truth])[:-1])
        scenes = [
            (labels, truth, found)
            for labels, truth, found in zip(parts, self.truth, self.found, strict=True)
            if len(labels) and (labels != "").all()
        ]
        values = {}
        for name in MASKS:
            judged = metrics.judge(
                [truth[labels == name] for labels, truth, _ in scenes],
                [_as(name, found) for _, _, found in scenes],
                IOU,
            )
            values[name] = {"faces": judged.truths, "ap50": metrics.or_none(metrics.average_precision(judged))}
        return {"photos": len(scenes), "classes": values}


def detected(values: dict[str, Any]) -> Iterator[str]:
    """The figures of `InFront` as lines for people."""
    interval = cell(values["found_interval"], ".1%")
    yield f"detected: {cell(values['found'], '.1%')} ({interval}) of {counted(values['faces'], 'labelled face')}"
    masks = values.get("masks")
    if masks and masks["photos"]:
        classes = masks["classes"].items()
        its = ", ".join(f"{name} {cell(one['ap50'], '.3f')} ({counted(one['faces'], 'face')})" for name, one in classes)
        yield f"AP50 by mask, in {counted(masks['photos'], 'photo')}: {its}"


def _as(name: str, found: Faces) -> Faces:
    mine = found[found.attributes["mask"] == name]
    scores = np.asarray(mine.scores) * mine.attributes["mask_score"]
    return Faces(mine.boxes, scores.astype(np.float32))
