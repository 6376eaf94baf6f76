"""A network for one face: a classifier's backbone, global pooling, and two heads. Is there a face, and where?

The simplest detector of all: it gives one box a picture, whatever the picture shows. With VGG16 (Simonyan and Zisserman
2015) it is the network of a well-known tutorial (Renotte, "Build a Deep Face Detection Model with Python and
Tensorflow", 2022), whose losses it has too. Unlike there, a picture without a face does not teach where its face is,
and an ignored region, of which nobody knows whether it is a face, does not teach that there is none.

It keeps the contract of torchvision's detectors: `model(images, targets)` is a dict of losses in training, and
`{boxes, labels, scores}` of each picture in evaluation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import MobileNet_V2_Weights, VGG16_Weights, mobilenet_v2
from torchvision.models.vgg import cfgs, make_layers

from visavis import checkpoint
from visavis.detectors.faster_rcnn.architectures import freeze_norms
from visavis.detectors.faster_rcnn.folding import merge
from visavis.detectors.faster_rcnn.mobilenet import SLIM
from visavis.detectors.faster_rcnn.scaling import Scaling
from visavis.errors import InputError
from visavis.training.initial import Weights, fetched, load_exactly, stored

MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
"""Of red, green and blue in ImageNet, 0 to 1."""

BOX_WEIGHT, FACE_WEIGHT = 8.0, 0.5
"""Of the losses. The tutorial adds the sum over the boxes of a batch of 8 to half of the mean cross entropy."""

UNKNOWN = -1
"""In place of 0 or 1: nobody knows whether there is a face."""

STAGES = 5
"""Of every backbone; each but the first begins at half the resolution of the one before."""


@dataclass(frozen=True)
class Design:
    """An architecture. channels: that the backbone gives. hidden: neurons between the pooled channels and an answer.
    stages: numbers of the backbone's modules at which its stages begin. imagenet: torchvision's weights to start from.
    side: of the square that it sees, in pixels."""

    backbone: Callable[[], nn.Sequential]
    channels: int
    hidden: int
    stages: tuple[int, ...]
    imagenet: Any = None
    side: int = 224


def _vgg16() -> nn.Sequential:
    """Without the classifier, which has nine in ten of VGG16's weights; random ones as torchvision draws them."""
    layers = make_layers(cfgs["D"])
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return layers


DESIGNS = {
    "single_face": Design(_vgg16, 512, 2048, (0, 5, 10, 17, 24), VGG16_Weights.IMAGENET1K_V1),
    "single_face_mobilenet_v2": Design(
        lambda: mobilenet_v2().features, 1280, 512, (0, 2, 4, 7, 14), MobileNet_V2_Weights.IMAGENET1K_V1
    ),
    # The backbone of the shipped detector, from which it can start.
    "single_face_mobilenet_v2_slim": Design(
        lambda: mobilenet_v2(inverted_residual_setting=SLIM).features[:18], 320, 256, (0, 2, 4, 7, 14)
    ),
}


class Square(Scaling):
    """Scales every picture to one square, whatever its shape: shares of the picture stay what they are."""

    def __init__(self, side: int) -> None:
        super().__init__(side, side, MEAN, DEVIATION, size_divisible=1)

    def goal(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) in the network."""
        return self.largest, self.largest


class SingleFace(nn.Module):
    """The network. Training: `model(images, targets)` returns the losses; evaluation: one box and its score for each
    picture, in that picture's pixels.

    images: (3, height, width) each, floats in 0..1 or bytes. targets: torchvision's, which may have `ignore` boxes; of
    several faces the largest is learnt.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.transform = Square(design.side)
        self.backbone = design.backbone()
        self.face = _head(design, 1)
        self.box = _head(design, 4)

    @property
    def side(self) -> int:
        """Of the square that it sees, in pixels."""
        return self.transform.largest

    def answers(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """squares: (N, 3, side, side) float, normalised. Returns (N,) logits of there being a face, and its corners
        (N, 4) x1 y1 x2 y2 in shares of the picture, 0 to 1."""
        pooled = functional.adaptive_max_pool2d(self.backbone(squares), 1).flatten(1)
        return self.face(pooled)[:, 0].float(), self.box(pooled).float().sigmoid()

    def forward(self, images: Sequence[Tensor], targets: Sequence[dict[str, Any]] | None = None) -> Any:
        sizes = [(image.shape[-2], image.shape[-1]) for image in images]
        seen, moved = self.transform(list(images), None if targets is None else list(targets))
        logits, corners = self.answers(seen.tensors)
        if self.training:
            assert moved is not None
            there, boxes = zip(*(_truth(target, self.side) for target in moved), strict=True)
            return losses(logits, corners, torch.stack(there), torch.stack(boxes))
        return [
            {
                "boxes": box * box.new_tensor([width, height, width, height]),
                "labels": torch.ones(1, dtype=torch.int64, device=box.device),
                "scores": logit.sigmoid()[None],
            }
            for logit, box, (height, width) in zip(logits, upright(corners)[:, None], sizes, strict=True)
        ]


def losses(logits: Tensor, corners: Tensor, there: Tensor, boxes: Tensor) -> dict[str, Tensor]:
    """What is wrong with the answers, as means over all pictures.

    `face`: the binary cross entropy. `corner`: the squared difference of the upper left corners, in shares of the
    picture. `size`: that of widths and heights.

    logits (N,), corners (N, 4): from `SingleFace.answers`. there: (N,) 1 for a face, 0 for none, or `UNKNOWN`.
    boxes: (N, 4), its place, where there is one.
    """
    known, face = there != UNKNOWN, there == 1
    entropy = functional.binary_cross_entropy_with_logits(logits[known], there[known].float(), reduction="sum")
    found, truth = corners[face], boxes[face]
    corner = (found[:, :2] - truth[:, :2]).square().sum()
    size = ((found[:, 2:] - found[:, :2]) - (truth[:, 2:] - truth[:, :2])).square().sum()
    count = len(logits)
    return {
        "loss_face": FACE_WEIGHT * entropy / count,
        "loss_corner": BOX_WEIGHT * corner / count,
        "loss_size": BOX_WEIGHT * size / count,
    }


def upright(corners: Tensor) -> Tensor:
    """(N, 4) boxes with the upper left corner first, also where the network swapped two sides."""
    first, second = corners[:, :2], corners[:, 2:]
    return torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=1)


def build(arch: str, init: str, trainable_layers: int = 3) -> SingleFace:
    """One of `DESIGNS`, to train.

    init: `imagenet` (torchvision's classifier), `shipped` (the backbone of the detector that comes with visavis),
    `none` (random weights), or a path: of a checkpoint of ours of the same architecture, of one of a detector with
    the same backbone, or of the .pth file of a classifier of torchvision's.
    trainable_layers: how many stages of the backbone learn, counted from the output; with `none`, all do.

    Raises InputError for weights that are not available or do not fit.
    """
    design = DESIGNS[arch]
    model = SingleFace(design)
    if init == "none":
        return model
    freeze_norms(model)
    path = checkpoint.SHIPPED if init == "shipped" else Path(init)
    if init == "imagenet":
        if design.imagenet is None:
            raise InputError(f"there are no ImageNet weights for {arch}; give `init` shipped, none, or a path")
        _load_backbone(model, fetched(design.imagenet), str(design.imagenet))
    elif not path.is_file():
        raise InputError(f"`init` {init}: no such file, nor one of imagenet, shipped, none")
    elif path.suffix != ".safetensors":
        _load_backbone(model, stored(path), init)
    else:
        weights, metadata = checkpoint.load(path)
        if metadata.get("kind") == "single_face":
            _same(metadata, arch, init)
            model.transform.in_training = metadata["side"]
            load_exactly(model, weights, init)
        else:
            _load_backbone(model, weights, init)
    parts = list(model.backbone)
    for module in parts[: (*design.stages, len(parts))[max(0, STAGES - trainable_layers)]]:
        module.requires_grad_(False)
    merge(model)
    return model


def of_checkpoint(weights: Weights, metadata: dict[str, Any], source: str) -> SingleFace:
    """The network of a checkpoint that was read. Raises InputError if it is of another kind or does not fit."""
    if metadata.get("kind") != "single_face" or metadata.get("arch") not in DESIGNS:
        raise InputError(f"{source} holds a {metadata.get('arch')}, not one of {', '.join(DESIGNS)}; give another file")
    with torch.device("meta"):  # without memory and random values: every weight comes from the file
        model = SingleFace(DESIGNS[metadata["arch"]])
        freeze_norms(model)
    model.transform.in_training = metadata["side"]
    load_exactly(model, weights, source, assign=True)
    return model.requires_grad_(False).eval()


def _head(design: Design, answers: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(design.channels, design.hidden), nn.ReLU(), nn.Linear(design.hidden, answers))


def _truth(target: dict[str, Any], side: int) -> tuple[Tensor, Tensor]:
    """(): 1, 0 or `UNKNOWN`, and (4,): the largest of the target's boxes, in shares of the square."""
    boxes = target["boxes"].as_subclass(Tensor) / side
    if len(boxes):
        sides = boxes[:, 2:] - boxes[:, :2]
        return boxes.new_tensor(1, dtype=torch.int64), boxes[(sides[:, 0] * sides[:, 1]).argmax()]
    ignored = len(target.get("ignore", ())) > 0
    return boxes.new_tensor(UNKNOWN if ignored else 0, dtype=torch.int64), boxes.new_zeros(4)


def _same(metadata: dict[str, Any], arch: str, source: str) -> None:
    if metadata.get("arch") != arch:
        raise InputError(f"{source} holds a {metadata.get('arch')}, not a {arch}; pass `arch` {metadata.get('arch')}")


def _load_backbone(model: SingleFace, weights: Weights, source: str) -> None:
    """Load the backbone of a classifier of torchvision's, or of one of our detectors."""
    known = model.backbone.state_dict().keys()
    named = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        for prefix in ("features.", "backbone.body.")
        if name.startswith(prefix)
    }
    load_exactly(model.backbone, {name: value for name, value in named.items() if name in known}, source)
