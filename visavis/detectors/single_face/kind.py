"""What visavis.kinds needs to know about networks that find one face a picture: how to load, export and train them.

Torch is imported only in the functions that need it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.errors import InputError

if TYPE_CHECKING:
    import torch

    from visavis.detectors.single_face.detector import SingleFaceDetector
    from visavis.detectors.single_face.network import SingleFace

ARCHS = ("single_face", "single_face_mobilenet_v2", "single_face_mobilenet_v2_slim")
"""The names of `DESIGNS` in network.py, which needs torch."""
LIGHT = ARCHS[1:]
"""Those of which a CPU trains a step in a second or two."""
LIGHTER = f"take --arch {ARCHS[-1]}"
GOAL = "AP"
USE = "find a face in each of your photos: python predict.py PHOTOS --detector {weights} --out boxed"
NO_USE = "it finds none of the validation faces yet: train for more epochs, or start from trained weights"
SMALLEST = 32
"""The smallest side of the square that a network sees, in pixels: what is left of it after five halvings is 1."""


def defaults(arch: str) -> tuple[str, str]:
    """The initial weights and the augmentation of a training that names none."""
    return "shipped" if arch == "single_face_mobilenet_v2_slim" else "imagenet", "full"


def inits(arch: str) -> tuple[str, ...]:
    """The names of initial weights that a training may begin with, besides a file."""
    return defaults(arch)[0], "none"


def learns(arch: str) -> tuple[str, dict[str, Any]]:
    """The subject of dataset.subjects, and which part of it."""
    return "faces", {}


def load(
    path: Path, metadata: dict[str, Any], device: str, threshold: float | None, **options: Any
) -> "SingleFaceDetector":
    """The detector of a checkpoint; options: those of `visavis.load_detector`. Raises InputError."""
    from visavis.detectors.single_face.detector import load

    return load(path, metadata, device, threshold, **options)


def export(path: Path, out: Path) -> None:
    """Write the checkpoint at `path` as the ONNX file `out`. Raises InputError and OSError."""
    from visavis.detectors.single_face.exported import write

    write(path, out)


def network(arch: str, init: str, trainable_layers: int = 3, freeze: str | None = None) -> "SingleFace":
    """The network to train. init: its initial weights; freeze: `nothing`, or all but the heads, in place of
    `trainable_layers`. Raises InputError."""
    from visavis.detectors.single_face.network import STAGES, build

    return build(arch, init, trainable_layers if freeze is None else STAGES if freeze == "nothing" else 0)


def ready(model: "SingleFace", on: "torch.device", size: int | None) -> "SingleFace":
    """The network on the device on which it learns, with the `size` of training pictures, or its own."""
    if size is not None and size < SMALLEST:
        raise InputError(f"`size` {size}: this network needs squares of {SMALLEST} pixels or more")
    if size is not None:
        model.transform.in_training = size
    return model.to(on)


def detector(model: "SingleFace", threshold: float, on: "torch.device") -> "SingleFaceDetector":
    """The detector of a network as it is now, for validation during training."""
    from visavis.detectors.single_face.detector import of_model

    return of_model(model, threshold, on)


def described(model: "SingleFace") -> dict[str, Any]:
    """The metadata of a checkpoint that describe the network, besides its architecture."""
    boxes = "x1 y1 x2 y2 in pixels, by the convention of the labels that it was trained on"
    return {"boxes": boxes, "side": model.side}
