"""The network of 15 points: a small convolutional one from random weights, like many entries to Kaggle's Facial
Keypoints Detection: one to three blocks as in VGG (Simonyan and Zisserman 2015) and two linear layers, on 96 x 96
grey pixels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

POINTS = 15
SIDE = 96
"""Pixels of the square that the network is shown, in grey."""
MARGIN = 1.0
"""How many times as wide as the longer side of the face's box that square is: Kaggle's pictures are the box."""
CHANNELS = (32, 64, 128)
"""Of each block."""
WIDE = 500
"""Numbers between the two linear layers."""
BLOCKS, DROPOUT = 3, 0.3
GREY = (0.299, 0.587, 0.114)
"""The weights of red, green and blue (ITU-R BT.601)."""


class KeypointsCnn(nn.Module):
    """See visavis.analysers.points.network.FacePoints; it says nothing of how far off its points may be.

    blocks: 1 to 3, each two convolutions and a halving. dropout: the share of numbers that are left out after each
    block and before the last layer, in training.
    """

    outputs = ("points",)

    def __init__(self, blocks: int = BLOCKS, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.side, self.margin, self.count = SIDE, MARGIN, POINTS
        self.design = {"blocks": blocks, "dropout": dropout}
        inside = (1, *CHANNELS)
        self.backbone = nn.Sequential(
            *(_block(inside[number], inside[number + 1], dropout) for number in range(blocks))
        )
        features = CHANNELS[blocks - 1] * (SIDE // 2**blocks) ** 2
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(features, WIDE), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(WIDE, 2 * POINTS),
        )  # fmt: skip
        # A constant of the architecture, which no checkpoint holds.
        self.register_buffer("grey", torch.tensor(GREY)[:, None, None] / 255, persistent=False)

    def forward(self, images: Sequence[Tensor] | Tensor, targets: Sequence[dict[str, Any]] | None = None) -> Any:
        batch = images if isinstance(images, Tensor) else torch.stack([image.as_subclass(Tensor) for image in images])
        seen = (batch.float() * self.grey).sum(dim=1, keepdim=True) - 0.5
        found = self.head(self.backbone(seen)).unflatten(1, (POINTS, 2)) + 0.5  # the answer 0 is the crop's middle
        if not self.training:
            return {"points": found}
        assert targets is not None
        truth = torch.stack([target["points"] for target in targets])
        known = ~truth.isnan().any(dim=2)
        off = ((found - truth.nan_to_num()) * self.side).square().sum(dim=2)
        return {"loss_place": (off * known).sum() / known.sum().clamp(min=1) / self.side}


def _block(before: int, after: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.Dropout(dropout),
    )  # fmt: skip
