"""What a pyramid's levels are smaller by, settled once for each network.

torchvision guesses it from the first picture that comes by, and keeps the guess. Where that picture is a strip, whose
padding is higher than itself, the guess is wrong, and every later picture is looked at in the wrong places.
"""

from typing import TypeVar

import torch
from torchvision.models.detection import FasterRCNN

Model = TypeVar("Model", bound=FasterRCNN)
SIDE = 256
"""Pixels: every level divides it."""


def settle(model: Model) -> Model:
    """Let the region pooling of `model`, which is returned, know the pyramid's scales for good."""
    device, training = next(model.parameters()).device, model.training
    model.roi_heads.box_roi_pool.scales = None  # what it may have guessed already
    model.eval()  # batch norms that learn are not to learn from this
    with torch.inference_mode():
        features = model.backbone(torch.zeros(1, 3, SIDE, SIDE, device=device))
        # Told the size without any padding, its guess is right.
        model.roi_heads.box_roi_pool(features, [torch.zeros(0, 4, device=device)], [(SIDE, SIDE)])
    return model.train(training)
