"""The steps of augmentation that torchvision has not, as its transforms v2: they can be sent to other processes."""

from typing import Any

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from dataset.occluders import occlude
from visavis.images import Picture, decode, encode


class Crop(v2.RandomIoUCrop):
    """torchvision's, but a face whose centre falls outside keeps its box.

    torchvision drops that box, and the half of the face that is seen would be taught as background.
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not params:  # its way to say: leave this one as it is
            return inpt
        return v2.functional.crop(inpt, *(params[side] for side in ("top", "left", "height", "width")))


class Scaled(v2.Transform):
    """Scale jitter: half to all of the pixels a side, as small or soft photos have.

    The detector brings every photo to one size again, so larger ones would change nothing; how large a face is
    in the picture is for zooming out and cropping to change.
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = v2.query_size(flat_inputs)
        factor = 0.5 + 0.5 * float(torch.rand(()))
        return {"size": [max(1, round(height * factor)), max(1, round(width * factor))]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(v2.functional.resize, inpt, size=params["size"], antialias=True)


class Darker(v2.Transform):
    """As in low light: a gamma of 1.5 to 3."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"gamma": 1.5 * 2 ** float(torch.rand(()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(v2.functional.adjust_gamma, inpt, gamma=params["gamma"])


class Recompressed(v2.Transform):
    """Saved once more as a JPEG, of a quality between the two given. (torchvision's own is about to go.)"""

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
    """Draw masks, hands and the like over a share of the faces; boxes stay where they are."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, image: Any, target: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        boxes = target["boxes"].as_subclass(torch.Tensor).numpy()
        return _image(occlude(_picture(image), boxes, self.share, drawn_by_torch())), target


def drawn_by_torch() -> np.random.Generator:
    """A generator seeded by torch's, which a DataLoader seeds anew for each worker and epoch (numpy's it does not)."""
    return np.random.default_rng(int(torch.randint(2**62, ())))


def _picture(image: tv_tensors.Image) -> Picture:
    return image.as_subclass(torch.Tensor).permute(1, 2, 0).contiguous().numpy()


def _image(picture: Picture) -> tv_tensors.Image:
    return tv_tensors.Image(torch.from_numpy(picture.copy()).permute(2, 0, 1))
