"""The detector that a trained network makes, whichever program runs it: pictures of any size in, Faces out.

`load` gives that of a checkpoint. Nothing here needs torch, so that a detector which another back end runs starts
without it.
"""

from pathlib import Path
from typing import Any, Protocol

from visavis import checkpoint
from visavis.boxes import clip, scale
from visavis.calibration import Calibration, of_checkpoint
from visavis.command import InputError
from visavis.detectors import SHIPPED, backends
from visavis.detectors.sizing import Sizing
from visavis.faces import Faces
from visavis.images import Picture, as_picture, resize
from visavis.sight import Sight

SMALLEST = 32
"""Pixels of a photo's shorter side below which nothing is left to see."""


class Network(Protocol):
    """What runs a network: one of visavis.detectors.backends."""

    runs: str
    """What it is, and on what, for people."""

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
        self.runs = network.runs

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


def load(
    path: Path,
    device: str = "auto",
    threshold: float | None = None,
    backend: str = "auto",
    precision: str = "fp32",
    size: int | None = None,
) -> TrainedDetector:
    """The detector of a checkpoint; for the options see `visavis.load_detector`. Raises InputError where the file is no
    checkpoint, or is of an arch that is not known, and for options that cannot be had.
    """
    if size is not None and size < SMALLEST:
        raise InputError(f"--size {size}: give {SMALLEST} pixels or more")
    metadata = checkpoint.metadata(path)
    network, sizing = backends.network(path, metadata, device, backend, precision)
    own = metadata.get("threshold", 0.5) if threshold is None else threshold
    return TrainedDetector(network, sizing.resized(size) if size else sizing, own, of_checkpoint(metadata))


def shipped(device: str = "auto", threshold: float | None = None, **options: Any) -> TrainedDetector:
    """The detector that comes with the project; options: as for `load`."""
    return load(SHIPPED, device, threshold, **options)


def _back(faces: Faces, seen: Picture, image: Picture) -> Faces:
    """What was found in `seen`, in the pixels of `image`."""
    if seen is image:
        return faces
    across, down = image.shape[1] / seen.shape[1], image.shape[0] / seen.shape[0]
    return Faces(clip(scale(faces.boxes, (down, across)), (image.shape[0], image.shape[1])), faces.scores)
