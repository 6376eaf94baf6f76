"""The detectors, one file each, and how to get one by its name or its weights.

A detector is anything with `detect(images) -> list[Faces]` (see `Detector`).
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol

from visavis.faces import Faces
from visavis.images import Picture

SHIPPED = Path(__file__).resolve().parents[2] / "weights" / "mobilenet_v2_fpn.safetensors"

DETECTORS: dict[str, str] = {
    "faster_rcnn": "visavis.detectors.faster_rcnn:load",
}
"""Name -> `module:function`, which takes (weights: Path, device: str, threshold: float | None) and makes a Detector."""


class Detector(Protocol):
    """Finds faces. Takes pictures of any size, keeps their order, accepts an empty list."""

    threshold: float
    """The score from which on a find is returned."""

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture, in that picture's pixels, surest first."""
        ...


def load_detector(weights: str | Path | None = None, device: str = "auto", threshold: float | None = None) -> Detector:
    """The detector with these weights: a checkpoint of train.py's, or the one that the project ships.

    device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
    threshold: the score from which on a find is returned; by default the checkpoint's own, which gave
    the best F1 on its validation photos. For a whole precision-recall curve give a low one (0.05).
    Raises visavis.command.InputError where the file is not there or is no checkpoint.
    """
    module, function = DETECTORS["faster_rcnn"].split(":")
    load: Callable[..., Detector] = getattr(import_module(module), function)
    return load(Path(weights or SHIPPED), device, threshold)
