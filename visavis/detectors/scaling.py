"""How large a picture goes into the network."""

import math
from typing import Any

from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes


class Scaling(GeneralizedRCNNTransform):
    """torchvision's first step of a detector, with two rules more, and with `ignore` boxes that go along.

    A small photo is not blown up: enlarging shows nothing new, costs as much time as a large photo, and takes
    large faces past the sizes that were trained. What shrinks is antialiased, as the eye and Pillow have it.

    A finished model's `transform` is made one by its class, because torchvision's builders offer no place to pass
    one in; hence the defaults below.
    """

    in_use: int | None = None
    """Shorter side in prediction, pixels; None: the last of `min_size`, from which training draws."""
    enlarge: float = math.inf
    """In prediction, no picture is enlarged by more than this."""

    def factor(self, height: int, width: int) -> float:
        """By how much a picture of that size, in pixels, is made larger or smaller in prediction."""
        wanted = (self.in_use or self.min_size[-1]) / min(height, width)
        return min(wanted, self.max_size / max(height, width), self.enlarge)

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> Any:
        """image: (3, height, width). Boxes of `target`, and what it ignores, are scaled with it."""
        height, width = image.shape[-2:]
        if self.training:
            wanted = self.torch_choice(list(self.min_size))
            factor = min(wanted / min(height, width), self.max_size / max(height, width))
        else:
            factor = self.factor(height, width)
        size = max(1, math.floor(height * factor)), max(1, math.floor(width * factor))
        if size != (height, width):
            image = functional.interpolate(
                image[None], size, mode="bilinear", align_corners=False, antialias=factor < 1
            )[0]
        if target is not None:
            for name in ("boxes", "ignore"):
                if name in target:
                    target[name] = resize_boxes(target[name], [height, width], list(size))
        return image, target
