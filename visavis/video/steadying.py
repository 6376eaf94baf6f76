"""Points of faces through a video, without jitter and without lag: the 1 euro filter (Casiez et al., "1 € Filter: A
Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems", CHI 2012).

A point that hardly moves is smoothed much, one that moves fast hardly at all. Speeds count in widths of the face, so
that near and far faces are steadied alike.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import as_boxes, iou
from visavis.faces import Faces
from visavis.video.spans import pairs

SLOWEST = 0.6
"""Hertz: the cut-off for a point at rest. Lower is steadier, and lags more at the start of a movement."""
SPEED = 12.0
"""Hertz by which the cut-off grows for each width of the face that a point moves in a second."""
SPEEDS = 1.0
"""Hertz: the cut-off for the speed itself."""
SAME = 0.3
"""IoU of boxes in two frames from which on they are of one face."""
FORGOTTEN = 1.0
"""Seconds after which a face that is not seen any more is a new one."""


@dataclass
class _Track:
    """A face: its last box, its points as shown and their speeds (pixels a second), and when it was seen."""

    box: NDArray[np.float32]
    points: NDArray[np.float64]
    speeds: NDArray[np.float64]
    seconds: float


class Steadier:
    """The faces of one video, frame by frame: `steady(faces, seconds)`."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []

    def steady(self, faces: Faces, seconds: float) -> Faces:
        """The faces of a frame, its time in seconds, with keypoints that are steadied by those of the frames before.
        Faces without keypoints stay as they are."""
        if faces.keypoints is None or not len(faces):
            return faces
        alive = [track for track in self._tracks if 0 <= seconds - track.seconds <= FORGOTTEN]
        points = np.array(faces.keypoints, np.float64)
        still = np.zeros_like(points)
        now = [_Track(faces.boxes[face], points[face], still[face], seconds) for face in range(len(faces))]
        went_on = set()
        for old, face in zip(*pairs(as_boxes([track.box for track in alive]), faces.boxes), strict=True):
            track = alive[old]
            same = iou(track.box[None], faces.boxes[face : face + 1])[0, 0] >= SAME
            if same and track.points.shape == points[face].shape and seconds > track.seconds:
                now[face] = _followed(track, now[face])
                went_on.add(int(old))
        self._tracks = now + [track for number, track in enumerate(alive) if number not in went_on]
        shown = np.stack([track.points for track in now]).astype(np.float32)
        return replace(faces, keypoints=shown)


def _followed(before: _Track, now: _Track) -> _Track:
    """The track one frame on. A point that was not known before begins anew."""
    step, (x1, y1, x2, y2) = now.seconds - before.seconds, now.box.tolist()
    width = max(1.0, x2 - x1, y2 - y1)
    start = np.where(np.isnan(before.points), now.points, before.points)
    moved = np.nan_to_num((now.points - start) / step)
    speeds = before.speeds + _share(SPEEDS, step) * (moved - before.speeds)
    fast = np.linalg.norm(speeds, axis=1, keepdims=True) / width
    shown = start + _share(SLOWEST + SPEED * fast, step) * (now.points - start)
    return _Track(now.box, shown, speeds, now.seconds)


def _share(cutoff: NDArray[np.float64] | float, step: float) -> NDArray[np.float64]:
    """Of the way to a new value that a low-pass filter goes in `step` seconds."""
    turn = 2 * np.pi * np.asarray(cutoff) * step
    return turn / (turn + 1)
