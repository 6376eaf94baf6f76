"""What visavis.kinds needs to know about Faster R-CNN: how to load, export and train it.

Torch is imported only in the functions that need it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torchvision.models.detection import FasterRCNN

    from visavis.detectors.faster_rcnn.trained import TrainedDetector
    from visavis.training.draws import Draws

ARCHS = (
    "resnet50_fpn",
    "resnet50_fpn_v2",
    "mobilenet_v3_large_320_fpn",
    "mobilenet_v2_fpn",
    "mobilenet_v2_fpnlite",
    "mobilenet_v2_slim_fpnlite",
)
"""The names of `ARCHS` in architectures.py, which needs torch."""
LIGHT = tuple(name for name in ARCHS if name.startswith("mobilenet"))
"""Those of which a CPU trains a step in a second or two."""
LIGHTER = "leave out --arch and --init to train the light network that comes with visavis"
GOAL = "AP"
USE = "find the faces in your photos: python predict.py PHOTOS --detector {weights} --out boxed"
NO_USE = "it finds none of the validation faces yet: train for more epochs, or start from trained weights"


def defaults(arch: str) -> tuple[str, str]:
    """The initial weights and the augmentation of a training that names none."""
    return "coco", "full"


def inits(arch: str) -> tuple[str, ...]:
    """The names of initial weights that a training may begin with, besides a file."""
    return "shipped", "coco", "imagenet", "none"


def learns(arch: str) -> tuple[str, dict[str, Any]]:
    """The subject of dataset.subjects, and which part of it."""
    return "faces", {}


def load(
    path: Path, metadata: dict[str, Any], device: str, threshold: float | None, **options: Any
) -> "TrainedDetector":
    """The detector of a checkpoint; options: those of `visavis.load_detector`. Raises InputError."""
    from visavis.detectors.faster_rcnn.stored import load

    return load(path, device, threshold, **options)


def export(path: Path, out: Path) -> None:
    """Write the checkpoint at `path` as the ONNX file `out`. Raises InputError and OSError."""
    from visavis.detectors.faster_rcnn.exported import write

    write(path, out)


def network(arch: str, init: str, trainable_layers: int = 3, freeze: str | None = None) -> "FasterRCNN":
    """The network to train. init: its initial weights; freeze: what does not learn, in place of
    `trainable_layers` (see `build` and `freeze` in architectures.py). Raises InputError."""
    from visavis.detectors.faster_rcnn import architectures
    from visavis.detectors.faster_rcnn.folding import merge

    model = architectures.build(arch, init, trainable_layers)
    if freeze is not None:
        architectures.freeze(model, freeze)
    merge(model)
    return model


def ready(model: "FasterRCNN", on: "torch.device", size: int | None) -> "FasterRCNN":
    """The network on the device on which it learns, with the `size` of training pictures, or its own."""
    from visavis.detectors.faster_rcnn.strides import settle

    model.transform.in_training = size
    return settle(model.to(on))


def draws(model: "FasterRCNN") -> "Draws":
    """Make the random choices of the network depend on seeds."""
    from visavis.training.draws import from_seeds

    return from_seeds(model)


def spread(model: "FasterRCNN", on: "torch.device") -> None:
    """Make the network learn the same in several processes as in one."""
    from visavis.training.distributed import pad_alike

    pad_alike(model, on)


def detector(model: "FasterRCNN", threshold: float, on: "torch.device") -> "TrainedDetector":
    """The detector of a network as it is now, for validation during training."""
    from visavis.detectors.faster_rcnn.eager import of_model

    return of_model(model, threshold, on)


def described(model: "FasterRCNN") -> dict[str, Any]:
    """The metadata of a checkpoint that describe the network, besides its architecture."""
    from visavis.detectors.faster_rcnn.architectures import norm_eps

    boxes = "x1 y1 x2 y2 in pixels, by the convention of the labels that it was trained on"
    return {"boxes": boxes, "norm_eps": norm_eps(model)}
