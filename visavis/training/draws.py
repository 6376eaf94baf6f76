"""What a network draws while it trains, the size of each picture and the regions of the loss, from seeds of the
pictures: the same whatever other pictures share the batch, and whichever process computes it.
"""

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler


class Draws:
    """The seeds of the pictures that go through a network, and how many regions were drawn for its losses."""

    def __init__(self) -> None:
        self.seeds: list[int] = []
        self.sized = 0
        self.regions: dict[str, Tensor] = {}
        """Regions over which the losses of `rpn` and of `roi` are the mean, all pictures together."""

    def begin(self, seeds: list[int]) -> None:
        """The next pictures in training are those of these seeds, in this order."""
        self.seeds, self.sized, self.regions = seeds, 0, {}

    def choose(self, sizes: list[int]) -> int:
        """One of `sizes` for the next picture: stands in for GeneralizedRCNNTransform.torch_choice."""
        torch.manual_seed(self.seeds[self.sized])
        self.sized += 1
        return sizes[int(torch.randint(len(sizes), ()))]


def from_seeds(model: FasterRCNN) -> Draws:
    """Make `model` draw from seeds, which have to be told (`Draws.begin`) before each batch."""
    draws = Draws()
    model.transform.torch_choice = draws.choose
    for name, part in (("rpn", model.rpn), ("roi", model.roi_heads)):
        before = part.fg_bg_sampler
        part.fg_bg_sampler = _Sampler(name, draws, before.batch_size_per_image, before.positive_fraction)
    return draws


class _Sampler(BalancedPositiveNegativeSampler):
    """torchvision's, one picture at a time."""

    def __init__(self, name: str, draws: Draws, regions: int, positive: float) -> None:
        super().__init__(regions, positive)
        self.name, self.draws = name, draws

    def __call__(self, matched_idxs: list[Tensor]) -> Any:
        positive, negative = [], []
        for seed, matched in zip(self.draws.seeds, matched_idxs, strict=True):
            torch.manual_seed(seed + 1 if self.name == "rpn" else seed + 2)
            ((one,), (other,)) = super().__call__([matched])
            positive.append(one)
            negative.append(other)
        self.draws.regions[self.name] = torch.stack([mask.sum() for mask in (*positive, *negative)]).sum()
        return positive, negative
