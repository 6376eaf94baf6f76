"""Scales pictures, and their boxes, to the size at which the network takes them."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes

from visavis.detectors.faster_rcnn.sizing import Sizing


class Scaling(GeneralizedRCNNTransform):
    """torchvision's transform with two more rules, which also scales `ignore` boxes.

    A small photo is not enlarged much: that shows nothing new, costs as much time as a large photo, and makes large
    faces larger than any in training. Reduction is antialiased, as in Pillow.

    The class of a finished model's `transform` is replaced by this one, since torchvision's builders do not accept a
    transform; hence the defaults below.
    """

    in_training: int | None = None
    """Shorter side in training, in pixels (the longer is at most 4/3 of it); None: drawn from `min_size`."""
    in_use: int | None = None
    """Shorter side in prediction, in pixels; None: the last of `min_size`."""
    enlarge: float = math.inf
    """The largest factor by which a picture is enlarged in prediction."""
    closer: float = 1.0
    """The factor of the closer look at pictures with small faces in prediction; see trained.py."""
    coarse: int = 0
    """Shorter side of the coarse look for faces that fill a picture in prediction; 0: there is none."""

    @property
    def sizing(self) -> Sizing:
        """The rule in prediction."""
        shorter = self.in_use or self.min_size[-1]
        return Sizing(shorter, self.max_size, self.enlarge, self.size_divisible, self.closer, self.coarse)

    @property
    def largest(self) -> int:
        """The largest shorter side in training, in pixels."""
        return self.in_training or max(self.min_size)

    def normalize(self, image: Tensor) -> Tensor:
        """image: (3, height, width), of floats in 0..1 or of bytes."""
        return super().normalize(image.float().div(255) if image.dtype == torch.uint8 else image)

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> Any:
        """image: (3, height, width). Boxes of `target`, and what it ignores, are scaled with it."""
        height, width = image.shape[-2:]
        size = self.goal(height, width)
        if size != (height, width):
            smaller = size[0] < height or size[1] < width
            image = functional.interpolate(image[None], size, mode="bilinear", align_corners=False, antialias=smaller)[
                0
            ]
        if target is not None:
            for name in ("boxes", "ignore"):
                if name in target:
                    target[name] = resize_boxes(target[name], [height, width], list(size))
        return image, target

    def goal(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) that a picture gets; in training, drawn at random."""
        if not self.training:
            return self.sizing.size(height, width)
        one = self.in_training
        sizes, longest = ([one], one * 4 // 3) if one else (list(self.min_size), self.max_size)
        return Sizing(self.torch_choice(sizes), longest).size(height, width)
