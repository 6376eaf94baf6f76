"""What visavis.kinds needs to know about cascades: how to load them. `python -m visavis.cascade` learns them, not
train.py, which is for networks: a cascade has no epochs and no gradients, and stops when it has enough stages."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.detectors.viola_jones.detector import ViolaJones

ARCHS: tuple[str, ...] = ()
"""None for train.py."""
LIGHT: tuple[str, ...] = ()


def load(path: Path, metadata: dict[str, Any], device: str, threshold: float | None, **options: Any) -> "ViolaJones":
    """The detector of a checkpoint. options: those of `visavis.load_detector`; raises InputError, as a cascade has none
    of them."""
    from visavis.detectors.only_way import none_of
    from visavis.detectors.viola_jones.detector import of_checkpoint

    none_of(options, "a cascade")
    return of_checkpoint(path, metadata, device, threshold)


def export(path: Path, out: Path) -> None:
    """Always raises InputError: a cascade is no network."""
    raise InputError(f"{path} is a cascade, for which ONNX has no operators; `visavis export` is for networks")
