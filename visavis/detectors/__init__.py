"""The detectors, one file each, and how to get one by its name or its weights. docs/architecture.md adds one."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from visavis import checkpoint, kinds
from visavis.checkpoint import SHIPPED
from visavis.detectors.loaded import LoadedDetector
from visavis.detectors.only_way import none_of
from visavis.detectors.protocol import Detector
from visavis.detectors.tiles import LARGE, LARGE_PIECE, Tiles
from visavis.errors import InputError
from visavis.ranges import check_number

__all__ = ["DETECTORS", "Detector", "LoadedDetector", "load_detector"]

DETECTORS: dict[str, str] = {
    "shipped": "visavis.checkpoint:SHIPPED",
    "single_face": "visavis.detectors.single_face.detector:shipped",
    "window_cnn": "visavis.detectors.sliding_window.stored:shipped",
    "opencv_haar": "visavis.detectors.opencv_haar:OpencvHaar",
    "dlib_hog": "visavis.detectors.dlib_face_recognition:hog",
    "dlib_cnn": "visavis.detectors.dlib_face_recognition:cnn",
    "mtcnn": "visavis.detectors.mtcnn:Mtcnn",
    "centerface": "visavis.detectors.centerface:CenterFace",
    "viola_jones": "visavis.detectors.viola_jones.detector:load",
}
"""Name -> `module:function` (or class), which takes (device: str, threshold: float | None) and returns a Detector. The
shipped one is a checkpoint of `train.py`, from which `visavis.kinds` makes a detector."""

OURS = ("shipped", "single_face", "window_cnn", "viola_jones")
"""Those whose weights come with visavis; the others need packages or files that it does not bring along."""

OTHER_FILES: dict[str, str] = {".xml": "visavis.detectors.viola_jones.detector:of_opencv"}
"""Extension of a file that is no checkpoint of ours -> `module:function`, which takes (path: Path, device: str,
threshold: float | None) and returns a Detector."""


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
    """A detector of `DETECTORS` by its name, or that of a checkpoint of train.py (.safetensors) or of a cascade of
    OpenCV (.xml) by its path.

    device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`. Detectors of other packages that cannot use
    a GPU run on the CPU in any case, with a message if another device was given. threshold: the lowest score of a face
    that is returned; by default the detector's own: for a checkpoint, that of the best F1 on its validation photos. For
    a whole precision-recall curve give a low one (0.05). backend: the library that runs a network of ours: `auto`,
    `torch`, `onnxruntime`, `openvino`. precision: of the arithmetic: `fp32`, `bf16`, `fp16`. size: pixels of a photo's
    shorter side in the network, larger for small faces or smaller for speed; smaller photos are enlarged to it. The
    default is the detector's own, which enlarges little. Its further looks at lower and higher resolution
    (visavis.detectors.faster_rcnn.trained) are not affected. tiles: search photos in overlapping pieces, too, for small
    faces, with any detector (visavis.detectors.tiles). "large": only photos whose shorter side has more than 1,228
    pixels, in pieces of 1,024. at_once: how many calls of `detect` threads will make at the same time. On a CPU each
    gets its share of the cores: more photos a second, each of which takes longer. `about.at_once` of the detector says
    how many it supports. Raises visavis.errors.InputError if there is no such detector, its package is not installed,
    the file does not exist or is no checkpoint, and for options that are not available.
    """
    if threshold is not None:
        check_number("threshold", threshold, 0, 1)
    check_number("at_once", at_once, 1)
    ours = {"backend": backend, "precision": precision, "size": size, "at_once": at_once}
    name = str(name_or_path)
    if name == "shipped":
        detector = _of_checkpoint(SHIPPED, device, threshold, ours)
    elif name in DETECTORS:
        detector = _named(DETECTORS[name])(device, threshold, **none_of(ours, name))
    elif (extension := Path(name).suffix) in OTHER_FILES:
        detector = _named(OTHER_FILES[extension])(Path(name), device, threshold, **none_of(ours, name))
    else:
        detector = _of_checkpoint(Path(name_or_path), device, threshold, ours)
    if tiles == "large":
        detector = Tiles(detector, LARGE_PIECE, LARGE)
    elif tiles:
        detector = Tiles(detector)
    return LoadedDetector(detector)


def check(name_or_path: str | Path) -> None:
    """Raise InputError for what is neither a name of a detector nor a file, as `load_detector` does, but at once: for
    commands that read much before they load one."""
    path = Path(name_or_path)
    if str(path) not in DETECTORS and not path.suffix and not path.exists():
        raise InputError(f"no detector {str(path)!r}; give one of {', '.join(DETECTORS)}, or the path of a checkpoint")


def _named(place: str) -> Callable[..., Detector]:
    """The function of a `module:function`."""
    module, function = place.split(":")
    return getattr(import_module(module), function)


def _of_checkpoint(path: Path, device: str, threshold: float | None, options: dict[str, Any]) -> Detector:
    check(path)
    metadata = checkpoint.metadata(path)
    return kinds.of(metadata, path).load(path, metadata, device, threshold, **options)
