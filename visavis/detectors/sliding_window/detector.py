"""Finds faces by judging windows: all over a picture, then the means of those that overlap."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.crops import cut
from visavis.boxes import clip, scale
from visavis.calibration import Calibration
from visavis.detectors.merging import together
from visavis.detectors.protocol import About
from visavis.detectors.sliding_window.design import Design
from visavis.detectors.sliding_window.fusing import by_mean
from visavis.detectors.sliding_window.windows import SIDE, Layer
from visavis.faces import Faces
from visavis.images import Picture, fit, resize
from visavis.reduced_photos import UsefulSize

LIKELY = 0.8
"""The judge's lowest score of a window that takes part, whatever the threshold and the calibration of faces."""
AT_ONCE = 512
"""Windows that are judged together."""

Judge = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""(N, height, width, 3) pictures -> (N, rows, columns) probabilities of a face in each of their windows, which are
`Design.dense` pixels apart; of pictures that are a window, (N, 1, 1)."""


class SlidingWindow:
    """See visavis.detectors.protocol.Detector. threshold: of the scores after calibration. calibration, covering: see
    visavis.detectors.protocol.About. runs: what the judge is run by, for people.
    fused: what makes detections of windows; these are scored again."""

    def __init__(
        self,
        judge: Judge,
        design: Design,
        threshold: float,
        calibration: Calibration = Calibration(),
        covering: float | None = None,
        runs: str = "",
        fused: Callable[[Faces], Faces] = by_mean,
    ) -> None:
        self.judge, self.design, self.threshold, self.fused = judge, design, threshold, fused
        useful = UsefulSize(longest=design.longest)
        self.about = About(runs, useful_size=useful, calibration=calibration, covering=covering)

    def detect(self, images: list[Picture]) -> list[Faces]:
        """See visavis.detectors.protocol.Detector."""
        return [self._found(image) for image in images]

    def windows(self, picture: Picture) -> Faces:
        """All windows over a picture no larger than `design.longest`, with their scores."""
        layers = self.design.layers((picture.shape[0], picture.shape[1]))
        return together([Faces(layer.boxes(), self._scores(layer, picture)) for layer in layers])

    def scored_again(self, picture: Picture, found: Faces) -> Faces:
        """The same boxes with the scores that they have as windows, not calibrated, highest first."""
        if not len(found):
            return found
        crops = np.stack([cut(picture, (x1, y1, x2, y2), SIDE) for x1, y1, x2, y2 in found.boxes.tolist()])
        scores = self.judge(crops)[:, 0, 0]
        return Faces(found.boxes, scores)[np.argsort(-scores, kind="stable")]

    def _found(self, image: Picture) -> Faces:
        picture, factor = fit(image, self.design.longest)
        fused = self.fused(self.windows(picture).above(LIKELY))
        found = self.scored_again(picture, fused)
        boxes = clip(scale(found.boxes, 1 / factor), (image.shape[0], image.shape[1]))
        return Faces(boxes, self.about.calibration.apply(np.asarray(found.scores))).above(self.threshold)

    def _scores(self, layer: Layer, picture: Picture) -> NDArray[np.float32]:
        """(rows * columns,): of a network that takes whole pictures, all at once; of others, batches of windows."""
        dense = self.design.dense
        if dense and layer.step % dense == 0:
            every = layer.step // dense
            return self.judge(resize(picture, layer.scaled)[None])[0, ::every, ::every].ravel()
        windows = layer.views(picture).reshape(-1, SIDE, SIDE, 3)
        parts = [self.judge(windows[first : first + AT_ONCE]) for first in range(0, len(windows), AT_ONCE)]
        return np.concatenate(parts).ravel()
