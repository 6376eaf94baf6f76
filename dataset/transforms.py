"""Augmentation presets: torchvision.transforms.v2 on tv_tensors, so that boxes and ignored boxes follow the picture."""

from typing import Any, Literal, get_args

from visavis.errors import InputError

Preset = Literal["none", "light", "full"]
PRESETS = get_args(Preset)

HIDDEN = 0.25
"""The share of faces over which `full` draws something."""

SMALLEST_CROP = 0.4
"""`full` crops to at least this share of a side."""

SPARE = {"none": 1.0, "light": 1.0, "full": 1.5}
"""Photos are read with this many times the pixels per side that the network takes: after a typical crop, to two thirds,
enough are left. Tighter crops are enlarged, as small photos are."""


def check(name: str) -> None:
    """Raise InputError where there is no preset of that name."""
    if name not in PRESETS:
        raise InputError(f"unknown `transforms` {name!r}; there are {', '.join(PRESETS)}")


def preset(name: str, reframe: bool = True) -> Any:
    """A transform of (image, target) by name, which keeps uint8 pixels; None for `none`.

    light: mirrors half of the pictures, and changes colours a little.
    full: also zooms out (faces become small), crops (Liu et al., "SSD", 2016, section 2.2), reduces pixels, hides parts
    of faces, and sometimes makes pictures grey, of harsh contrast (as old prints), dark, blurred, shaken,
    noisy, striped as screens are, or screened as newspapers, or poor JPEGs.
    reframe: whether it may zoom out, crop and scale, which changes the size of pictures.

    Raises InputError for another name.
    """
    check(name)
    from torchvision.transforms import v2

    from dataset.augmentations import Crop, Darker, Hide, Noisy, Recompressed, Scaled, Screened, Shaken, Striped

    light = [v2.RandomHorizontalFlip(0.5), v2.RandomApply([v2.ColorJitter(0.3, 0.3, 0.3, 0.03)], p=0.7)]
    framed = [
        v2.RandomZoomOut(fill=_GREY, side_range=(1.0, 2.5), p=0.3),
        v2.RandomApply([Crop(min_scale=SMALLEST_CROP)], p=0.3),
        v2.RandomApply([Scaled()], p=0.2),
    ]
    poor = [
        v2.RandomGrayscale(0.1),
        v2.RandomAutocontrast(0.05),
        v2.RandomEqualize(0.02),
        v2.RandomApply([Darker()], p=0.08),
        v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], p=0.08),
        v2.RandomApply([Shaken()], p=0.05),
        v2.RandomApply([Noisy()], p=0.12),
        v2.RandomApply([Striped()], p=0.04),
        v2.RandomApply([Screened()], p=0.04),
        v2.RandomApply([Recompressed(8, 75)], p=0.08),
    ]
    full = [*light, *(framed if reframe else []), Hide(HIDDEN), *poor]
    steps = {"none": [], "light": light, "full": full}[name]
    return v2.Compose(steps) if steps else None


_GREY = (124, 116, 104)  # ImageNet's mean, which normalisation turns into 0
