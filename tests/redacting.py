"""A photo with one face, written in any format and redacted as a file."""

import io

import numpy as np
import skimage.data
from PIL import Image
from scipy.ndimage import maximum_filter

from visavis import Faces, images
from visavis.effects.redaction import Redaction
from visavis.rewriting.repainting import repainted

ASTRONAUT = Image.fromarray(skimage.data.astronaut())
FACE = Faces([[175, 70, 280, 205]])
FILL = Redaction("fill")


def written(image: Image.Image, format: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def redacted(source: bytes, faces: Faces = FACE, redaction: Redaction = FILL) -> bytes:
    picture = images.decode(source)
    size = (picture.shape[0], picture.shape[1])
    return repainted(source, redaction(picture, faces), redaction.mask(size, faces))


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def around(mask: np.ndarray, mcu: int = 16) -> np.ndarray:
    """The mask and as much around it as may lie in a touched MCU, or take part of its colours from one."""
    return maximum_filter(mask, 2 * mcu + 3)
