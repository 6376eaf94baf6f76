"""A strip of small pictures for each person of a video, for the page: where they were seen, in the order of time.

The pictures are kept in a folder of the results while the video is searched, and removed when the page is written.
"""

import shutil
from pathlib import Path

import numpy as np

from visavis import images
from visavis.faces import Faces
from visavis.images import Picture
from visavis.prediction.crops import Crops
from visavis.prediction.frames import Kept

STRIPS = ".strips"
"""Their folder in the folder of results."""
MOST, SIDE = 8, 96
"""Pictures in a strip at most, and pixels of a picture's sides."""

_CROPS = Crops(margin=0.3, square=True)


class Strips:
    """Keeps small pictures of each person of a video, as it is searched: `MOST` at most, evenly spaced."""

    def __init__(self, out: Path, place: str) -> None:
        shutil.rmtree(out / STRIPS / place, ignore_errors=True)  # of a run that was stopped
        self._out, self._place = out, place
        self._kept: dict[int, Kept] = {}

    def look(self, frame: int, picture: Picture, faces: Faces) -> None:
        """Take a frame that was searched, and its faces. Raises OSError."""
        for box, number in zip(faces.boxes, faces.attributes["track"].tolist(), strict=True):
            if not number:
                continue
            kept = self._kept.setdefault(number, Kept(MOST, STRIPS))
            small = images.resize(_CROPS.cut(picture, box), (SIDE, SIDE))
            kept.write(self._out, f"{self._place}/{number}", frame, small)


def strip(out: Path, place: str, number: int) -> Picture | None:
    """The kept pictures of a person beside each other, in the order of time; None if there are none."""
    files = sorted((out / STRIPS / place / str(number)).glob("*.jpg"), key=lambda path: int(path.stem))
    return np.hstack([images.read(path) for path in files]) if files else None


def tidy(out: Path) -> None:
    """Remove the small pictures."""
    shutil.rmtree(out / STRIPS, ignore_errors=True)
