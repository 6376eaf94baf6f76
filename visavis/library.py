"""What programs do with faces that were found: draw them, or make them unrecognisable. Pillow images come back."""

import os
from typing import Any

import numpy as np
from PIL import Image

from visavis.drawing import boxes_on
from visavis.effects.redaction import Redaction
from visavis.faces import Faces
from visavis.images import Picture, taken


def draw(image: Picture | Image.Image | str | os.PathLike[str], faces: Faces, **how: Any) -> Image.Image:
    """A copy of the picture with a box and a score for each face.

    image: a (height, width, 3) uint8 RGB array, a Pillow image, or the path of a photo. how: `kind`, `texts` and
    `colours` of visavis.drawing.boxes_on. Raises ImageError for a path that holds no photo, ValueError for what is no
    picture.
    """
    return Image.fromarray(boxes_on(taken(image), faces, **how))


def redact(
    image: Picture | Image.Image | str | os.PathLike[str], faces: Faces, effect: str = "blur", **how: Any
) -> Image.Image:
    """A copy of the picture in which nobody recognises the faces.

    image: as for `draw`. effect: one of visavis.effects.redaction.EFFECTS: `blur`, `pixelate`, `fill` (black),
    `oval-blur`. how: `grow` and `keep_largest` of visavis.Redaction. Raises ValueError for another effect, and as
    `draw` does.
    """
    return Image.fromarray(np.asarray(Redaction(effect, **how)(taken(image), faces)))
