"""The detector that a trained network makes, whichever program runs it: pictures of any size in, Faces out.

Nothing here needs torch, so that a detector which another back end runs starts without it.
"""

from typing import Protocol

from visavis.boxes import clip, scale
from visavis.calibration import Calibration
from visavis.detectors.sizing import Sizing
from visavis.faces import Faces
from visavis.images import Picture, as_picture, resize
from visavis.sight import Sight


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

    threshold: of the scores after calibration. calibration: what is done to the network's scores.
    """

    def __init__(
        self, network: Network, sizing: Sizing, threshold: float, calibration: Calibration = Calibration()
    ) -> None:
        self.network = network
        self.sizing = sizing
        self.threshold = threshold
        self.calibration = calibration
        self.runs, self.at_once = network.runs, network.at_once

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture, surest first. One batch: memory is the caller's."""
        fitted = [self._fitted(as_picture(image)) for image in images]
        found = self.network.find(fitted, self.threshold) if fitted else []
        return [_back(*each) for each in zip(found, fitted, images, strict=True)]

    @property
    def sight(self) -> Sight:
        """How large a picture it has use for."""
        return Sight(self.sizing.shorter, self.sizing.longest)

    def network_shape(self, height: int, width: int) -> tuple[int, int]:
        """What the network is given of a picture of that size: pictures with one shape go through it together as
        they do alone."""
        return self.sizing.padded(height, width)

    def _fitted(self, picture: Picture) -> Picture:
        """A picture at its size in the network."""
        size = self.sizing.size(*picture.shape[:2])
        return picture if size == picture.shape[:2] else resize(picture, size)


def _back(faces: Faces, seen: Picture, image: Picture) -> Faces:
    """What was found in `seen`, in the pixels of `image`."""
    if seen is image:
        return faces
    across, down = image.shape[1] / seen.shape[1], image.shape[0] / seen.shape[0]
    return Faces(clip(scale(faces.boxes, (down, across)), (image.shape[0], image.shape[1])), faces.scores)
