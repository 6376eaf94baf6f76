"""Points of faces through a video, without jitter and without lag: the 1 euro filter (Casiez et al., "1 € Filter: A
Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems", CHI 2012).

A point that hardly moves is smoothed much, one that moves fast hardly at all. Speeds count in widths of the face, so
that near and far faces are steadied alike.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from visavis.faces import Faces
from visavis.video.remembering import Remembered

SLOWEST = 0.6
"""Hertz: the cut-off for a point at rest. Lower is steadier, and lags more at the start of a movement."""
SPEED = 12.0
"""Hertz by which the cut-off grows for each width of the face that a point moves in a second."""
SPEEDS = 1.0
"""Hertz: the cut-off for the speed itself."""
FORGOTTEN = 1.0
"""Seconds after which a face that is not seen any more is a new one."""


class Steadier:
    """The faces of one video, frame by frame: `steady(faces, seconds)`."""

    def __init__(self) -> None:
        self._points = Remembered(_Points, FORGOTTEN)

    def steady(self, faces: Faces, seconds: float) -> Faces:
        """The faces of a frame, its time in seconds, with keypoints that are steadied by those of the frames before.
        Faces without keypoints stay as they are."""
        if faces.keypoints is None or not len(faces):
            return faces
        known = self._points.look(faces.boxes, seconds)
        boxes = faces.boxes.astype(np.float64)
        widths = np.maximum(1, (boxes[:, 2:] - boxes[:, :2]).max(axis=1))
        given = zip(known, np.array(faces.keypoints, np.float64), widths.tolist(), strict=True)
        shown = [face.follow(points, width, seconds) for face, points, width in given]
        return replace(faces, keypoints=np.stack(shown).astype(np.float32))


@dataclass
class _Points:
    """A face's points as shown, (K, 2), their speeds (pixels a second), and when that was."""

    shown: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    speeds: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    seconds: float = 0.0

    def follow(self, points: NDArray[np.float64], width: float, seconds: float) -> NDArray[np.float64]:
        """What to show of the points of the next frame. A point that was not known before begins anew."""
        step, self.seconds = seconds - self.seconds, seconds
        if self.shown.shape != points.shape or step <= 0:
            self.shown, self.speeds = points, np.zeros_like(points)
            return points
        start = np.where(np.isnan(self.shown), points, self.shown)
        moved = np.nan_to_num((points - start) / step)
        self.speeds = self.speeds + _share(SPEEDS, step) * (moved - self.speeds)
        fast = np.linalg.norm(self.speeds, axis=1, keepdims=True) / width
        self.shown = start + _share(SLOWEST + SPEED * fast, step) * (points - start)
        return self.shown


def _share(cutoff: NDArray[np.float64] | float, step: float) -> NDArray[np.float64]:
    """Of the way to a new value that a low-pass filter goes in `step` seconds."""
    turn = 2 * np.pi * np.asarray(cutoff) * step
    return turn / (turn + 1)
