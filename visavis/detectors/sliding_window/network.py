"""The networks that say of windows whether a face is in them.

window_cnn is VGG16 (Simonyan and Zisserman 2015) with batch norms, for pictures of 32 x 32 pixels. window_cnn_small has
a hundredth of its work, and no padding: so it gives the same for a window that is cut out as for the one that lies in a
larger picture, and where windows overlap, their common part is worked out once (Sermanet et al., "OverFeat", 2014).
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import vgg

from visavis import checkpoint
from visavis.detectors.sliding_window.design import DESIGNS, Design
from visavis.errors import InputError
from visavis.training.initial import load_exactly


class WindowNetwork(nn.Module):
    """Training: `model(images, targets)` is a dict of losses, as torchvision's detectors have it. Evaluation:
    probabilities that there is a face.

    images: in training (K, 3, SIDE, SIDE) uint8, the windows of a photo each; in evaluation (N, 3, height, width), and
    what comes back is (N, rows, columns): of windows `design.dense` pixels apart, or of the only one.
    targets: `labels` (K,), 1 for a face and 0 for none, and `weights` (K,).
    """

    def __init__(self, layers: nn.Module, arch: str, design: Design) -> None:
        super().__init__()
        self.layers, self.arch, self.design = layers, arch, design

    def forward(self, images: Any, targets: Any = None) -> Any:
        """See the class."""
        together = torch.cat(images) if isinstance(images, list) else images
        logits = self.layers(together.float() / 127.5 - 1)[:, 0]
        if targets is None:
            return logits.sigmoid()
        labels, weights = (torch.cat([one[name] for one in targets]) for name in ("labels", "weights"))
        losses = functional.binary_cross_entropy_with_logits(logits.flatten(), labels, weights)
        return {"loss_window": losses}


def build(arch: str, init: str, **design: Any) -> WindowNetwork:
    """One of `DESIGNS`. init: `none` (random), or the path of a checkpoint of ours of the same arch. design: what is
    otherwise than there: sizes, stride, alpha. Raises InputError for weights that do not fit."""
    if init == "none":
        return WindowNetwork(LAYERS[arch](), arch, DESIGNS[arch].other(**design))
    if not init.endswith(".safetensors"):
        raise InputError(f"`init` {init}: there are no such weights for {arch}; give none, or a checkpoint of it")
    weights, known = checkpoint.load(Path(init))
    if known.get("arch") != arch:
        raise InputError(f"`init` {init} holds a {known.get('arch')}, not a {arch}; give another file, or none")
    model = of_checkpoint(weights, known, init)
    model.design = model.design.other(**design)
    return model.requires_grad_(True).train()


def of_checkpoint(weights: dict[str, Tensor], metadata: dict[str, Any], source: str) -> WindowNetwork:
    """The network of a checkpoint as it was read. Raises InputError where it is of another kind or does not fit."""
    arch = metadata.get("arch")
    if metadata.get("kind") != "window_cnn" or arch not in LAYERS:
        raise InputError(f"{source} holds a {arch}, not one of {', '.join(LAYERS)}; give another file")
    model = WindowNetwork(LAYERS[arch](), arch, Design.of(metadata["windows"]))
    load_exactly(model, weights, source)
    return model.requires_grad_(False).eval()


def _vgg16() -> nn.Module:
    """Thirteen convolutions, between which 32 pixels are halved five times, and two linear layers, as for CIFAR."""
    return nn.Sequential(
        vgg.make_layers(vgg.cfgs["D"], batch_norm=True),
        nn.Conv2d(512, 512, 1), nn.BatchNorm2d(512), nn.ReLU(inplace=True), nn.Dropout(0.5),
        nn.Conv2d(512, 1, 1),
    )  # fmt: skip


def _small() -> nn.Module:
    """32 pixels become 14, 12, 10, 5, 3 and 1: what is left is a number a window."""

    def convolved(inside: int, outside: int, kernel: int, stride: int = 1) -> list[nn.Module]:
        convolution = nn.Conv2d(inside, outside, kernel, stride, bias=False)
        return [convolution, nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]

    return nn.Sequential(
        *convolved(3, 24, 5, stride=2), *convolved(24, 32, 3), *convolved(32, 32, 3), nn.MaxPool2d(2),
        *convolved(32, 64, 3), *convolved(64, 128, 3), nn.Dropout(0.3), nn.Conv2d(128, 1, 1),
    )  # fmt: skip


LAYERS = {"window_cnn": _vgg16, "window_cnn_small": _small}
