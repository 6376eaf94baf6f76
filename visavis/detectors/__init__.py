"""The detectors, one file each, and how to get one by its name or its weights.

A detector is anything with `detect(images) -> list[Faces]` (see `Detector`).
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from visavis import checkpoint, kinds
from visavis.checkpoint import SHIPPED
from visavis.detectors.loaded import LoadedDetector
from visavis.detectors.protocol import Detector
from visavis.detectors.tiles import LARGE, LARGE_PIECE, Tiles
from visavis.errors import InputError

__all__ = ["DETECTORS", "Detector", "LoadedDetector", "load_detector"]

DETECTORS: dict[str, str] = {
    "shipped": "visavis.checkpoint:SHIPPED",
    "opencv_haar": "visavis.detectors.opencv_haar:load",
    "dlib_hog": "visavis.detectors.dlib_face_recognition:hog",
    "dlib_cnn": "visavis.detectors.dlib_face_recognition:cnn",
    "mtcnn": "visavis.detectors.mtcnn:load",
    "centerface": "visavis.detectors.centerface:load",
}
"""Name -> `module:function`, which takes (device: str, threshold: float | None) and makes a Detector. The shipped one
is a checkpoint, as `train.py` writes them, and `visavis.kinds` says what makes a detector of it."""


def load_detector(
    name_or_path: str | Path = "shipped",
    device: str = "auto",
    threshold: float | None = None,
    *,
    backend: str = "auto",
    precision: str = "fp32",
    size: int | None = None,
    tiles: bool | Literal["large"] = False,
    at_once: int = 1,
) -> LoadedDetector:
    """A detector of `DETECTORS` by its name, or the one whose checkpoint (train.py's, .safetensors) lies at a path.

    device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, `mps`; those of other packages that know
    no GPU run on the CPU whatever it says, and say so when asked for another.
    threshold: the score from which on a find is returned; by default the detector's own: a checkpoint's gave
    the best F1 on its validation photos. For a whole precision-recall curve give a low one (0.05).
    backend: the library that runs a network of ours: `auto`, `torch`, `onnxruntime`, `openvino`.
    precision: what it computes in: `fp32`, `bf16`, `fp16`.
    size: pixels that a photo's shorter side has in it, for small faces or for speed; a small photo is enlarged to that.
    By default its own, which enlarges little. Looks besides the first (visavis.detectors.faster_rcnn.trained) stay.
    tiles: look at photos in pieces as well, for small faces; see visavis.detectors.tiles. With any detector. "large":
    only at those whose shorter side has more than 1,228 pixels, in pieces of 1,024.
    at_once: calls of `detect` that threads will make at the same time. On a CPU each has its share of the cores: more
    photos a second, of which each takes longer. The detector's own `at_once` says how many it has use for.
    Raises visavis.errors.InputError where there is no such detector, its package is not installed, the file is
    not there or is no checkpoint, and for options that cannot be had.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise InputError(f"`threshold` must lie between 0 and 1, and is {threshold:g}")
    if at_once < 1:
        raise InputError(f"`at_once` must be 1 or more, and is {at_once}")
    ours = {"backend": backend, "precision": precision, "size": size, "at_once": at_once}
    name = str(name_or_path)
    if name == "shipped":
        detector = _of_checkpoint(SHIPPED, device, threshold, ours)
    elif name in DETECTORS:
        module, function = DETECTORS[name].split(":")
        make: Callable[..., Detector] = getattr(import_module(module), function)
        detector = make(device, threshold, **_none_of(ours, name))
    else:
        detector = _of_checkpoint(Path(name_or_path), device, threshold, ours)
    if tiles == "large":
        detector = Tiles(detector, LARGE_PIECE, LARGE)
    elif tiles:
        detector = Tiles(detector)
    return LoadedDetector(detector)


def _of_checkpoint(path: Path, device: str, threshold: float | None, options: dict[str, Any]) -> Detector:
    if not path.suffix and not path.exists():
        raise InputError(f"no detector {str(path)!r}; give one of {', '.join(DETECTORS)}, or the path of a checkpoint")
    metadata = checkpoint.metadata(path)
    return kinds.of(metadata, path).load(path, metadata, device, threshold, **options)


def _none_of(options: dict[str, Any], name: str) -> dict[str, Any]:
    """No options, for a detector of another package; raises InputError where one was asked for."""
    for option, value in options.items():
        if option != "at_once" and value not in (None, "auto", "fp32"):
            raise InputError(f"`{option}` {value}: {name} runs in one way only; leave `{option}` out")
    return {}
