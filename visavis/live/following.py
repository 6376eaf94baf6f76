"""The faces of a moving picture at the pace of a camera: a quick look at each frame, and a thorough one now and then.

The quick look sees a frame at low resolution, in a quarter of the time, and finds faces that are not small. Those that
only the thorough look found are shown on until the next one: the small ones, and others whose surroundings do not move.
"""

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import iou
from visavis.detectors.protocol import Detector
from visavis.faces import Faces
from visavis.images import Picture, fit, grey

EVERY = 1.0
"""Seconds after which the next look is a thorough one."""
CHANGED = 30.0
"""Grey levels: a picture that is so far from that of the last thorough look, in the mean, is another scene."""
STILL = 6.0
"""Grey levels: a face that has changed by less, in the mean, is where it was."""
SMALL = 24
"""Pixels of a face's shorter side in the quick look, below which it may not be found there."""
SAME = 0.3
"""IoU from which on a face of the quick look is one of the thorough look."""
THUMB = 160
"""Pixels of the longer side of the grey pictures that are compared."""


class Following:
    """The frames of one camera in turn: `find(picture, seconds)`.

    thorough, quick: two detectors with the same threshold; without a quick one every look is thorough. shorter: pixels
    of a picture's shorter side in the quick look.
    """

    def __init__(self, thorough: Detector, quick: Detector | None, shorter: int) -> None:
        self._thorough, self._quick, self._shorter = thorough, quick, shorter
        self._known = Faces()
        self._before: NDArray[np.uint8] | None = None
        self._size = (0, 0)
        self._seconds = 0.0

    def find(self, picture: Picture, seconds: float, may_be_quick: bool = True) -> Faces:
        """The faces of the next frame, (height, width, 3) uint8 RGB, at that time."""
        now = grey(fit(picture, THUMB)[0])
        if self._quick is None or not may_be_quick or self._is_due(now, picture.shape[:2], seconds):
            self._known = self._thorough.detect([picture])[0]
            self._before, self._size, self._seconds = now, (picture.shape[0], picture.shape[1]), seconds
            return self._known
        found = self._quick.detect([picture])[0]
        overlaps = iou(self._known.boxes, found.boxes).max(axis=1, initial=0)
        missing = self._known[overlaps < SAME]
        return _together(found, missing[self._stays(missing, now)])

    def _is_due(self, now: NDArray[np.uint8], size: tuple[int, ...], seconds: float) -> bool:
        if self._before is None or size != self._size or not 0 <= seconds - self._seconds < EVERY:
            return True
        return float(np.abs(now.astype(np.int16) - self._before).mean()) > CHANGED

    def _stays(self, faces: Faces, now: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """(N,) which faces of the thorough look are taken to be there still."""
        assert self._before is not None
        changes = np.abs(now.astype(np.int16) - self._before)
        sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) * self._shorter / min(self._size)
        scale = max(now.shape) / max(self._size)
        stays = sides < SMALL
        for face, box in enumerate(faces.boxes * scale):
            (x1, y1), (x2, y2) = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
            stays[face] |= float(changes[max(0, y1) : y2 + 1, max(0, x1) : x2 + 1].mean()) < STILL
        return np.asarray(stays)


def _together(one: Faces, other: Faces) -> Faces:
    """All faces of both, highest score first."""
    boxes = np.concatenate([one.boxes, other.boxes])
    scores = np.concatenate([np.asarray(one.scores), np.asarray(other.scores)])
    return Faces(boxes, scores)[np.argsort(-scores, kind="stable")]
