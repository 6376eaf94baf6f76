"""A network's random choices in training, the size of each picture and the regions of the loss, from one seed per
picture: they do not depend on the other pictures of the batch or on the process that computes them.
"""

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler


class Draws:
    """The seeds of the pictures that go through a network, and how many regions were sampled for its losses."""

    def __init__(self) -> None:
        self.seeds: list[int] = []
        self.sized = 0
        self.regions: dict[str, Tensor] = {}
        """The number of regions that the losses of `rpn` and of `roi` average, over all pictures."""

    def begin(self, seeds: list[int]) -> None:
        """Set the seeds of the next pictures, in their order."""
        self.seeds, self.sized, self.regions = seeds, 0, {}

    def choose(self, sizes: list[int]) -> int:
        """One of `sizes` for the next picture. Replaces GeneralizedRCNNTransform.torch_choice."""
        torch.manual_seed(self.seeds[self.sized])
        self.sized += 1
        return sizes[int(torch.randint(len(sizes), ()))]


def from_seeds(model: FasterRCNN) -> Draws:
    """Make `model` choose by seeds, which must be set (`Draws.begin`) before each batch."""
    draws = Draws()
    model.transform.torch_choice = draws.choose
    for name, part in (("rpn", model.rpn), ("roi", model.roi_heads)):
        before = part.fg_bg_sampler
        part.fg_bg_sampler = _Sampler(name, draws, before.batch_size_per_image, before.positive_fraction)
    return draws


class _Sampler(BalancedPositiveNegativeSampler):
    """torchvision's sampler, with each picture's own seed."""

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
