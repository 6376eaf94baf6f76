"""Pruning: a trained detector with fewer channels, to be trained further to regain its accuracy.

In a MobileNet's blocks, channels are removed one by one, always the one that the others can best make up for, and the
layer after them is fitted again to those that stay: "Optimal Brain Surgeon" (Hassibi and Stork 1993) for whole
channels, with least squares over their activations in real photos, as in He et al., "Channel pruning for accelerating
very deep neural networks" (2017). A layer of the box head is replaced by one of low rank, also by least squares (Zhang
et al., "Accelerating very deep convolutional networks", 2015, section 3.1).
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.mobilenetv2 import InvertedResidual

from visavis.detectors.faster_rcnn.graph import LIKELY
from visavis.detectors.faster_rcnn.strides import settle
from visavis.errors import InputError
from visavis.messages import counted

PLACES = 512
"""The number of positions of a layer that are sampled at random in each picture."""
DAMPING = 1e-4
"""Share of the mean power that is added to each channel's own, so that the matrix can be inverted if two channels are
alike."""


def slim(wide: FasterRCNN, thin: FasterRCNN, see: Callable[[FasterRCNN], object]) -> None:
    """Bring the blocks and the box head of `wide`, whose norms are frozen, to the shapes that they have in `thin`.

    see: runs a network on some photos, always the same ones, as in use. It is called `passes` times.
    Raises InputError if the network finds too few candidate faces in them.
    """
    settle(wide).rpn.score_thresh = LIKELY
    for conv, keep in _to_narrow(wide, thin):
        _narrow(conv, keep, _power(wide, conv[1], see))
    head, goal = wide.roi_heads.box_head, thin.roi_heads.box_head
    if isinstance(goal.fc6, nn.Sequential):
        rank = len(next(goal.fc6.parameters()))
        head.fc6 = _low_rank(head.fc6, rank, _power(wide, head.fc6, see, least=rank))


def passes(wide: FasterRCNN, thin: FasterRCNN) -> int:
    """How often `slim` runs the network on the photos."""
    return len(list(_to_narrow(wide, thin))) + isinstance(thin.roi_heads.box_head.fc6, nn.Sequential)


def eliminate(power: Tensor, weight: Tensor, keep: int, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Which channels stay, (keep,), and the new weights of the layer that reads them, (outputs, keep + 1).

    power: (C + 1, C + 1) mean products of channels, the last of which is constantly 1 and always stays. weight:
    (outputs, C + 1). factor: (outputs,) by which each output is multiplied afterwards. Each removal takes the channel
    that adds the least squared error to the outputs.
    """
    power, weight, counts = power.double(), weight.double(), factor.double().square()
    inverse = torch.linalg.inv(power + DAMPING * power.diagonal()[:-1].mean() * torch.eye(len(power)).double())
    weight, stays = weight.clone(), torch.ones(len(power), dtype=torch.bool)
    for _ in range(len(power) - 1 - keep):
        cost = counts @ weight.square() / inverse.diagonal()
        cost[~stays] = torch.inf
        cost[-1] = torch.inf
        gone = int(cost.argmin())
        stays[gone] = False
        others = inverse[gone] / inverse[gone, gone]
        weight.addr_(weight[:, gone].clone(), others, alpha=-1)
        inverse.addr_(inverse[gone].clone(), others, alpha=-1)
        inverse[gone, gone] = 1.0  # the row and the column are 0 now
    return torch.where(stays[:-1])[0], weight[:, stays].float()


def _to_narrow(wide: FasterRCNN, thin: FasterRCNN) -> Iterator[tuple[Any, int]]:
    """The blocks that have too many channels inside, and how many they are to have."""
    pairs = zip(wide.backbone.body.children(), thin.backbone.body.children(), strict=True)
    for block, target in pairs:
        if isinstance(block, InvertedResidual) and len(block.conv) == 4:  # the first block does not expand
            keep = target.conv[0][0].out_channels
            if keep < block.conv[0][0].out_channels:
                yield block.conv, keep


def _power(model: FasterRCNN, layer: nn.Module, see: Callable[[FasterRCNN], object], least: int = 1) -> Tensor:
    """(C + 1, C + 1): mean products of the layer's output channels, with a last one that is constantly 1.

    least: the number of rows, positions or regions, that are needed. Raises InputError if there are fewer.
    """
    total = torch.zeros(1, 1)
    dice = torch.Generator().manual_seed(0)

    def collect(_: nn.Module, __: object, given: Tensor) -> None:
        nonlocal total
        rows = given.movedim(1, -1).reshape(-1, given.shape[1])
        rows = rows[torch.randperm(len(rows), generator=dice)[:PLACES]].double()
        rows = nn.functional.pad(rows, (0, 1), value=1.0)
        total = total + rows.T @ rows

    hook = layer.register_forward_hook(collect)
    try:
        with torch.inference_mode():
            see(model)
    finally:
        hook.remove()
    if total[-1, -1] < least:
        raise InputError(
            f"the network finds {counted(int(total[-1, -1]), 'candidate region')} in the photos, and {least} are "
            "needed; give photos with more faces, and a trained network"
        )
    return total / total[-1, -1]


def _narrow(conv: Any, keep: int, power: Tensor) -> None:
    (widen, first, _), (within, second, _), after, norm = conv
    weight = nn.functional.pad(after.weight.data.flatten(1), (0, 1))
    stays, solved = eliminate(power, weight, keep, norm.weight * (norm.running_var + norm.eps).rsqrt())
    for layer in (widen, within):
        layer.weight = nn.Parameter(layer.weight.data[stays])
        layer.out_channels = keep
    within.in_channels = within.groups = after.in_channels = keep
    for one in (first, second):
        for name, values in list(one.named_buffers()):
            setattr(one, name, values[stays])
    after.weight = nn.Parameter(solved[:, :-1, None, None].contiguous())
    norm.running_mean = norm.running_mean - solved[:, -1]


def _low_rank(layer: nn.Linear, rank: int, power: Tensor) -> nn.Sequential:
    """Two layers in place of one, whose output varies in few directions."""
    mean = power[-1, :-1]
    directions = torch.linalg.eigh(power[:-1, :-1] - torch.outer(mean, mean))[1][:, -rank:]
    first, second = nn.Linear(layer.in_features, rank, bias=False), nn.Linear(rank, layer.out_features)
    with torch.no_grad():
        first.weight.copy_(directions.T @ layer.weight.double())
        second.weight.copy_(directions)
        second.bias.copy_(mean + directions @ (directions.T @ (layer.bias.double() - mean)))
    return nn.Sequential(first, second)
