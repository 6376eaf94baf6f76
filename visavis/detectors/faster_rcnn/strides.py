"""Sets the scales of a pyramid's levels once for each network.

torchvision guesses them from the first picture and keeps the guess. If that picture is a strip, with more padding than
content, the guess is wrong, and regions of every later picture are pooled in the wrong places.
"""

from typing import TypeVar

import torch
from torchvision.models.detection import FasterRCNN

Model = TypeVar("Model", bound=FasterRCNN)
SIDE = 256
"""In pixels; a multiple of every level's stride."""


def settle(model: Model) -> Model:
    """Fix the pyramid's scales in the region pooling of `model`, which is returned."""
    device, training = next(model.parameters()).device, model.training
    model.roi_heads.box_roi_pool.scales = None  # discards an earlier guess
    model.eval()  # so that batch norms do not learn from this
    with torch.inference_mode():
        features = model.backbone(torch.zeros(1, 3, SIDE, SIDE, device=device))
        # From a picture without padding, its guess is right.
        model.roi_heads.box_roi_pool(features, [torch.zeros(0, 4, device=device)], [(SIDE, SIDE)])
    return model.train(training)
