"""PyTorch as what runs a network that judges windows."""

import numpy as np
import torch
from numpy.typing import NDArray

from visavis.detectors.faster_rcnn.folding import folded
from visavis.detectors.sliding_window.detector import SlidingWindow
from visavis.detectors.sliding_window.network import WindowNetwork


def of_model(model: WindowNetwork, threshold: float, on: torch.device) -> SlidingWindow:
    """The detector of a network as it is now: it is a copy, which later changes of `model` do not affect."""
    network = folded(model).to(on)

    def judge(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            images = torch.tensor(pictures, device=on).permute(0, 3, 1, 2)
            return np.asarray(network(images).cpu().numpy())

    return SlidingWindow(judge, model.design, threshold, runs=f"torch on {on}")
