"""What visavis.kinds needs to know about networks that find points of faces.

Torch is loaded by what needs it, when it is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.errors import InputError

if TYPE_CHECKING:
    import torch

    from visavis.analysers.protocol import Analyser

ARCHS = ("face_points", "keypoints_cnn")
LIGHT = ARCHS
DESIGN = {"keypoints_cnn": ("blocks", "dropout")}
GOAL = "area under the curve of errors up to 8 %"
USE = "see the points of the faces in your photos: python predict.py PHOTOS --analyse {weights} --out analysed"
NO_USE = "all errors are above 8 % yet: train for more epochs, or start from trained weights"


def defaults(arch: str) -> tuple[str, str]:
    """The initial weights and the augmentation of a training that names none."""
    return ("imagenet", "full") if arch == "face_points" else ("none", "light")


def inits(arch: str) -> tuple[str, ...]:
    """The names of initial weights that a training may begin with, besides a file."""
    return ("shipped", "imagenet", "none") if arch == "face_points" else ("none",)


def learns(arch: str) -> tuple[str, dict[str, Any]]:
    """The subject of dataset.subjects."""
    return "points", {}


def load(path: Path, metadata: dict[str, Any], device: str, threshold: float | None, **options: Any) -> Any:
    """It finds no faces: always raises InputError."""
    raise InputError(f"{path} finds points of faces, and no faces; give it as an analyser, not as a detector")


def analyser(path: Path) -> "Analyser":
    """The points that the network of a checkpoint finds."""
    from visavis.analysers.points.analyser import FacePoints

    return FacePoints(path)


def export(path: Path, out: Path) -> None:
    """Write the checkpoint at `path` as the ONNX file `out`. Raises InputError, and OSError where that fails."""
    from visavis.analysers.points.exported import write

    write(path, out)


def network(arch: str, init: str, trainable_layers: int = 3, freeze: str | None = None, **design: Any) -> Any:
    """The network that learns. init: where its weights come from, `shipped` for those of face_points that come with
    visavis; freeze: `nothing`, or all but the maps, in place of `trainable_layers`. design: options of `DESIGN`. Raises
    InputError."""
    from visavis.analysers.points.analyser import SHIPPED
    from visavis.analysers.points.network import STAGES, build_face_points, build_keypoints_cnn

    if arch == "keypoints_cnn":
        return build_keypoints_cnn(init, **design)
    init = str(SHIPPED) if init == "shipped" else init
    return build_face_points(init, trainable_layers if freeze is None else len(STAGES) if freeze == "nothing" else 0)


def ready(model: Any, on: "torch.device", size: int | None) -> Any:
    """The network on the device that it learns on."""
    return model.to(on)


def described(model: Any) -> dict[str, Any]:
    """What the metadata of a checkpoint say of the network besides its architecture."""
    from visavis.analysers.points.network import has_norms

    known = {"side": model.side, "margin": model.margin, "count": model.count, "norms": has_norms(model)}
    return known | ({"design": model.design} if model.design else {})
