"""The detector that a trained network makes, whichever program runs it: pictures of any size in, Faces out.

A picture in which faces are small is looked at twice, the second time closer. Most have none that small, so that on
the whole it costs little; to show every one as large would cost two and a half times as much.

Nothing here needs torch, so that a detector which another back end runs starts without it.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import clip, scale
from visavis.calibration import Calibration
from visavis.detectors.merging import merged
from visavis.detectors.sizing import Sizing
from visavis.faces import Faces
from visavis.images import Picture, as_picture, resize
from visavis.sight import Sight

SMALL = 28
"""Pixels of a face's shorter side in the network: a picture with a smaller one is worth a closer look."""
LARGE = 96
"""What is larger than this in the first look is not asked of the closer one, which may show it larger than any face
that the network was trained with."""


class Network(Protocol):
    """What runs a network: one of visavis.detectors.backends."""

    runs: str
    """What it is, and on what, for people."""
    at_once: int
    """Calls of `find` that gain by being made at the same time."""

    def find(self, pictures: list[Picture], threshold: float) -> list[Faces]:
        """Faces from `threshold` on, surest first, of each picture, which has its size in the network already."""
        ...


class TrainedDetector:
    """A network as a `visavis.detectors.Detector`.

    threshold: of the scores after calibration. calibration: what is done to the network's scores. sure: the score from
    which on a find is a face, whatever threshold is asked for: small ones are worth a closer look.
    """

    def __init__(
        self,
        network: Network,
        sizing: Sizing,
        threshold: float,
        calibration: Calibration = Calibration(),
        sure: float = 0.5,
    ) -> None:
        self.network = network
        self.sizing = sizing
        self.threshold = threshold
        self.calibration = calibration
        self.sure = sure
        self.runs, self.at_once = network.runs, network.at_once

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture, surest first. One batch: memory is the caller's."""
        seen = [_resized(as_picture(image), self.sight.size(*image.shape[:2])) for image in images]
        if self.sizing.closer == 1:
            found = self._look(seen, self.sizing, self.threshold)
        else:
            first = self._look(seen, self.sizing, min(self.threshold, self.sure))
            found = [self._closer(*each).above(self.threshold) for each in zip(seen, first, strict=True)]
        return [_back(*each) for each in zip(found, seen, images, strict=True)]

    @property
    def sight(self) -> Sight:
        """How large a picture it has use for."""
        sizing = self.sizing.closely()
        return Sight(sizing.shorter, sizing.longest)

    def network_shape(self, height: int, width: int) -> tuple[int, int]:
        """What the network is given of a picture of that size: pictures with one shape go through it together as
        they do alone."""
        return self.sizing.padded(height, width)

    def _look(self, pictures: list[Picture], sizing: Sizing, threshold: float) -> list[Faces]:
        fitted = [_resized(picture, sizing.size(*picture.shape[:2])) for picture in pictures]
        found = self.network.find(fitted, threshold) if fitted else []
        return [_back(*each) for each in zip(found, fitted, pictures, strict=True)]

    def _closer(self, picture: Picture, first: Faces) -> Faces:
        """What the first look found; where some of it is small, the closer look's small finds in place of those.

        Both have those of middle size, of which each face is kept once.
        """
        if not (self._sides(picture, first.above(self.sure)) < SMALL).any():
            return first
        second = self._look([picture], self.sizing.closely(), self.threshold)[0]
        larger, smaller = self._sides(picture, first) >= SMALL, self._sides(picture, second) < LARGE
        return merged([first[larger], second[smaller]])

    def _sides(self, picture: Picture, faces: Faces) -> NDArray[np.float32]:
        """(N,) pixels of the faces' shorter sides in the network at the first look."""
        factor = self.sizing.size(*picture.shape[:2])[0] / picture.shape[0]
        return (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1, initial=np.inf) * factor


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    return picture if size == picture.shape[:2] else resize(picture, size)


def _back(faces: Faces, seen: Picture, image: Picture) -> Faces:
    """What was found in `seen`, in the pixels of `image`."""
    if seen is image:
        return faces
    across, down = image.shape[1] / seen.shape[1], image.shape[0] / seen.shape[0]
    return Faces(clip(scale(faces.boxes, (down, across)), (image.shape[0], image.shape[1])), faces.scores)
