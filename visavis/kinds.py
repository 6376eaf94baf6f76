"""Kinds of checkpoints: which module makes a detector, an ONNX file, or something that learns of each kind.

A checkpoint's metadata name its `kind`; those written before there were several are Faster R-CNNs. To add a kind is to
add its module and a line here. Nothing that reads this loads torch.
"""

from importlib import import_module
from typing import Any

from visavis.errors import InputError

KINDS: dict[str, str] = {
    "faster_rcnn": "visavis.detectors.faster_rcnn.kind",
    "viola_jones": "visavis.detectors.viola_jones.kind",
    "single_face": "visavis.detectors.single_face.kind",
    "window_cnn": "visavis.detectors.sliding_window.kind",
    "window_trees": "visavis.detectors.sliding_window.trees_kind",
    "face_attributes": "visavis.analysers.attributes.kind",
    "face_points": "visavis.analysers.points.kind",
}
"""Kind -> its module. What a module of a kind has:

ARCHS, LIGHT    names of its architectures, and of those that a CPU can train
GOAL            what decides which weights are the best
USE, NO_USE     what to say at the end of a training, with {weights}, and where it came to nothing
defaults        arch -> the initial weights and the augmentation of a training that names none
inits           arch -> the names of the initial weights that it may begin with, besides a file
learns          arch -> what such a network learns: the name of one of dataset.subjects, and arguments for it
load            (path, metadata, device, threshold, **options) -> a detector, for visavis.load_detector
export          (path, out): write the checkpoint as an ONNX file
analyser        path -> an analyser, for visavis.load_analyser; analysers only

and, if it has architectures:

network         (arch, init, trainable_layers, freeze, **design) -> the network that train.py trains
DESIGN          arch -> options of train.py that say how it is built, where it has such; may be left out
ready           (network, device, size) -> the network, ready to learn there from pictures of that size
draws           (network) -> what the network draws in training (visavis.training.draws); left out if it draws nothing
example         (network, whether photos are square) -> what the network receives of a photo, and its target, to time a
                step of a network that is not LIGHT; may be left out where that is a photo and its faces
LIGHTER         what to do for a network that is LIGHT; only where some are not
spread          (network, device): what it needs to learn in several processes; left out if that is nothing
detector        (network, threshold, device) -> a detector of a network in training, for validation; detectors only
described       (network) -> what a checkpoint's metadata say of this kind of network besides its arch
"""


def of(metadata: dict[str, Any], source: object = "the checkpoint") -> Any:
    """The module of a checkpoint's kind, by its metadata. Raises InputError for a kind that is not known."""
    kind = metadata.get("kind", "faster_rcnn")
    if kind not in KINDS:
        raise InputError(f"{source} is of the kind {kind!r}; this version of visavis knows {', '.join(KINDS)}")
    return import_module(KINDS[kind])


def archs() -> list[str]:
    """The names of all architectures."""
    return [arch for module in KINDS.values() for arch in import_module(module).ARCHS]


def of_arch(arch: str) -> tuple[str, Any]:
    """The kind that has this architecture, and its module. Raises InputError for an architecture that is not known."""
    for kind, module in KINDS.items():
        if arch in import_module(module).ARCHS:
            return kind, import_module(module)
    raise InputError(f"unknown `arch` {arch!r}; there are {', '.join(archs())}")
