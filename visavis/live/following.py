"""The faces of a moving picture at the pace of a camera: a quick look at each frame, and a thorough one now and then.

The quick look sees a frame at low resolution, in a quarter of the time, and finds faces that are not small. Those that
only the thorough look found are shown on until the next one: the small ones, and others whose surroundings do not move.
A client that knows this sends small frames for quick looks, and a large one when a thorough look is due.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import iou, scale
from visavis.detectors.merging import together
from visavis.detectors.protocol import Detector
from visavis.faces import Faces
from visavis.images import Picture, fit, grey

Look = Literal["auto", "thorough", "quick"]
"""The look at a frame: a thorough one if it is due, else a quick one; or one of the two in any case."""

EVERY, CALM = 1.0, 2.0
"""Seconds after which the next look is a thorough one; and the most of them, where thorough looks show nothing new."""
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
    of a picture's shorter side in the quick look. due: whether the next frame should have a thorough look.
    """

    def __init__(self, thorough: Detector, quick: Detector | None, shorter: int) -> None:
        self._thorough, self._quick, self._shorter = thorough, quick, shorter
        self.due = True
        self._known = Faces()
        self._shown: Faces | None = None
        self._wait = EVERY
        self._before: NDArray[np.uint8] | None = None
        self._size = (0, 0)
        self._seconds = 0.0

    def find(self, picture: Picture, seconds: float, look: Look = "auto") -> Faces:
        """The faces of the next frame, (height, width, 3) uint8 RGB, at that time. Without a quick detector every look
        is thorough."""
        now, size = grey(fit(picture, THUMB)[0]), (picture.shape[0], picture.shape[1])
        is_same = self._before is not None and now.shape == self._before.shape and not self._has_changed(now)
        self.due = not is_same or not 0 <= seconds - self._seconds < self._wait
        if look == "auto":  # boxes of small faces cannot be carried on exactly between frames of different sizes
            look = "thorough" if self.due or size != self._size else "quick"
        if self._quick is None or look == "thorough":
            self._known = self._thorough.detect([picture])[0]
            is_calm = is_same and self._shown is not None and _agree(self._known, self._shown)
            self._wait = min(2 * self._wait, CALM) if is_calm else EVERY
            self._before, self._size, self._seconds, self._shown = now, size, seconds, None
            self.due = self._quick is None
            return self._known
        found = self._quick.detect([picture])[0]
        if not is_same:
            return found
        factors = size[0] / self._size[0], size[1] / self._size[1]
        known = replace(self._known, boxes=scale(self._known.boxes, factors))
        missing = iou(known.boxes, found.boxes).max(axis=1, initial=0) < SAME
        shown = together([found, known[missing & self._stays(now)]])
        self._shown = replace(shown, boxes=scale(shown.boxes, (1 / factors[0], 1 / factors[1])))
        return shown

    def _has_changed(self, now: NDArray[np.uint8]) -> bool:
        """Whether it is another scene than that of the last thorough look."""
        assert self._before is not None
        return float(np.abs(now.astype(np.int16) - self._before).mean()) > CHANGED

    def _stays(self, now: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """(N,) which faces of the thorough look are taken to be there still."""
        assert self._before is not None
        changes, faces = np.abs(now.astype(np.int16) - self._before), self._known
        sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) * self._shorter / min(self._size)
        factor = max(now.shape) / max(self._size)
        stays = sides < SMALL
        for face, box in enumerate(faces.boxes * factor):
            (x1, y1), (x2, y2) = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
            stays[face] |= float(changes[max(0, y1) : y2 + 1, max(0, x1) : x2 + 1].mean()) < STILL
        return np.asarray(stays)


def _agree(some: Faces, others: Faces) -> bool:
    """Whether each of the one is one of the other, and none is left."""
    return len(some) == len(others) and bool((iou(some.boxes, others.boxes).max(axis=1, initial=0) >= SAME).all())
