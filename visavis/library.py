"""What programs do with faces that were found: draw them, align them, or make them unrecognisable. Pillow images come
back."""

from typing import Any

import numpy as np
from PIL import Image

from visavis.analysers import load_analyser
from visavis.analysers.alignment import aligned
from visavis.drawing import boxes_on
from visavis.effects.filters import Filters
from visavis.effects.redaction import Redaction
from visavis.faces import Faces
from visavis.images import OneImage, taken
from visavis.ranges import check_number


def draw(image: OneImage, faces: Faces, **how: Any) -> Image.Image:
    """A copy of the picture with a box and a score for each face.

    image: a (height, width, 3) uint8 RGB array, a Pillow image, or the path of a photo. how: `kind`, `texts` and
    `colours` of visavis.drawing.boxes_on. Raises ImageError for a path that holds no photo, ValueError for anything
    else that is not a picture.
    """
    return Image.fromarray(boxes_on(taken(image), _checked(faces), **how))


def redact(image: OneImage, faces: Faces, effect: str = "blur", **how: Any) -> Image.Image:
    """A copy of the picture with all faces made unrecognisable.

    image: as for `draw`. effect: one of visavis.effects.redaction.EFFECTS: `blur`, `pixelate`, `fill` (black),
    `oval-blur`. how: `grow` and `keep_largest` of visavis.Redaction. Raises ValueError for another effect, and as
    `draw` does.
    """
    return Image.fromarray(np.asarray(Redaction(effect, **how)(taken(image), _checked(faces))))


def align(image: OneImage, faces: Faces, size: int = 112) -> list[Image.Image]:
    """Each face alone, `size` pixels wide and high, with level eyes, as networks that compare faces expect them.

    image: as for `draw`. The faces' keypoints say how each is turned (five, 15 or 68); faces without any are given
    those of the analyser `points` first. Raises ValueError for keypoints from which those five cannot be
    computed, or that are unknown for some face, and as `draw` does.
    """
    check_number("size", size, 1)
    picture, faces = taken(image), _checked(faces)
    if faces.keypoints is None and len(faces):
        faces = load_analyser("points").analyse(picture, faces)
    if not len(faces):
        return []
    return [Image.fromarray(crop) for crop in aligned(picture, np.asarray(faces.keypoints), size)]


def decorate(image: OneImage, faces: Faces, *filters: str) -> Image.Image:
    """A copy of the picture with glasses, a moustache and the like on each face.

    image: as for `draw`. filters: names in visavis.effects.filters.FILTERS. Faces without keypoints are given those of
    the analyser `points` first. Raises ValueError for other names, for faces that have other points than the 68, and as
    `draw` does.
    """
    picture, faces, decorated = taken(image), _checked(faces), Filters(filters)
    if faces.keypoints is None:
        faces = load_analyser("points").analyse(picture, faces)
    return Image.fromarray(decorated(picture, faces))


def _checked(faces: Faces) -> Faces:
    """The faces themselves. Raises ValueError for anything else, such as the boxes of another program."""
    if not isinstance(faces, Faces):
        kind = type(faces).__name__
        raise ValueError(f"faces must be visavis.Faces, not {kind}; visavis.Faces(boxes) makes them of (N, 4) boxes")
    return faces
