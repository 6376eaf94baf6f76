"""What visavis.kinds needs to know about networks that predict attributes of faces.

Torch is loaded by what needs it, when it is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.analysers.attributes.designs import DESIGNS
from visavis.errors import InputError

if TYPE_CHECKING:
    import torch

    from visavis.analysers.attributes.network import FaceAttributes
    from visavis.analysers.protocol import Analyser

ARCHS = tuple(DESIGNS)
LIGHT = ARCHS
GOAL = "share of right answers"
USE = "see these attributes of the faces in your photos: python predict.py PHOTOS --analyse {weights} --out analysed"
ALL_STAGES = 5
NO_USE = "it gives no right answer yet: train for more epochs, or start from trained weights"


def defaults(arch: str) -> tuple[str, str]:
    """The initial weights and the augmentation of a training that names none."""
    return DESIGNS[arch].init, DESIGNS[arch].transforms


def inits(arch: str) -> tuple[str, ...]:
    """The names of initial weights that a training may begin with, besides a file."""
    own = ("shipped",) if arch == "face_attributes" else ()
    return (*own, *dict.fromkeys((DESIGNS[arch].init, "none")))


def learns(arch: str) -> tuple[str, dict[str, Any]]:
    """The subject of dataset.subjects, and which part of it."""
    return "attributes", {"heads": tuple(DESIGNS[arch].heads)}


def load(path: Path, metadata: dict[str, Any], device: str, threshold: float | None, **options: Any) -> Any:
    """It finds no faces: always raises InputError."""
    raise InputError(f"{path} predicts attributes of faces and detects none; give it as an analyser, not as a detector")


def analyser(path: Path) -> "Analyser":
    """All that the network of a checkpoint predicts."""
    from visavis.analysers.attributes.analyser import FaceAttributes

    return FaceAttributes((), path)


def export(path: Path, out: Path) -> None:
    """Write the checkpoint at `path` as the ONNX file `out`. Raises InputError, and OSError where that fails."""
    from visavis.analysers.attributes.exported import write

    write(path, out)


def network(arch: str, init: str, trainable_layers: int = 3, freeze: str | None = None) -> "FaceAttributes":
    """The network that learns. init: where its weights come from, `shipped` for those of face_attributes that come with
    visavis; freeze: `nothing`, or all but the heads, in place of `trainable_layers`. Raises InputError."""
    from visavis.analysers.attributes.analyser import SHIPPED
    from visavis.analysers.attributes.network import build

    if init == "shipped" and arch == "face_attributes":
        init = str(SHIPPED)
    return build(arch, init, trainable_layers if freeze is None else ALL_STAGES if freeze == "nothing" else 0)


def ready(model: "FaceAttributes", on: "torch.device", size: int | None) -> "FaceAttributes":
    """The network on the device that it learns on."""
    return model.to(on)


def described(model: "FaceAttributes") -> dict[str, Any]:
    """What the metadata of a checkpoint say of the network besides its architecture."""
    from visavis.analysers.attributes.network import has_norms

    return {"heads": model.predicts, "side": model.side, "margin": model.margin, "norms": has_norms(model)}
