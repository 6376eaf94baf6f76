"""What the values of an opened Pillow image stand for: 8-bit RGB as displayed, of whatever mode the file has."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

_BITS_PER_SAMPLE, _SAMPLE_FORMAT = 258, 339
"""Tags of TIFF 6.0, sections 8 and 19."""


def to_rgb(picture: Image.Image) -> Image.Image:
    """An opened Pillow image as RGB as displayed: orientation, 16 bit, palettes, CMYK, alpha on white."""
    return next(appearances(picture))


def appearances(picture: Image.Image) -> Iterator[Image.Image]:
    """`to_rgb`, and after it, of a picture with transparency, what others may see of it: how it is on black, and its
    colours without the transparency, but for those that are fully transparent."""
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, dtype=np.float32)
        top = white(picture)
        values = np.nan_to_num(values / top * 255, nan=0, posinf=255, neginf=0).clip(0, 255)
        yield Image.fromarray(values.astype(np.uint8)).convert("RGB")
        return
    picture = as_meant(picture)
    if not picture.has_transparency_data:
        yield picture if picture.mode == "RGB" else picture.convert("RGB")
        return
    picture = picture.convert("RGBA")
    on_white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    yield on_white
    if (alpha := picture.getchannel("A")).getextrema() != (255, 255):
        yield Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture).convert("RGB")
        yield Image.composite(picture.convert("RGB"), on_white, alpha.point(lambda value: 255 if value else 0))


def white(picture: Image.Image) -> float:
    """The value that stands for white in a picture of integers (mode I) or floats (F).

    It is 65535 in 16 bits, 32767 if they have a sign; in 32 bits the least of 255, 65535 and 2147483647 that none of
    the values exceeds; of floats the largest, and 1 at least. Single values that are not finite, or far beyond all
    others, do not count.
    """
    if picture.mode.startswith("I;16"):
        return 65535.0
    values = np.asarray(picture)
    most = _most(values[np.isfinite(values)])
    if picture.mode == "F":
        return max(most, 1.0)
    tags: Any = getattr(picture, "tag_v2", {})
    if tags.get(_BITS_PER_SAMPLE) == (16,) and tags.get(_SAMPLE_FORMAT) == (2,):
        return 32767.0
    return next((each for each in (255.0, 65535.0) if most <= each), 2147483647.0)


def _most(values: NDArray[Any]) -> float:
    """The largest of finite values, without those beyond ten times what one in a thousand exceeds."""
    most, usual = (float(values.max()), float(np.quantile(values, 0.999))) if values.size else (0.0, 0.0)
    return float(values[values <= 10 * usual].max()) if 0 < 10 * usual < most else most


def as_meant(picture: Image.Image) -> Image.Image:
    """A BMP of 32 bits whose alpha is 0 everywhere without its alpha: whoever wrote it left those bytes unused, and
    every other program shows it as opaque. Any other picture as it is."""
    if picture.format in ("BMP", "DIB") and picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (0, 0):
        return picture.convert("RGB")
    return picture
