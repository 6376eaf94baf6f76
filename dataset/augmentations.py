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


class _Repainted(v2.Transform):
    """Changes the pixels of a picture, as numpy has them, and leaves its boxes."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return _image(self.painted(_picture(inpt), drawn_by_torch())) if isinstance(inpt, tv_tensors.Image) else inpt

    def painted(self, picture: Picture, dice: np.random.Generator) -> Picture:
        """picture: (height, width, 3) uint8, not to be written to."""
        raise NotImplementedError


class Shaken(_Repainted):
    """Motion blur: by 3 to 21 pixels, in some direction."""

    def painted(self, picture: Picture, dice: np.random.Generator) -> Picture:
        half, angle = 1.5 * 7 ** dice.random(), dice.uniform(0, np.pi)
        side = 2 * round(half) + 1
        steps = np.outer((np.cos(angle), np.sin(angle)), np.linspace(-half, half, 4 * side))
        x, y = (steps + side // 2).round().astype(int)
        kernel = np.zeros((side, side), np.float32)
        np.add.at(kernel, (y, x), 1 / len(x))
        colours = torch.from_numpy(picture).permute(2, 0, 1)[:, None].float()
        wide = nn.functional.pad(colours, [side // 2] * 4, "replicate")
        blurred = nn.functional.conv2d(wide, torch.from_numpy(kernel)[None, None])[:, 0]
        return blurred.round().to(torch.uint8).permute(1, 2, 0).numpy()


class Striped(_Repainted):
    """As a video of two fields a frame, of which one is a little further on; or a photo of a screen, with stripes."""

    def painted(self, picture: Picture, dice: np.random.Generator) -> Picture:
        if dice.random() < 0.5:
            fields = picture.copy()
            fields[1::2] = np.roll(picture[1::2], int(dice.integers(2, 13)) * int(dice.choice((-1, 1))), axis=1)
            return fields
        y, x = np.indices(picture.shape[:2], np.float32)
        angle, apart, depth = dice.uniform(0, np.pi), dice.uniform(2.2, 8), dice.uniform(0.1, 0.5)
        light = 1 - depth / 2 * (1 + np.sin(2 * np.pi / apart * (np.cos(angle) * x + np.sin(angle) * y)))
        return (picture * light[..., None]).round().astype(np.uint8)


class Noisy(_Repainted):
    """The noise of a sensor at night, or of film: a standard deviation of 2 to 12 % of white, in grey or in colours, in
    grains of one pixel or two."""

    def painted(self, picture: Picture, dice: np.random.Generator) -> Picture:
        height, width = picture.shape[:2]
        channels, grain = int(dice.choice((1, 3))), int(dice.integers(1, 3))
        deviation = 255 * 0.02 * 6 ** dice.random()
        noise = dice.normal(0, deviation, (-(-height // grain), -(-width // grain), channels))
        noise = noise.repeat(grain, 0).repeat(grain, 1)[:height, :width]
        return np.clip(picture + noise, 0, 255).round().astype(np.uint8)


class Screened(_Repainted):
    """As a scan of a newspaper: the dots of a screen, 2.5 to 6 pixels apart and turned by some angle, more or less
    blurred."""

    def painted(self, picture: Picture, dice: np.random.Generator) -> Picture:
        y, x = np.indices(picture.shape[:2], np.float32)
        angle, apart = dice.uniform(0, np.pi / 2), dice.uniform(2.5, 6)
        across, along = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        dots = 0.5 + (np.cos(2 * np.pi / apart * across) + np.cos(2 * np.pi / apart * along)) / 4
        share = dice.uniform(0.2, 0.8)
        inked = 255 / (1 + np.exp(-8 * (picture / 255 - dots[..., None])))
        return (picture * (1 - share) + inked * share).round().astype(np.uint8)


class Recompressed(_Repainted):
    """JPEG compression with a quality between `least` and `most`. (torchvision's own is deprecated.)"""

    def __init__(self, least: int, most: int) -> None:
        super().__init__()
        self.least, self.most = least, most

    def painted(self, picture: Picture, dice: np.random.Generator) -> Picture:
        return decode(encode(picture, quality=int(dice.integers(self.least, self.most + 1))))


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
