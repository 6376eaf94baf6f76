"""Windows with a face, to learn from: upright frontal faces, all at the same place in the window.

Labels differ too much for a window of 24 x 24. Eyes, nose and mouth are found in each labelled face instead; they say
whether it looks at the camera, and where the window goes: from the brows to the chin, without much of the background.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visavis.analysers.points.analyser import FacePoints
from visavis.boxes import Boxes
from visavis.detectors.viola_jones.features import SIDE
from visavis.images import Picture
from visavis.keypoints import Points, converted

LARGER = 1.2
"""The window's side, in the distance between the eyes plus that from the eyes to the mouth."""
EYES = 0.37
"""How far down the window the eyes are."""
SMALLEST = 20.0
"""A face whose window has fewer pixels a side is not learnt from."""
SIDEWAYS = 0.22
"""By how much the nose's tip may lie beside the middle of the eyes, in the distance between them, and twice as much
as the mouth may: beyond, the face does not look at the camera."""
LONG = (0.8, 1.5)
"""The distance from the eyes to the mouth, in that between the eyes: outside these the face looks up, down or away."""
UNSURE = 4.5
"""Percent of the face's side by which the points may be off."""
VARIANTS = 2
"""Windows of each face, each another one: mirrored or not, turned, moved and scaled a little."""
TURNED, MOVED, SCALED = 6.0, 0.03, 0.06
"""Standard deviations of these: degrees, shares of the side."""
FINER = 4
"""Pixels are means of so many by so many samples of the photo."""


@dataclass(frozen=True, eq=False)
class Frontal:
    """Frontal faces of a photo: the centre of each one's window (N, 2), its side (N,), how far it is turned (N,), in
    radians, and the label's box (N, 4)."""

    centres: NDArray[np.float64]
    sides: NDArray[np.float64]
    angles: NDArray[np.float64]
    boxes: Boxes

    def __len__(self) -> int:
        return len(self.sides)


def frontal(picture: Picture, boxes: Boxes, analyser: FacePoints) -> Frontal:
    """Those of the labelled faces (N, 4) that look at the camera and are large enough."""
    points, errors = analyser.locate(picture, boxes)
    centres, sides, angles, looks = placed(points)
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=1)
    with np.errstate(invalid="ignore"):
        good = looks & (sides >= SMALLEST) & (100 * errors.mean(axis=1) < UNSURE * longer)
    return Frontal(centres[good], sides[good], angles[good], boxes[good])


def placed(points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Of faces with (N, 68, 2) points: centre and side of the window, the face's angle, and whether it is frontal."""
    left_eye, right_eye, nose, left_mouth, right_mouth = np.moveaxis(converted(points, 5).astype(np.float64), 1, 0)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    across = right_eye - left_eye
    apart = np.hypot(*across.T)
    along = (
        across / np.maximum(apart, 1e-6)[:, None]
    )  # to the right, as the face goes; `down` is at a right angle to it
    down = np.stack([-along[:, 1], along[:, 0]], axis=1)
    long = ((mouth - eyes) * down).sum(axis=1)
    with np.errstate(invalid="ignore"):
        ahead = np.abs(((nose - eyes) * along).sum(axis=1)) <= SIDEWAYS * apart
        ahead &= np.abs(((mouth - eyes) * along).sum(axis=1)) <= SIDEWAYS / 2 * apart
        ahead &= (long >= LONG[0] * apart) & (long <= LONG[1] * apart)
    sides = LARGER * (apart + long)
    centres = eyes + down * ((0.5 - EYES) * sides)[:, None]
    return centres, sides, np.arctan2(across[:, 1], across[:, 0]), np.asarray(ahead)


def windows(picture: Picture, faces: Frontal, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(VARIANTS * N, 24, 24) grey windows of the faces, upright."""
    cut = []
    for centre, side, angle in zip(faces.centres, faces.sides, faces.angles, strict=True):
        for variant in range(VARIANTS):
            turned = angle + np.radians(rng.normal(0, TURNED))
            larger = side * np.exp(rng.normal(0, SCALED))
            moved = centre + rng.normal(0, MOVED, 2) * side
            window = upright(picture, moved, larger, turned)
            cut.append(window[:, ::-1] if variant % 2 else window)
    return np.array(cut, np.uint8).reshape(-1, SIDE, SIDE)


def upright(picture: Picture, centre: NDArray[np.float64], side: float, angle: float) -> NDArray[np.uint8]:
    """(24, 24) grey: the square around `centre`, turned by `angle`, where all of it lies in the photo; its edge goes on
    outside."""
    half = side / 2 * (abs(np.cos(angle)) + abs(np.sin(angle))) + 2
    x1, y1 = np.floor(centre - half).astype(int)
    x2, y2 = np.ceil(centre + half).astype(int)
    rows = np.clip(np.arange(y1, y2), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(x1, x2), 0, picture.shape[1] - 1)
    around = Image.fromarray(picture[rows[:, None], columns]).convert("L")
    samples = SIDE * FINER
    shrunk = max(1, int(side / samples))  # a large face first: samples would skip most of its pixels
    around = around.reduce(shrunk)
    step = side / samples / shrunk
    right, down = step * np.array([np.cos(angle), np.sin(angle)]), step * np.array([-np.sin(angle), np.cos(angle)])
    origin = (centre - [x1, y1]) / shrunk - (right + down) * (samples / 2)
    matrix = (right[0], down[0], origin[0], right[1], down[1], origin[1])
    fine = around.transform((samples, samples), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(fine.reduce(FINER))


def framed(faces: Iterable[Frontal]) -> tuple[float, float, float, float]:
    """Where a label's box lies around a window: its left, top, right and bottom edge in sides of the window, from the
    window's corner. The medians of all upright faces."""
    edges = [np.zeros((0, 4))]
    for one in faces:
        straight = np.abs(one.angles) < np.radians(10)
        corners = np.tile(one.centres - one.sides[:, None] / 2, 2)
        edges.append(((one.boxes - corners) / one.sides[:, None])[straight])
    left, top, right, bottom = np.median(np.concatenate(edges), axis=0)
    return float(left), float(top), float(right), float(bottom)
