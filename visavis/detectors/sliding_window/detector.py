"""Finds faces by judging windows all over a picture; those that overlap make a detection together."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from visavis.calibration import Calibration
from visavis.detectors.grouping import grouped
from visavis.detectors.merging import rescaled, together
from visavis.detectors.protocol import About
from visavis.detectors.sliding_window.design import Design
from visavis.detectors.sliding_window.windows import SIDE, Layer
from visavis.faces import Faces
from visavis.images import Picture, fit, resize
from visavis.reduced_photos import UsefulSize

LIKELY = 0.8
"""The judge's lowest score of a window that takes part, whatever the threshold and the calibration of faces."""
AT_ONCE = 512
"""Windows that are judged together."""
SUREST = 1 - 1e-6
"""A window's probability counts as this at most, so that its odds are finite."""

Judge = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""(N, height, width, 3) pictures -> (N, rows, columns) probabilities of a face in each of their windows, which are
`Design.dense` pixels apart; of pictures that are a window, (N, 1, 1)."""


class SlidingWindow:
    """See visavis.detectors.protocol.Detector. threshold: of the scores after calibration. calibration, covering: see
    visavis.detectors.protocol.About. runs: what the judge is run by, for people."""

    def __init__(
        self,
        judge: Judge,
        design: Design,
        threshold: float,
        calibration: Calibration = Calibration(),
        covering: float | None = None,
        runs: str = "",
    ) -> None:
        self.judge, self.design, self.threshold = judge, design, threshold
        useful = UsefulSize(longest=design.longest)
        self.about = About(runs, useful_size=useful, calibration=calibration, covering=covering)

    def detect(self, images: list[Picture]) -> list[Faces]:
        """See visavis.detectors.protocol.Detector."""
        return [self._found(image) for image in images]

    def windows(self, picture: Picture) -> Faces:
        """All windows over a picture no larger than `design.longest`, with their scores."""
        layers = self.design.layers((picture.shape[0], picture.shape[1]))
        return together([Faces(layer.boxes(), self._scores(layer, picture)) for layer in layers])

    def _found(self, image: Picture) -> Faces:
        picture, _ = fit(image, self.design.longest)
        found = by_evidence(self.windows(picture).above(LIKELY))
        scores = self.about.calibration.apply(np.asarray(found.scores))
        return rescaled(Faces(found.boxes, scores), picture, image).above(self.threshold)

    def _scores(self, layer: Layer, picture: Picture) -> NDArray[np.float32]:
        """(rows * columns,): of a network that takes whole pictures, all at once; of others, batches of windows."""
        dense = self.design.dense
        if dense and layer.step % dense == 0:
            every = layer.step // dense
            return self.judge(resize(picture, layer.scaled)[None])[0, ::every, ::every].ravel()
        windows = layer.views(picture).reshape(-1, SIDE, SIDE, 3)
        parts = [self.judge(windows[first : first + AT_ONCE]) for first in range(0, len(windows), AT_ONCE)]
        return np.concatenate(parts).ravel()


def by_evidence(windows: Faces) -> Faces:
    """Groups of overlapping windows, each as its mean box, with the score S / (1 + S), where S is the sum of the
    windows' log odds: many windows lie on a face, and few on what looks like one from a single place.

    windows: those with scores above 0.5.
    """
    scores = np.minimum(np.asarray(windows.scores, np.float64), SUREST)
    boxes, sums = grouped(windows.boxes, np.log(scores / (1 - scores)))
    return Faces(boxes, sums / (1 + sums))
