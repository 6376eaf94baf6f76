"""The detectors, one file each, and how to get one by its name or its weights.

A detector is anything with `detect(images) -> list[Faces]` (see `Detector`).
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from visavis.command import InputError
from visavis.faces import Faces
from visavis.images import Picture

SHIPPED = Path(__file__).resolve().parents[2] / "weights" / "mobilenet_v2_slim_fpnlite.safetensors"

DETECTORS: dict[str, str] = {
    "shipped": "visavis.detectors.stored:shipped",
    "opencv_haar": "visavis.detectors.opencv_haar:load",
    "dlib_hog": "visavis.detectors.dlib_face_recognition:hog",
    "dlib_cnn": "visavis.detectors.dlib_face_recognition:cnn",
    "mtcnn": "visavis.detectors.mtcnn:load",
    "centerface": "visavis.detectors.centerface:load",
}
"""Name -> `module:function`, which takes (device: str, threshold: float | None) and makes a Detector."""


class Detector(Protocol):
    """Finds faces. Takes pictures of any size, keeps their order, accepts an empty list."""

    threshold: float
    """The score from which on a find is returned. Set it, and the next call goes by it: nothing is loaded again."""

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture, in that picture's pixels, surest first."""
        ...


def load_detector(
    name_or_path: str | Path = "shipped",
    device: str = "auto",
    threshold: float | None = None,
    *,
    backend: str = "auto",
    precision: str = "fp32",
    size: int | None = None,
    tiles: bool = False,
    at_once: int = 1,
) -> Detector:
    """A detector of `DETECTORS` by its name, or the one whose checkpoint (train.py's, .safetensors) lies at a path.

    device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, `mps`; those of other packages that know
    no GPU run on the CPU whatever it says, and say so when asked for another.
    threshold: the score from which on a find is returned; by default the detector's own: a checkpoint's gave
    the best F1 on its validation photos. For a whole precision-recall curve give a low one (0.05).
    backend: what runs a network of ours: one of visavis.detectors.backends.BACKENDS.
    precision: what it computes in: `fp32`, `bf16`, `fp16`.
    size: pixels that a photo's shorter side has in it, for small faces or for speed. By default its own, and where
    faces turn out to be small, a second look with more.
    tiles: look at large photos in pieces as well, for small faces; see visavis.detectors.tiles. With any detector.
    at_once: calls of `detect` that threads will make at the same time. On a CPU each has its share of the cores: more
    photos a second, of which each takes longer. The detector's own `at_once` says how many it has use for.
    Raises visavis.command.InputError where there is no such detector, its package is not installed, the file is
    not there or is no checkpoint, and for options that cannot be had.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise InputError(f"--threshold {threshold:g}: a score lies between 0 and 1")
    if at_once < 1:
        raise InputError(f"at_once = {at_once}: give at least 1")
    ours = {"backend": backend, "precision": precision, "size": size, "at_once": at_once}
    if str(name_or_path) in DETECTORS:
        module, function = DETECTORS[str(name_or_path)].split(":")
        make: Callable[..., Detector] = getattr(import_module(module), function)
        options = ours | {"once": tiles} if str(name_or_path) == "shipped" else _none_of(ours, str(name_or_path))
        detector = make(device, threshold, **options)
    else:
        detector = _of_checkpoint(Path(name_or_path), device, threshold, ours | {"once": tiles})
    if not tiles:
        return detector
    tiled: Callable[[Detector], Detector] = import_module("visavis.detectors.tiles").Tiles
    return tiled(detector)


def _of_checkpoint(path: Path, device: str, threshold: float | None, options: dict[str, Any]) -> Detector:
    if not path.suffix and not path.exists():
        raise InputError(f"no detector {str(path)!r}; give one of {', '.join(DETECTORS)}, or the path of a checkpoint")
    load: Callable[..., Detector] = import_module("visavis.detectors.stored").load
    return load(path, device, threshold, **options)


def _none_of(options: dict[str, Any], name: str) -> dict[str, Any]:
    """No options, for a detector of another package; raises InputError where one was asked for."""
    for option, value in options.items():
        if option != "at_once" and value not in (None, "auto", "fp32"):
            raise InputError(f"--{option} {value}: {name} runs in one way only; leave --{option} out")
    return {}


def needed(package: str, detector: str, install: str) -> object:
    """Import a package that only one detector needs. Raises InputError that says how to install it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise InputError(f"{detector} needs a package that is not there ({error}); {install}") from None
