"""How sharp a face is, so that blurred ones can be sorted out."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import clip
from visavis.faces import Faces
from visavis.images import OneImage, Picture, fit, grey, taken

SIDE = 160
"""Pixels of a face's longer side, at most: how sharp it is at a size at which faces are looked at, not how sharp the
pixels of a large photo are. A smaller face stays as it is."""
WINDOW = 11
"""Pixels along which a face is blurred for comparison, as in the paper."""
FEWEST = 16
"""A face with fewer pixels along a side is not judged."""


class Sharpness:
    """The attribute `sharpness`: from 0, nothing but blur, to 1; most faces that look sharp have 0.5 or more.

    It is 1 less the blur metric of Crete et al., "The Blur Effect: Perception and Estimation with a New No-Reference
    Perceptual Blur Metric" (2007), section 2: a picture that is blurred once more loses much of the differences between
    neighbouring pixels if it was sharp, and few if it was blurred before. NaN for a face of fewer than 16 pixels a side
    within the picture, and for one of a single colour.
    """

    attributes = ("sharpness",)
    keypoints: tuple[str, ...] = ()

    def analyse(self, picture: OneImage, faces: Faces) -> Faces:
        """See visavis.analysers.protocol.Analyser."""
        picture = taken(picture)
        values = [_sharpness(_cut(picture, box)) for box in clip(faces.boxes, picture.shape[:2])]
        return replace(faces, attributes=faces.attributes | {"sharpness": np.array(values, np.float32)})


def _cut(picture: Picture, box: NDArray[np.float32]) -> Picture:
    left, top = np.floor(box[:2]).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    return picture[top:bottom, left:right]


def _sharpness(face: Picture) -> float:
    if min(face.shape[:2]) < FEWEST:
        return float("nan")
    return 1 - blur(grey(fit(face, SIDE)[0] if max(face.shape[:2]) > SIDE else face).astype(np.float64))


def blur(face: NDArray[np.float64]) -> float:
    """The blur metric of a grey picture (height, width): 0 for none, 1 for the most; NaN where all pixels are alike."""
    from scipy import ndimage

    inside = (slice(2, -1), slice(2, -1))
    worst = []
    for axis in (0, 1):
        before = np.abs(ndimage.sobel(face, axis))
        after = np.abs(ndimage.sobel(ndimage.uniform_filter1d(face, WINDOW, axis), axis))
        differences = before[inside].sum()
        lost = np.maximum(0, before - after)[inside].sum()
        worst.append((differences - lost) / differences if differences else float("nan"))
    return float(max(worst)) if not np.isnan(worst).any() else float("nan")
