"""A trained network that another one is to see with the eyes of.

Besides the labels, the pupil learns what the teacher's pyramid holds of the same pictures: much more than the labels
say, and of what nobody labelled as well. Romero et al., "FitNets" (2015); for detectors, Chen et al., "Learning
efficient object detection models with knowledge distillation" (2017), section 3.4.
"""

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN

from visavis import checkpoint
from visavis.detectors.faster_rcnn import architectures as faster_rcnn
from visavis.detectors.faster_rcnn.folding import folded
from visavis.errors import InputError

WEIGHT = 10.0
"""Of this loss beside the detector's own four, which come to some 0.3 together at the end of a training."""


class Teacher:
    """The network of a checkpoint, as the teacher of `pupil`, whose pyramid must have the same levels and channels.

    It notes what the pupil sees whenever that sees something in training. fingerprint: of the checkpoint. Raises
    InputError where the two do not fit.
    """

    LOSS = "loss_teacher"
    """What `loss` goes by among the detector's own."""

    def __init__(self, path: Path, pupil: FasterRCNN, on: torch.device) -> None:
        model = faster_rcnn.of_checkpoint(*checkpoint.load(path), str(path))
        self.fingerprint = checkpoint.fingerprint(path)
        self.backbone = folded(model).backbone.to(on).to(memory_format=torch.channels_last)
        self._seen: tuple[Tensor, dict[str, Tensor]] | None = None
        shapes = [_shapes(backbone, on) for backbone in (self.backbone, pupil.backbone)]
        if shapes[0] != shapes[1]:
            raise InputError(f"`teacher` {path}: its pyramid has other levels or channels than the network that learns")
        pupil.backbone.register_forward_hook(self._note)

    def loss(self) -> Tensor:
        """How far the pupil's levels are from the teacher's, in what it saw last: mean square, as a share of theirs,
        of each picture for itself, so that it is the same whatever other pictures go through together with it."""
        assert self._seen is not None
        (picture, features), self._seen = self._seen, None
        with torch.no_grad():
            right = self.backbone(picture)
        apart = [
            _power(features[name].float() - level.float()) / _power(level.float()) for name, level in right.items()
        ]
        return WEIGHT * torch.stack(apart).mean()

    def _note(self, backbone: nn.Module, pictures: tuple[Tensor], features: dict[str, Tensor]) -> None:
        if backbone.training:
            self._seen = pictures[0].detach(), features

    def __deepcopy__(self, _: Any) -> Self:
        return self  # a copy of the pupil, to be validated, has no teacher of its own


def _power(level: Tensor) -> Tensor:
    """(N,): mean squares of (N, channels, height, width)."""
    return level.square().mean(dim=(1, 2, 3))


def _shapes(backbone: Any, on: torch.device) -> dict[str, torch.Size]:
    training = backbone.training
    with torch.inference_mode():
        found = backbone.eval()(torch.zeros(1, 3, 64, 64, device=on))
    backbone.train(training)
    return {name: level.shape for name, level in found.items()}
