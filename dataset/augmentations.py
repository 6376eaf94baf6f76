"""Augmentations that torchvision does not have, as its transforms v2. They can be pickled."""

from typing import Any

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from dataset.occluders import occlude
from visavis.images import Picture, decode, encode


class Crop(v2.RandomIoUCrop):
    """torchvision's crop, except that a face whose centre falls outside keeps its box.

    torchvision drops such a box, and the visible half of the face would be learnt as background.
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not params:  # torchvision's sign for no crop
            return inpt
        return v2.functional.crop(inpt, *(params[side] for side in ("top", "left", "height", "width")))


class Scaled(v2.Transform):
    """Scale jitter: each side is reduced to between half and all of its pixels, as in small or soft photos.

    The detector resizes every photo to the same size, so enlarging would change nothing. Zooming out and cropping
    change the size of a face in the picture.
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = v2.query_size(flat_inputs)
        factor = 0.5 + 0.5 * float(torch.rand(()))
        return {"size": [max(1, round(height * factor)), max(1, round(width * factor))]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(v2.functional.resize, inpt, size=params["size"], antialias=True)


class Darker(v2.Transform):
    """Low light: a gamma of 1.5 to 3."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"gamma": 1.5 * 2 ** float(torch.rand(()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(v2.functional.adjust_gamma, inpt, gamma=params["gamma"])


class Recompressed(v2.Transform):
    """JPEG compression with a quality between `least` and `most`. (torchvision's own is deprecated.)"""

    def __init__(self, least: int, most: int) -> None:
        super().__init__()
        self.least, self.most = least, most

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"quality": int(torch.randint(self.least, self.most + 1, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not isinstance(inpt, tv_tensors.Image):
            return inpt
        return _image(decode(encode(_picture(inpt), quality=params["quality"])))


class Hide(torch.nn.Module):
    """Draws masks, hands and similar things over a share of the faces; boxes stay unchanged."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, image: Any, target: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        boxes = target["boxes"].as_subclass(torch.Tensor).numpy()
        return _image(occlude(_picture(image), boxes, self.share, drawn_by_torch())), target


def drawn_by_torch() -> np.random.Generator:
    """A numpy generator seeded from torch's, which a DataLoader seeds for each worker and epoch, unlike numpy's."""
    return np.random.default_rng(int(torch.randint(2**62, ())))


def _picture(image: tv_tensors.Image) -> Picture:
    return image.as_subclass(torch.Tensor).permute(1, 2, 0).contiguous().numpy()


def _image(picture: Picture) -> tv_tensors.Image:
    return tv_tensors.Image(torch.from_numpy(picture.copy()).permute(2, 0, 1))
