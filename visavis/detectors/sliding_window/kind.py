"""What visavis.kinds needs to know about networks that judge windows: how to load, export and train them.

Torch is imported only in the functions that need it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from visavis.detectors.sliding_window.detector import SlidingWindow
    from visavis.detectors.sliding_window.network import WindowNetwork

ARCHS = ("window_cnn", "window_cnn_small")
LIGHT = ("window_cnn_small",)
LIGHTER = "take --arch window_cnn_small"
DESIGN = dict.fromkeys(ARCHS, ("alpha", "sizes", "stride"))
GOAL = "F1"
USE = "find the faces in your photos: python predict.py PHOTOS --detector {weights} --out boxed"
NO_USE = "it finds none of the validation faces yet: train for more epochs"


def defaults(arch: str) -> tuple[str, str]:
    """The initial weights and the augmentation of a training that names none."""
    return "none", "light"


def inits(arch: str) -> tuple[str, ...]:
    """The names of initial weights that a training may begin with, besides a file."""
    return ("none",)


def learns(arch: str) -> tuple[str, dict[str, Any]]:
    """The subject of dataset.subjects."""
    return "windows", {}


def load(path: Path, metadata: dict[str, Any], device: str, threshold: float | None, **options: Any) -> "SlidingWindow":
    """The detector of a checkpoint; options: those of `visavis.load_detector`. Raises InputError."""
    from visavis.detectors.sliding_window.stored import load

    return load(path, metadata, device, threshold, **options)


def export(path: Path, out: Path) -> None:
    """Write the checkpoint at `path` as the ONNX file `out`. Raises InputError and OSError."""
    from visavis.detectors.sliding_window.exported import write

    write(path, out)


def network(
    arch: str, init: str, trainable_layers: int = 3, freeze: str | None = None, **design: Any
) -> "WindowNetwork":
    """The network to train; all of it learns. design: options of `DESIGN`. Raises InputError."""
    from visavis.detectors.sliding_window.network import build

    if freeze not in (None, "nothing"):
        raise InputError(f"`freeze` {freeze} means nothing to {arch}, all of which learns; leave it out")
    return build(arch, init, **design)


def ready(model: "WindowNetwork", on: "torch.device", size: int | None) -> "WindowNetwork":
    """The network on the device on which it learns."""
    return model.to(on)


def example(model: "WindowNetwork", square: bool) -> tuple["Tensor", dict[str, Any]]:
    """The windows of a photo, as many as training takes at most, and their target."""
    import torch

    from visavis.detectors.sliding_window.design import FACES, OTHERS
    from visavis.detectors.sliding_window.windows import SIDE

    labels = (torch.arange(FACES + OTHERS) < FACES).float()
    return torch.zeros(len(labels), 3, SIDE, SIDE, dtype=torch.uint8), {"labels": labels, "weights": labels + 1}


def detector(model: "WindowNetwork", threshold: float, on: "torch.device") -> "SlidingWindow":
    """The detector of a network as it is now, for validation during training."""
    from visavis.detectors.sliding_window.eager import of_model

    return of_model(model, threshold, on)


def described(model: "WindowNetwork") -> dict[str, Any]:
    """The metadata of a checkpoint that describe the network, besides its architecture."""
    return {"windows": model.design.plain()}
