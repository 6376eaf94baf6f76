"""Augmentation: torchvision.transforms.v2 on tv_tensors, so that boxes and ignored boxes follow the picture."""

from typing import Any

PRESETS = ("none", "light", "full")


def preset(name: str) -> Any:
    """A transform of (image, target) by name. Every preset ends with float32 pixels in 0..1.

    none: nothing else. light: mirrored half of the time, colours a little off.
    full: also zoomed out (faces become small), cropped (Liu et al., "SSD", 2016, section 2.2), grey,
    blurred and saved as a poor JPEG now and then.

    None of them rescales pixels: the detector does that, and `FaceDataset` compares areas across them.
    Raises KeyError for another name.
    """
    import torch
    from torchvision.transforms import v2

    light = [v2.RandomHorizontalFlip(0.5), v2.RandomApply([v2.ColorJitter(0.3, 0.3, 0.3, 0.03)], p=0.7)]
    full = [
        v2.RandomZoomOut(fill=_GREY, side_range=(1.0, 2.5), p=0.3),
        v2.RandomApply([_crop()], p=0.3),
        v2.RandomGrayscale(0.1),
        v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], p=0.1),
        v2.RandomApply([v2.JPEG((20, 75))], p=0.1),
    ]
    steps: list[Any] = {"none": [], "light": light, "full": light + full}[name]
    return v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True)])


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
