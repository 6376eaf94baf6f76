"""Augmentation by name: torchvision.transforms.v2 on tv_tensors, so that boxes and ignored boxes follow the picture."""

from typing import Any, Literal, get_args

from visavis.errors import InputError

Preset = Literal["none", "light", "full"]
PRESETS = get_args(Preset)

HIDDEN = 0.25
"""The share of faces over which `full` draws something."""

SMALLEST_CROP = 0.4
"""Share of a side that `full` crops to, at least."""

SPARE = {"none": 1.0, "light": 1.0, "full": 1.5}
"""How many times the pixels a side that the network takes should be there before: of a crop to two thirds, as large
as the usual one, as many are left. What is cropped more tightly is enlarged, as small photos are."""


def check(name: str) -> None:
    """Raise InputError where there is no preset of that name."""
    if name not in PRESETS:
        raise InputError(f"unknown `transforms` {name!r}; there are {', '.join(PRESETS)}")


def preset(name: str, reframe: bool = True) -> Any:
    """A transform of (image, target) by name, which leaves bytes bytes; None for `none`.

    light: mirrored half of the time, colours a little off.
    full: also zoomed out (faces become small), cropped (Liu et al., "SSD", 2016, section 2.2), with fewer pixels,
    faces hidden in part, grey, of harsh contrast as old prints are, dark, blurred, noisy, and saved as a poor JPEG now
    and then.
    reframe: whether it may zoom out, crop and scale; not wanted where pictures are to keep their size.

    Raises InputError for another name.
    """
    check(name)
    from torchvision.transforms import v2

    from dataset.augmentations import Crop, Darker, Hide, Recompressed, Scaled

    light = [v2.RandomHorizontalFlip(0.5), v2.RandomApply([v2.ColorJitter(0.3, 0.3, 0.3, 0.03)], p=0.7)]
    framed = [
        v2.RandomZoomOut(fill=_GREY, side_range=(1.0, 2.5), p=0.3),
        v2.RandomApply([Crop(min_scale=SMALLEST_CROP)], p=0.3),
        v2.RandomApply([Scaled()], p=0.2),
    ]
    poor = [
        v2.RandomGrayscale(0.2),
        v2.RandomAutocontrast(0.1),
        v2.RandomEqualize(0.05),
        v2.RandomApply([Darker()], p=0.15),
        v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], p=0.15),
        v2.RandomApply([Recompressed(20, 75)], p=0.15),
        v2.RandomApply([v2.GaussianNoise(0.0, 0.04)], p=0.15),
    ]
    full = [*light, *(framed if reframe else []), Hide(HIDDEN), *poor]
    steps = {"none": [], "light": light, "full": full}[name]
    return v2.Compose(steps) if steps else None


_GREY = (124, 116, 104)  # ImageNet's mean, which normalisation turns into nothing
