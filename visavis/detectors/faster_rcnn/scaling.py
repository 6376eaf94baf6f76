"""How large a picture goes into the network, and its boxes with it."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes

from visavis.detectors.faster_rcnn.sizing import Sizing


class Scaling(GeneralizedRCNNTransform):
    """torchvision's first step of a detector, with two rules more, and with `ignore` boxes that go along.

    A small photo is not blown up: enlarging shows nothing new, costs as much time as a large photo, and takes
    large faces past the sizes that were trained. What shrinks is antialiased, as the eye and Pillow have it.

    A finished model's `transform` is made one by its class, because torchvision's builders offer no place to pass
    one in; hence the defaults below.
    """

    in_training: int | None = None
    """Shorter side in training, pixels, where the longer is at most 4/3 of it; None: drawn from `min_size`."""
    in_use: int | None = None
    """Shorter side in prediction, pixels; None: the last of `min_size`, from which training draws."""
    enlarge: float = math.inf
    """In prediction, no picture is enlarged by more than this."""
    closer: float = 1.0
    """In prediction, how many times as large a picture of small faces is shown again; see trained.py."""
    coarse: int = 0
    """In prediction, pixels of the shorter side of the look for faces that fill a picture; 0: none."""

    @property
    def sizing(self) -> Sizing:
        """The rule in prediction."""
        shorter = self.in_use or self.min_size[-1]
        return Sizing(shorter, self.max_size, self.enlarge, self.size_divisible, self.closer, self.coarse)

    @property
    def largest(self) -> int:
        """Most pixels that the shorter side has in training."""
        return self.in_training or max(self.min_size)

    def normalize(self, image: Tensor) -> Tensor:
        """image: (3, height, width), of floats in 0..1 or of bytes."""
        return super().normalize(image.float().div(255) if image.dtype == torch.uint8 else image)

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> Any:
        """image: (3, height, width). Boxes of `target`, and what it ignores, are scaled with it."""
        height, width = image.shape[-2:]
        if self.training:
            one = self.in_training
            sizes, longest = ([one], one * 4 // 3) if one else (list(self.min_size), self.max_size)
            rule = Sizing(self.torch_choice(sizes), longest)
        else:
            rule = self.sizing
        size = rule.size(height, width)
        if size != (height, width):
            image = functional.interpolate(
                image[None], size, mode="bilinear", align_corners=False, antialias=size < (height, width)
            )[0]
        if target is not None:
            for name in ("boxes", "ignore"):
                if name in target:
                    target[name] = resize_boxes(target[name], [height, width], list(size))
        return image, target
