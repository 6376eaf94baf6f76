"""Augmentations that torchvision does not have, as its transforms v2. They can be pickled."""

from typing import Any

import numpy as np
import torch
from torch import nn
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


class Shaken(v2.Transform):
    """Motion blur: by 3 to 21 pixels, in some direction."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        dice = drawn_by_torch()
        half, angle = 1.5 * 7 ** dice.random(), dice.uniform(0, np.pi)
        side = 2 * round(half) + 1
        x, y = (
            (np.outer((np.cos(angle), np.sin(angle)), np.linspace(-half, half, 4 * side)) + side // 2)
            .round()
            .astype(int)
        )
        kernel = np.zeros((side, side), np.float32)
        np.add.at(kernel, (y, x), 1 / len(x))
        return {"kernel": torch.from_numpy(kernel)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not isinstance(inpt, tv_tensors.Image):
            return inpt
        kernel = params["kernel"]
        wide = nn.functional.pad(inpt.as_subclass(torch.Tensor)[:, None].float(), [len(kernel) // 2] * 4, "replicate")
        return tv_tensors.Image(nn.functional.conv2d(wide, kernel[None, None])[:, 0].round().to(torch.uint8))


class Striped(v2.Transform):
    """As a video of two fields a frame, of which one is a little further on; or a photo of a screen, with stripes."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not isinstance(inpt, tv_tensors.Image):
            return inpt
        dice, picture = drawn_by_torch(), _picture(inpt).copy()
        if dice.random() < 0.5:
            picture[1::2] = np.roll(picture[1::2], int(dice.integers(2, 13)) * int(dice.choice((-1, 1))), axis=1)
            return _image(picture)
        y, x = np.indices(picture.shape[:2], np.float32)
        angle, apart, depth = dice.uniform(0, np.pi), dice.uniform(2.2, 8), dice.uniform(0.1, 0.5)
        light = 1 - depth / 2 * (1 + np.sin(2 * np.pi / apart * (np.cos(angle) * x + np.sin(angle) * y)))
        return _image((picture * light[..., None]).round().astype(np.uint8))


class Noisy(v2.Transform):
    """The noise of a sensor at night, or of film: a standard deviation of 2 to 12 % of white, in grey or in colours, in
    grains of one pixel or two."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not isinstance(inpt, tv_tensors.Image):
            return inpt
        dice = drawn_by_torch()
        height, width = inpt.shape[-2:]
        channels, grain = int(dice.choice((1, 3))), int(dice.integers(1, 3))
        deviation = 255 * 0.02 * 6 ** dice.random()
        noise = dice.normal(0, deviation, (channels, -(-height // grain), -(-width // grain)))
        noise = noise.repeat(grain, 1).repeat(grain, 2)[:, :height, :width]
        return _image(np.clip(_picture(inpt) + noise.transpose(1, 2, 0), 0, 255).round().astype(np.uint8))


class Screened(v2.Transform):
    """As a scan of a newspaper: the dots of a screen, 2.5 to 6 pixels apart and turned by some angle, more or less
    blurred."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not isinstance(inpt, tv_tensors.Image):
            return inpt
        dice = drawn_by_torch()
        y, x = np.indices(inpt.shape[-2:], np.float32)
        angle, apart = dice.uniform(0, np.pi / 2), dice.uniform(2.5, 6)
        across, along = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        dots = 0.5 + (np.cos(2 * np.pi / apart * across) + np.cos(2 * np.pi / apart * along)) / 4
        picture, share = _picture(inpt).astype(np.float32), dice.uniform(0.2, 0.8)
        inked = 255 / (1 + np.exp(-8 * (picture / 255 - dots[..., None])))
        return _image((picture * (1 - share) + inked * share).round().astype(np.uint8))


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
