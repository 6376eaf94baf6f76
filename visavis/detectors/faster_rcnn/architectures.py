"""Faster R-CNN for one class, face, by the name of its architecture.

Ren et al., "Faster R-CNN" (2015), with feature pyramids, Lin et al. (2017), made of torchvision's parts. `build`
returns a network to train, `of_checkpoint` that of a checkpoint. eager.py makes a detector of either, stored.py one of
a checkpoint's file.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision.models import MobileNet_V2_Weights, MobileNet_V3_Large_Weights, ResNet50_Weights
from torchvision.models import detection as zoo
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.ops import FrozenBatchNorm2d

from visavis import checkpoint
from visavis.detectors.faster_rcnn.folding import NORMS
from visavis.detectors.faster_rcnn.incomplete_labels import respect_ignored
from visavis.detectors.faster_rcnn.mobilenet import CLASSES, mobilenet_v2_fpn
from visavis.detectors.faster_rcnn.scaling import Scaling
from visavis.detectors.faster_rcnn.sizing import COARSE
from visavis.errors import InputError
from visavis.training.initial import Weights, fetched, load_exactly, stored

PREDICTOR = "roi_heads.box_predictor."
STAGES_RESNET = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))
INITS = "shipped, coco, imagenet, none, or the path of a file"
MADE_BY_SLIM = "`init` PATH of weights that python -m visavis.slim made of a larger network's"


@dataclass(frozen=True)
class Arch:
    """An architecture: how to build it, the weights of torchvision from which it can start, and how it takes photos."""

    build: Callable[[], zoo.FasterRCNN]
    stages: tuple[tuple[str, ...], ...]
    """The backbone's modules, from the input on, in the groups that are frozen or trained together."""
    imagenet: Any = None
    coco: Any = None
    coco_eps: float = 1e-5
    """The epsilon of batch norm with which the COCO weights were trained."""
    in_use: int | None = None
    """Shorter side in prediction, in pixels; None: torchvision's."""
    enlarge: float = math.inf
    """The most by which a picture is enlarged in prediction."""
    closer: float = 1.0
    """The factor of the second, closer look at pictures with small faces; 1: there is none."""
    coarse: int = 0
    """Shorter side, in pixels, of the coarse look for faces that fill a picture; 0: there is none."""
    slimmer: str = ""
    """The same architecture with fewer channels; see visavis.slim."""


def _torchvision(builder: Callable[..., zoo.FasterRCNN]) -> Callable[[], zoo.FasterRCNN]:
    def build() -> zoo.FasterRCNN:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Changing trainable_backbone_layers")  # `build` freezes, not torchvision
            model = builder(weights=None, weights_backbone=None)
        features = model.roi_heads.box_predictor.cls_score.in_features
        model.roi_heads.box_predictor = FastRCNNPredictor(features, CLASSES)
        return model

    return build


def _numbered(*starts: int, end: int) -> tuple[tuple[str, ...], ...]:
    """The stages of a MobileNet, whose modules are numbered: each begins where the resolution halves."""
    return tuple(tuple(map(str, range(a, b))) for a, b in pairwise((*starts, end)))


ARCHS: dict[str, Arch] = {
    "resnet50_fpn": Arch(
        _torchvision(zoo.fasterrcnn_resnet50_fpn),
        STAGES_RESNET,
        ResNet50_Weights.IMAGENET1K_V1,
        zoo.FasterRCNN_ResNet50_FPN_Weights.COCO_V1,
        coco_eps=0.0,
    ),
    "resnet50_fpn_v2": Arch(
        _torchvision(zoo.fasterrcnn_resnet50_fpn_v2),
        STAGES_RESNET,
        ResNet50_Weights.IMAGENET1K_V2,
        zoo.FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
    ),
    "mobilenet_v3_large_320_fpn": Arch(
        _torchvision(zoo.fasterrcnn_mobilenet_v3_large_320_fpn),
        _numbered(0, 2, 4, 7, 13, 16, end=17),
        MobileNet_V3_Large_Weights.IMAGENET1K_V1,
        zoo.FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.COCO_V1,
    ),
    "mobilenet_v2_fpn": Arch(
        mobilenet_v2_fpn,
        _numbered(0, 2, 4, 7, 14, end=18),
        MobileNet_V2_Weights.IMAGENET1K_V1,
        in_use=512,
        enlarge=1.5,
    ),
    "mobilenet_v2_fpnlite": Arch(
        partial(mobilenet_v2_fpn, lite=True),
        _numbered(0, 2, 4, 7, 14, end=18),
        MobileNet_V2_Weights.IMAGENET1K_V1,
        in_use=512,
        enlarge=1.25,
        closer=2.5,
        coarse=COARSE,
        slimmer="mobilenet_v2_slim_fpnlite",
    ),
    "mobilenet_v2_slim_fpnlite": Arch(
        partial(mobilenet_v2_fpn, lite=True, slim=True),
        _numbered(0, 2, 4, 7, 14, end=18),
        in_use=512,
        enlarge=1.25,
        closer=3.75,
        coarse=COARSE,
    ),
}


def build(arch: str, init: str = "none", trainable_layers: int = 3) -> zoo.FasterRCNN:
    """A network for one class, with torchvision's interface: `model(images, targets)` returns a dict of losses in
    training, and `{boxes, labels, scores}` for each picture in evaluation. Targets may have `ignore` boxes.

    init: `coco` (torchvision's detector except for the last layer), `imagenet` (its backbone), `none` (random
    weights), `shipped` (the checkpoint that comes with visavis), or a path: of a checkpoint of ours, or of the .pth
    file of a detector or classifier of torchvision's.
    trainable_layers: how many stages of the backbone learn, counted from the output; with `none`, all do.

    Raises InputError for an unknown arch, and for weights that are not available or do not fit.
    """
    if arch not in ARCHS:
        raise InputError(f"unknown arch {arch!r}; there are {', '.join(ARCHS)}")
    described = ARCHS[arch]
    model = respect_ignored(described.build())
    model.transform.__class__ = Scaling
    for name in ("in_use", "enlarge", "closer", "coarse"):
        setattr(model.transform, name, getattr(described, name))
    if init == "none":
        return model
    if arch != "resnet50_fpn_v2":  # whose recipe keeps batch norm learning
        freeze_norms(model)
    if init == "coco":
        if described.coco is None:
            or_else = "`init` imagenet or a path" if described.imagenet else MADE_BY_SLIM
            raise InputError(f"torchvision has no COCO weights for {arch}; pass {or_else}")
        set_norm_eps(model, described.coco_eps)
        _load_detector(model, fetched(described.coco), str(described.coco))
    elif init == "imagenet":
        if described.imagenet is None:
            raise InputError(f"there are no ImageNet weights for {arch}; pass {MADE_BY_SLIM}")
        _load_backbone(model, fetched(described.imagenet), str(described.imagenet))
    else:
        _load_file(model, arch, checkpoint.SHIPPED if init == "shipped" else Path(init))
    for stage in described.stages[: max(0, len(described.stages) - trainable_layers)]:
        for name in stage:
            for parameter in getattr(model.backbone.body, name).parameters():
                parameter.requires_grad_(False)
    return model


def freeze(model: zoo.FasterRCNN, what: str) -> None:
    """Set what learns. what: `nothing` is frozen; the `backbone` below the pyramid is frozen; or `heads-only`: all is
    frozen except the heads of the proposals and of the boxes."""
    model.requires_grad_(what != "heads-only")
    model.backbone.body.requires_grad_(what == "nothing")
    for head in (model.rpn, model.roi_heads):
        head.requires_grad_(True)


def norm_eps(model: nn.Module) -> float:
    """The epsilon of batch norm, which belongs to the weights but is not in a state dict."""
    return float(next(module.eps for module in model.modules() if isinstance(module, NORMS)))


def set_norm_eps(model: nn.Module, eps: float) -> None:
    """Set the epsilon of every batch norm layer, frozen or not."""
    for module in model.modules():
        if isinstance(module, NORMS):
            module.eps = eps


def of_checkpoint(weights: Weights, metadata: dict[str, Any], source: str) -> zoo.FasterRCNN:
    """The network of a checkpoint that was read. Raises InputError if its architecture is unknown."""
    with torch.device("meta"):  # without memory and random values: every weight comes from the file
        model = build(metadata.get("arch", "unnamed"))
        freeze_norms(model)
    set_norm_eps(model, metadata.get("norm_eps", norm_eps(model)))
    load_exactly(model, weights, source, assign=True)
    return model.requires_grad_(False).eval()


def freeze_norms(module: nn.Module) -> None:
    """Replace each BatchNorm2d below `module` by its frozen form: small batches give poor statistics."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features, child.eps))
        else:
            freeze_norms(child)


def _load_file(model: zoo.FasterRCNN, arch: str, path: Path) -> None:
    if not path.is_file():
        raise InputError(f"`init` {path}: no such file, nor one of {INITS}")
    if path.suffix == ".safetensors":
        weights, metadata = checkpoint.load(path)
        if metadata.get("arch") != arch:
            raise InputError(f"{path} holds a {metadata.get('arch')}, not a {arch}; pass `arch` {metadata.get('arch')}")
        set_norm_eps(model, metadata.get("norm_eps", norm_eps(model)))
        load_exactly(model, weights, str(path))
        return
    weights = stored(path)
    if any(name.startswith("roi_heads.") for name in weights):
        _load_detector(model, weights, str(path))
    else:
        _load_backbone(model, weights, str(path))


def _load_detector(model: zoo.FasterRCNN, weights: Weights, source: str) -> None:
    """Load all of a torchvision detector except the box predictor, which has other classes."""
    own = {name: value for name, value in model.state_dict().items() if name.startswith(PREDICTOR)}
    kept = {name: value for name, value in weights.items() if not name.startswith(PREDICTOR)}
    load_exactly(model, kept | own, source)


def _load_backbone(model: zoo.FasterRCNN, weights: Weights, source: str) -> None:
    """Load a classifier's convolutions; its last layers, which the pyramid does not use, are left out."""
    body = model.backbone.body
    named = {name.removeprefix("features."): value for name, value in weights.items()}
    load_exactly(body, {name: named[name] for name in body.state_dict() if name in named}, source)
