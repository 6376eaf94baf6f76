"""Knowledge distillation: a trained network from whose features another one learns.

In addition to the labels, the student learns the features of the teacher's pyramid for the same pictures. These say
much more than the labels, also about what nobody labelled. Romero et al., "FitNets" (2015); for detectors, Chen et al.,
"Learning efficient object detection models with knowledge distillation" (2017), section 3.4.
"""

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from visavis import checkpoint
from visavis.detectors.faster_rcnn import architectures as faster_rcnn
from visavis.detectors.faster_rcnn.folding import folded
from visavis.errors import InputError

WEIGHT = 10.0
"""The weight of this loss. The detector's own four add up to about 0.3 at the end of a training."""


class Teacher:
    """The network of a checkpoint, as the teacher of `student`, whose pyramid must have the same levels and channels.

    It keeps the student's last training pictures and features. fingerprint: of the checkpoint. Raises InputError if the
    two pyramids do not match.
    """

    LOSS = "loss_teacher"
    """The name of `loss` among the detector's own losses."""

    def __init__(self, path: Path, student: Any, on: torch.device) -> None:
        model = faster_rcnn.of_checkpoint(*checkpoint.load(path), str(path))
        self.fingerprint = checkpoint.fingerprint(path)
        self.backbone = folded(model).backbone.to(on).to(memory_format=torch.channels_last)
        self._last: tuple[Tensor, dict[str, Tensor]] | None = None
        shapes = [_shapes(backbone, on) for backbone in (self.backbone, student.backbone)]
        if shapes[0] != shapes[1]:
            raise InputError(f"`teacher` {path}: its pyramid has other levels or channels than the network to train")
        student.backbone.register_forward_hook(self._note)

    def loss(self) -> Tensor:
        """The distance of the student's features from the teacher's for the last pictures: the mean squared difference
        as a share of the teacher's mean square, for each picture on its own, so that it does not depend on the others
        of the batch."""
        assert self._last is not None
        (picture, features), self._last = self._last, None
        with torch.no_grad():
            right = self.backbone(picture)
        apart = [
            _power(features[name].float() - level.float()) / _power(level.float()) for name, level in right.items()
        ]
        return WEIGHT * torch.stack(apart).mean()

    def _note(self, backbone: nn.Module, pictures: tuple[Tensor], features: dict[str, Tensor]) -> None:
        if backbone.training:
            self._last = pictures[0].detach(), features

    def __deepcopy__(self, _: Any) -> Self:
        return self  # a copy of the student, to be validated, shares the teacher


def _power(level: Tensor) -> Tensor:
    """(N,): mean squares of (N, channels, height, width)."""
    return level.square().mean(dim=(1, 2, 3))


def _shapes(backbone: Any, on: torch.device) -> dict[str, torch.Size]:
    training = backbone.training
    with torch.inference_mode():
        found = backbone.eval()(torch.zeros(1, 3, 64, 64, device=on))
    backbone.train(training)
    if isinstance(found, Tensor):
        raise InputError("`teacher`: the network to train has no pyramid that could imitate one; leave it out")
    return {name: level.shape for name, level in found.items()}
