"""Loads detectors from checkpoints on disk. backends.py chooses what runs them."""

from pathlib import Path

from visavis import checkpoint
from visavis.calibration import scoring
from visavis.detectors.faster_rcnn import backends
from visavis.detectors.faster_rcnn.trained import TrainedDetector
from visavis.ranges import check_number

SMALLEST = 32
"""The smallest useful shorter side of a photo, in pixels."""


def load(
    path: Path,
    device: str = "auto",
    threshold: float | None = None,
    backend: str = "auto",
    precision: str = "fp32",
    size: int | None = None,
    at_once: int = 1,
) -> TrainedDetector:
    """The detector of a checkpoint; for the options see `visavis.load_detector`. Raises InputError if the file is no
    checkpoint or its architecture is unknown, and for options that are not available.
    """
    if size is not None:
        check_number("size", size, SMALLEST)
    metadata = checkpoint.metadata(path)
    network, sizing = backends.network(path, metadata, device, backend, precision, at_once)
    if size is not None:
        sizing = sizing.resized(size)
    return TrainedDetector(network, sizing, *scoring(metadata, threshold))
