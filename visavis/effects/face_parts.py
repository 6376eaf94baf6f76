"""Masks of an eye, the mouth or the whole face, from its 68 points: for effects that change only that part."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from visavis.effects.sketch import FAR, Path, curve
from visavis.faces import Faces
from visavis.keypoints import PARTS, SIXTY_EIGHT

FINER = 3
"""The mask is drawn this many times larger and then reduced, for smooth edges."""
NAMES = ("eyes", "mouth", "face")


def outline(points: NDArray[np.floating], part: str) -> Path:
    """The outline of a part, (N, 2) pixels, of a face with these (68, 2) points. part: left_eye, right_eye, mouth or
    face, which reaches from the chin up over the forehead. Raises ValueError for another name."""
    points = np.asarray(points, np.float64)
    if part in ("left_eye", "right_eye"):
        eye = points[PARTS[part]]
        middle = eye.mean(axis=0)
        along = eye[3] - eye[0]  # the eye lies along its corners, however the head is tilted
        along = along / max(1e-6, float(np.hypot(*along)))
        axes = np.array([along, [-along[1], along[0]]])
        return curve(middle + (eye - middle) @ axes.T * [[1.35, 1.9]] @ axes)
    if part == "mouth":
        return curve(points[PARTS["mouth_outer"]])
    if part != "face":
        raise ValueError(f"there is no part {part!r} of a face; there are left_eye, right_eye, mouth, face")
    jaw, brows = points[PARTS["jaw"]], points[17:27]
    chin, nose = points[8], points[27]
    up = (nose - chin) * 0.52
    top = brows[::-1] + up * np.sin(np.linspace(0.25, np.pi - 0.25, len(brows)))[:, None]
    return curve(np.concatenate([jaw, top]))


def mask(size: tuple[int, int], faces: Faces, part: str) -> NDArray[np.float32]:
    """(height, width) 0..1: how much of each pixel of a picture of `size` is covered by a part, one of `NAMES`, of any
    of the faces. Faces whose points are NaN are skipped. Raises ValueError for another name and for faces without 68
    points.
    """
    if part not in NAMES:
        raise ValueError(f"there is no part {part!r} of a face; there are {', '.join(NAMES)}")
    if faces.keypoints is None or faces.keypoints.shape[1] != len(SIXTY_EIGHT):
        raise ValueError("masks of parts need the 68 points of each face, which the analyser `points` finds")
    covered = np.zeros(size, np.float32)
    for points in faces.keypoints:
        if np.isnan(points).any():
            continue
        for name in ("left_eye", "right_eye") if part == "eyes" else (part,):
            _cover(covered, outline(points, name))
    return covered


def _cover(covered: NDArray[np.float32], path: Path) -> None:
    size = np.array(covered.shape[::-1])
    low = np.clip(np.floor(path.min(axis=0)), 0, size).astype(int)
    high = np.clip(np.ceil(path.max(axis=0)), low, size).astype(int)
    wide, tall = (high - low).tolist()
    if not (wide and tall):
        return
    drawn = Image.new("L", (wide * FINER, tall * FINER))
    ImageDraw.Draw(drawn).polygon([(x, y) for x, y in ((path - low) * FINER).clip(-FAR, FAR).tolist()], fill=255)
    shown = np.asarray(drawn.resize((wide, tall), Image.Resampling.BOX), np.float32) / 255
    part = covered[low[1] : high[1], low[0] : high[0]]
    np.maximum(part, shown, out=part)
