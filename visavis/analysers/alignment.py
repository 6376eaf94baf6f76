"""Faces cut out with level eyes, all of one size, as networks that compare faces expect them."""

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.crops import Frame
from visavis.images import Picture
from visavis.keypoints import Points, converted

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
) / 112  # fmt: skip
"""Where the five points are in a face that is level, in shares of the crop's side: those of ArcFace (Deng et al. 2019),
which most networks that compare faces take."""


def level_frame(points: Points) -> Frame:
    """The square in which a face with these (K, 2) points, one of visavis.keypoints.LAYOUTS, has level eyes, and its
    five points as near to `TEMPLATE` as a turn, a shift and one scale bring them. Raises ValueError for other points,
    and for points that are NaN."""
    five = converted(points, 5).astype(np.float64)
    if np.isnan(five).any():
        raise ValueError("a face whose points are not known cannot be aligned")
    across = five[1] - five[0]
    angle = float(np.arctan2(across[1], across[0]))
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = np.array([[cosine, sine], [-sine, cosine]])  # rows of the crop's axes in the picture
    level = (five - five.mean(axis=0)) @ turned.T
    template = TEMPLATE - TEMPLATE.mean(axis=0)
    side = float((level * template).sum() / (template**2).sum())
    middle = five.mean(axis=0) - (TEMPLATE.mean(axis=0) - 0.5) * side @ turned
    return Frame(float(middle[0]), float(middle[1]), max(side, 1.0) / 2, angle)


def fitted_frame(points: Points, template: NDArray[np.float64]) -> Frame:
    """The square in which these (K, 2) points lie as near as a turn, a shift and one scale bring them to `template`,
    (K, 2) shares of its side (least squares; Umeyama 1991)."""
    seen = points.astype(np.float64) @ np.array([1, 1j])
    meant = template @ np.array([1, 1j])
    aside = meant - meant.mean()
    turn = (seen - seen.mean()) @ aside.conj() / (aside @ aside.conj()).real
    middle = seen.mean() + turn * (0.5 + 0.5j - meant.mean())
    return Frame(float(middle.real), float(middle.imag), max(abs(turn), 1.0) / 2, float(np.angle(turn)))


def aligned(picture: Picture, keypoints: Points, size: int) -> NDArray[np.uint8]:
    """(N, size, size, 3) uint8: the faces with these (N, K, 2) points, each as `level_frame` has it."""
    crops = [level_frame(points).cut(picture, size) for points in keypoints]
    return np.array(crops, np.uint8).reshape(-1, size, size, 3)
