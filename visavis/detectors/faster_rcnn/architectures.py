"""Faster R-CNN for one class, face, by the name of its architecture.

Ren et al., "Faster R-CNN" (2015), with feature pyramids, Lin et al. (2017); torchvision's parts
throughout. `build` gives the network to train, `of_checkpoint` that of a checkpoint. Beside this file, eager.py makes
a detector of either, and stored.py one of a checkpoint's file.
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
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, MobileNet_V3_Large_Weights, ResNet50_Weights, mobilenet_v2
from torchvision.models import detection as zoo
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from visavis import checkpoint
from visavis.detectors.faster_rcnn.folding import NORMS
from visavis.detectors.faster_rcnn.incomplete_labels import respect_ignored
from visavis.detectors.faster_rcnn.scaling import Scaling
from visavis.detectors.faster_rcnn.sizing import COARSE
from visavis.errors import InputError
from visavis.training.initial import Weights, fetched, load_exactly, stored

CLASSES = 2  # background, face
PREDICTOR = "roi_heads.box_predictor."
STAGES_RESNET = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))
INITS = "shipped, coco, imagenet, none, or the path of a file"
MADE_BY_SLIM = "`init` PATH of weights that python -m visavis.slim made of a larger network's"

SLIM = [
    [1, 16, 1, 1],
    [3, 24, 1, 2],
    [4, 24, 1, 1],
    [4, 32, 1, 2],
    [3, 32, 2, 1],
    [3, 64, 4, 2],
    [3, 96, 3, 1],
    [3, 160, 3, 2],
    [3, 320, 1, 1],
]
"""MobileNetV2's blocks: how many times as many channels inside, channels, blocks, stride of the first. The original
has 6 times as many inside; here it is about half of that, in whole sixteens, which are what a processor computes with.
"""


@dataclass(frozen=True)
class Arch:
    """One architecture: how to build it with empty weights, and what torchvision offers to start it from."""

    build: Callable[[], zoo.FasterRCNN]
    stages: tuple[tuple[str, ...], ...]
    """The backbone's modules from the input on, in the groups that are frozen or trained together."""
    imagenet: Any = None
    coco: Any = None
    coco_eps: float = 1e-5
    """Batch norm's epsilon in the COCO weights' own training."""
    in_use: int | None = None
    """Shorter side in prediction, pixels, if it is not torchvision's."""
    enlarge: float = math.inf
    """Most that a picture is enlarged by in prediction."""
    closer: float = 1.0
    """How many times as large it is shown again where its faces are small; 1: never."""
    coarse: int = 0
    """Pixels of the shorter side of the look for faces that fill a picture; 0: none."""
    slimmer: str = ""
    """The architecture of the same kind with fewer channels; see visavis.slim."""


class Anchors(AnchorGenerator):
    """torchvision's, with the strides of the pyramid's levels told and not guessed from the padded picture: where that
    is no whole number of the largest stride, the guess is wrong."""

    def __init__(self, sizes: Any, ratios: Any, strides: tuple[int, ...]) -> None:
        super().__init__(sizes, ratios)
        self.strides = strides

    def grid_anchors(self, grid_sizes: list[list[int]], strides: list[list[Tensor]]) -> list[Tensor]:
        """Anchors of each level, (places * A, 4)."""
        told = [[guess[0].new_tensor(stride)] * 2 for stride, guess in zip(self.strides, strides, strict=True)]
        return super().grid_anchors(grid_sizes, told)


def _mobilenet_v2_fpn(lite: bool = False, slim: bool = False) -> zoo.FasterRCNN:
    """MobileNetV2 (Sandler et al. 2018) with a pyramid of strides 8, 16, 32, 64 and a small box head.

    Sized for a CPU: one class needs fewer channels, proposals and regions than COCO's 91. Anchors have
    a face's shape (hairline to chin is about 1.3 times as high as wide), from 12 to 543 pixels at half-octave steps.
    lite: its 3 x 3 convolutions outside of the backbone are depthwise separable ones, an eighth of the multiplications.
    slim: half as many channels inside of the backbone's blocks, and a box head whose first layer is of rank 64, which
    visavis.training.slimming makes of a network that is trained.
    """
    pyramid = BackboneWithFPN(
        mobilenet_v2(inverted_residual_setting=SLIM if slim else None).features,
        return_layers={"6": "0", "13": "1", "17": "2"},
        in_channels_list=[32, 96, 320],
        out_channels=128,
        extra_blocks=LastLevelMaxPool(),
    )
    model = zoo.FasterRCNN(
        pyramid,
        min_size=(128, 160, 192, 224, 320),  # one of them at random in training; `ARCHS` has the size in use
        max_size=1280,
        size_divisible=32,
        rpn_anchor_generator=Anchors(
            ((12, 17, 24), (34, 48, 68), (96, 136, 192), (272, 384, 543)), ((1.3,),) * 4, (8, 16, 32, 64)
        ),
        rpn_pre_nms_top_n_train=500,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_train=250,
        rpn_post_nms_top_n_test=200,
        rpn_batch_size_per_image=128,
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(128 * 7 * 7, 512),
        box_predictor=FastRCNNPredictor(512, CLASSES),
        box_batch_size_per_image=64,
        box_detections_per_img=200,
    )
    if slim:
        head = model.roi_heads.box_head
        head.fc6 = nn.Sequential(nn.Linear(head.fc6.in_features, 64, bias=False), nn.Linear(64, head.fc6.out_features))
    if lite:
        pyramid.fpn.layer_blocks = nn.ModuleList(_separable(128) for _ in pyramid.fpn.layer_blocks)
        model.rpn.head.conv = nn.Sequential(_separable(128), nn.ReLU())
    return model


def _separable(channels: int) -> nn.Sequential:
    """In place of a 3 x 3 convolution: one within each channel, then one across them (Howard et al., "MobileNets",
    2017, section 3.1; in a pyramid, TensorFlow's detectors call it FPNLite)."""
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=channels), nn.Conv2d(channels, channels, 1))


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
    """Stages of a MobileNet, whose modules are numbered: each begins where the resolution halves."""
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
        _mobilenet_v2_fpn,
        _numbered(0, 2, 4, 7, 14, end=18),
        MobileNet_V2_Weights.IMAGENET1K_V1,
        in_use=512,
        enlarge=1.5,
    ),
    "mobilenet_v2_fpnlite": Arch(
        partial(_mobilenet_v2_fpn, lite=True),
        _numbered(0, 2, 4, 7, 14, end=18),
        MobileNet_V2_Weights.IMAGENET1K_V1,
        in_use=512,
        enlarge=1.25,
        closer=1.6,
        coarse=COARSE,
        slimmer="mobilenet_v2_slim_fpnlite",
    ),
    "mobilenet_v2_slim_fpnlite": Arch(
        partial(_mobilenet_v2_fpn, lite=True, slim=True),
        _numbered(0, 2, 4, 7, 14, end=18),
        in_use=512,
        enlarge=1.25,
        closer=1.6,
        coarse=COARSE,
    ),
}


def build(arch: str, init: str = "none", trainable_layers: int = 3) -> zoo.FasterRCNN:
    """A network for one class, in torchvision's contract: `model(images, targets)` is a dict of losses
    in training, `{boxes, labels, scores}` a picture in evaluation. Targets may carry `ignore` boxes.

    init: `coco` (torchvision's detector but for the last layer), `imagenet` (its backbone), `none`
    (random), `shipped` (the checkpoint that comes with visavis), or a path: a checkpoint of ours, or the .pth of a
    detector or classifier of torchvision's.
    trainable_layers: backbone stages, counted from the output, that learn; all do where init is `none`.

    Raises InputError for an unknown arch, and for weights that are not to be had or do not fit.
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
        _freeze_norms(model)
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
    """Decide anew what learns. what: `nothing` is frozen, the `backbone` below its pyramid is, or all but the
    `heads-only`: those of the proposals and of the boxes."""
    model.requires_grad_(what != "heads-only")
    model.backbone.body.requires_grad_(what == "nothing")
    for head in (model.rpn, model.roi_heads):
        head.requires_grad_(True)


def norm_eps(model: nn.Module) -> float:
    """Batch norm's epsilon: part of what the weights mean, but not of a state dict."""
    return float(next(module.eps for module in model.modules() if isinstance(module, NORMS)))


def set_norm_eps(model: nn.Module, eps: float) -> None:
    """Set the epsilon of every frozen or plain batch norm layer."""
    for module in model.modules():
        if isinstance(module, NORMS):
            module.eps = eps


def of_checkpoint(weights: Weights, metadata: dict[str, Any], source: str) -> zoo.FasterRCNN:
    """The network of a checkpoint as it was read. Raises InputError where it is of an arch that is not known."""
    with torch.device("meta"):  # every weight is the file's: none takes memory, or a random value, before
        model = build(metadata.get("arch", "unnamed"))
        _freeze_norms(model)
    set_norm_eps(model, metadata.get("norm_eps", norm_eps(model)))
    load_exactly(model, weights, source, assign=True)
    return model.requires_grad_(False).eval()


def _freeze_norms(module: nn.Module) -> None:
    """Replace each BatchNorm2d below `module` by its frozen form: small batches make poor statistics."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features, child.eps))
        else:
            _freeze_norms(child)


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
    """All of a torchvision detector but the box predictor, whose classes are others."""
    own = {name: value for name, value in model.state_dict().items() if name.startswith(PREDICTOR)}
    kept = {name: value for name, value in weights.items() if not name.startswith(PREDICTOR)}
    load_exactly(model, kept | own, source)


def _load_backbone(model: zoo.FasterRCNN, weights: Weights, source: str) -> None:
    """A classifier's convolutions; its own last layers, which the pyramid has no use for, are left."""
    body = model.backbone.body
    named = {name.removeprefix("features."): value for name, value in weights.items()}
    load_exactly(body, {name: named[name] for name in body.state_dict() if name in named}, source)
