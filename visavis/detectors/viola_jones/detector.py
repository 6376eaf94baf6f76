"""A cascade as a detector of visavis: ours, or one of OpenCV's from an XML file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visavis import checkpoint
from visavis.boxes import Boxes, as_boxes
from visavis.calibration import Calibration, scoring
from visavis.detectors.grouping import grouped
from visavis.detectors.merging import rescaled
from visavis.detectors.protocol import About
from visavis.detectors.viola_jones import opencv_xml
from visavis.detectors.viola_jones.cascade import Cascade, of_arrays
from visavis.detectors.viola_jones.integral import Grey, grey
from visavis.detectors.viola_jones.scanning import Windows, scan, search
from visavis.detectors.viola_jones.shrinking import shrunken_pictures
from visavis.device import only_cpu
from visavis.faces import Faces
from visavis.images import Picture, resize
from visavis.reduced_photos import UsefulSize

SHIPPED = checkpoint.SHIPPED.with_name("viola_jones.safetensors")
"""The cascade that comes with visavis."""
SIZE = UsefulSize(shortest=1080)
"""Larger photos are searched at this size."""
LAST = 4
"""So many stages at the end say how much a window is like a face: earlier ones have learnt from easier windows."""
OPENCV = 0.99
"""Default threshold of OpenCV's cascades, near the best F1 on web photos."""


@dataclass(frozen=True)
class Framing:
    """Where a face's box lies around a window: its edges, in sides of the window from the window's corner."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def boxes(self, windows: Boxes) -> Boxes:
        """(N, 4) boxes of faces around (N, 4) windows."""
        sides = np.tile(windows[:, 2:] - windows[:, :2], 2)
        edges = np.array([self.left, self.top, self.right, self.bottom], np.float32)
        return as_boxes(np.tile(windows[:, :2], 2) + sides * edges)


class ViolaJones:
    """Finds faces by a cascade. The votes of boosted features are log odds (Friedman, Hastie and Tibshirani, "Additive
    Logistic Regression", 2000), so a window counts e to the power of its mean margin in the last stages; the sum s of
    the windows of a face makes a score of s / (1 + s), which is then calibrated.

    search: finds the windows of a picture that pass, such as scanning.search. framing: of faces around windows.
    """

    def __init__(
        self,
        cascade: Cascade,
        threshold: float,
        search: Callable[[Cascade, Grey], Windows],
        framing: Framing = Framing(),
        calibration: Calibration = Calibration(),
    ) -> None:
        self.cascade, self.threshold = cascade, threshold
        self.about = About(useful_size=SIZE, calibration=calibration)
        self._search, self._framing = search, framing

    def detect(self, images: list[Picture]) -> list[Faces]:
        """See visavis.detectors.protocol.Detector."""
        return [self._find(image) for image in images]

    def _find(self, image: Picture) -> Faces:
        seen = resize(image, SIZE.size(*image.shape[:2]))
        found = self.windows(seen)
        windows, sums = grouped(found.boxes, np.exp(found.margins[-LAST:].mean(axis=0)))
        scores = self.about.calibration.apply(sums / (1 + sums))
        return rescaled(Faces(self._framing.boxes(windows), scores), seen, image).above(self.threshold)

    def windows(self, image: Picture) -> Windows:
        """The windows of a (height, width, 3) picture that pass all stages, before they are grouped."""
        return self._search(self.cascade, grey(image))


def load(device: str = "auto", threshold: float | None = None) -> ViolaJones:
    """The detector of the cascade that comes with visavis."""
    return of_checkpoint(SHIPPED, checkpoint.metadata(SHIPPED), device, threshold)


def of_checkpoint(
    path: Path, metadata: dict[str, Any], device: str = "auto", threshold: float | None = None
) -> ViolaJones:
    """The detector of a cascade that visavis learnt."""
    only_cpu("viola_jones", device)
    cascade = of_arrays(checkpoint.arrays(path), contrast=metadata["contrast"])
    used, calibration, _ = scoring(metadata, threshold)
    return ViolaJones(cascade, used, search, Framing(**metadata["framing"]), calibration)


def of_opencv(path: Path, device: str = "auto", threshold: float | None = None) -> ViolaJones:
    """The detector of a cascade in OpenCV's XML format, which looks at the same windows as OpenCV does. Raises
    InputError for what is none, and for what only OpenCV can use."""
    only_cpu("viola_jones", device)
    return ViolaJones(opencv_xml.read(path), OPENCV if threshold is None else threshold, _as_opencv)


def _as_opencv(cascade: Cascade, picture: Grey) -> Windows:
    return scan(cascade, shrunken_pictures(cascade, picture))
