"""Augmentation: torchvision.transforms.v2 on tv_tensors, so that boxes and ignored boxes follow the picture."""

from typing import Any

import numpy as np

PRESETS = ("none", "light", "full")

HIDDEN = 0.25
"""The share of faces over which `full` draws something."""


def preset(name: str, reframe: bool = True) -> Any:
    """A transform of (image, target) by name. Every preset ends with float32 pixels in 0..1.

    none: nothing else. light: mirrored half of the time, colours a little off.
    full: also zoomed out (faces become small), cropped (Liu et al., "SSD", 2016, section 2.2), with fewer pixels,
    faces hidden in part, grey, dark, blurred, noisy, and saved as a poor JPEG now and then.
    reframe: whether it may zoom out, crop and scale; not wanted where pictures are to keep their size.

    Raises KeyError for another name.
    """
    import torch
    from torchvision.transforms import v2

    light = [v2.RandomHorizontalFlip(0.5), v2.RandomApply([v2.ColorJitter(0.3, 0.3, 0.3, 0.03)], p=0.7)]
    framed = [
        v2.RandomZoomOut(fill=_GREY, side_range=(1.0, 2.5), p=0.3),
        v2.RandomApply([_crop()], p=0.3),
        v2.RandomApply([_scaled()], p=0.2),
    ]
    poor = [
        v2.RandomGrayscale(0.15),
        v2.RandomApply([_darker()], p=0.15),
        v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], p=0.15),
        v2.RandomApply([v2.JPEG((20, 75))], p=0.15),
    ]
    before = {"none": [], "light": light, "full": light + (framed if reframe else []) + [_hide] + poor}[name]
    noisy = [v2.RandomApply([v2.GaussianNoise(0.0, 0.04)], p=0.15)] if name == "full" else []
    return v2.Compose([*before, v2.ToDtype(torch.float32, scale=True), *noisy])


_GREY = (124, 116, 104)  # ImageNet's mean, which normalisation turns into nothing


def _crop() -> Any:
    from torchvision.transforms import v2
    from torchvision.transforms.v2 import functional

    class Crop(v2.RandomIoUCrop):
        """torchvision's, but a face whose centre falls outside keeps its box.

        torchvision drops that box, and the half of the face that is seen would be taught as background.
        """

        def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
            if not params:  # its way to say: leave this one as it is
                return inpt
            return functional.crop(inpt, *(params[side] for side in ("top", "left", "height", "width")))

    return Crop(min_scale=0.4)


def _scaled() -> Any:
    import torch
    from torchvision.transforms import v2

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

    return Scaled()


def _darker() -> Any:
    import torch
    from torchvision.transforms import v2

    class Darker(v2.Transform):
        """As in low light: a gamma of 1.5 to 3."""

        def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
            return {"gamma": 1.5 * 2 ** float(torch.rand(()))}

        def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
            return self._call_kernel(v2.functional.adjust_gamma, inpt, gamma=params["gamma"])

    return Darker()


def _hide(image: Any, target: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Draw masks, hands and the like over some of the faces; boxes stay where they are."""
    import torch
    from torchvision import tv_tensors

    from dataset.occluders import occlude

    boxes = target["boxes"].as_subclass(torch.Tensor).numpy()
    picture = image.as_subclass(torch.Tensor).permute(1, 2, 0).contiguous().numpy()
    seen = occlude(picture, boxes, HIDDEN, drawn_by_torch())
    return tv_tensors.Image(torch.from_numpy(seen.copy()).permute(2, 0, 1)), target


def drawn_by_torch() -> np.random.Generator:
    """A generator seeded by torch's, which a DataLoader seeds anew for each worker and epoch (numpy's it does not)."""
    import torch

    return np.random.default_rng(int(torch.randint(2**62, ())))
