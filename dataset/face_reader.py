"""Reads what is around one face: for networks that are shown one face at a time."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.faces import Unreadable
from dataset.photos import Photo, Photos
from visavis.analysers.crops import Frame
from visavis.errors import ImageError
from visavis.images import Picture, decode, encode, read_reduced
from visavis.keypoints import Points
from visavis.messages import say

REACH = 2.4
"""How many times as wide as the longer side of a face's box what is kept around it is: all that a square around it may
show when that is turned, moved and enlarged."""
SPARE = 1.5
"""Pixels that the longer side of a face is kept with, for each that the network is shown of it."""
QUALITY = 95


@dataclass(frozen=True)
class Around:
    """Part of a photo: `picture`, whose upper left corner is at `corner` x y in the photo, pixels, and which is `times`
    smaller."""

    picture: Picture
    corner: tuple[float, float]
    times: float

    def inside(self, points: Points) -> Points:
        """(..., 2) points of the photo as those of the part. Boxes may be given as two points."""
        return ((points - np.array(self.corner)) / self.times).astype(np.float32)


def read_around(
    photo: Photo, box: NDArray[np.float32], pixels: float, failed: Unreadable
) -> tuple[Picture, int] | None:
    """The photo, reduced as far as the longer side of the box (4,) keeps `pixels`, and how many times. None if it
    cannot be decoded, which is said on stderr and counted in `failed`."""
    longest = float(max(box[2] - box[0], box[3] - box[1], 1))
    shorter = min(photo.size)
    needed = math.ceil(shorter * min(1.0, pixels / longest)) if shorter else None
    try:
        return read_reduced(photo.path, needed, photo.max_pixels)
    except ImageError as error:
        failed.add()
        say(f"left out: {photo.path}: {error}")
        return None


class FaceReader:
    """Faces by their number: `numbers` (N,) of their photos, and `boxes` (N, 4) in pixels of these.

    What was read once is kept, as JPEG in memory (some 30 KB a face), for a photo of many megapixels takes longer to
    decode than the network to learn from it. A face whose photo cannot be decoded is named on stderr, and counted in
    `failed`.
    """

    def __init__(self, photos: Photos, numbers: NDArray[np.int64], boxes: NDArray[np.float32]) -> None:
        self.photos, self.numbers, self.boxes = photos, numbers, boxes
        self.failed = Unreadable()
        self._kept: dict[tuple[int, int], tuple[bytes, tuple[float, float], float]] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def name(self, face: int) -> str:
        """The photo that a face is in."""
        return self.photos[int(self.numbers[face])].image_id

    def read(self, face: int, side: int) -> Around | None:
        """What is around a face, of which a network is shown `side` pixels; None, which is said, if it cannot be
        decoded."""
        if (face, side) not in self._kept:
            around = self._read(face, side)
            if around is None:
                return None
            data = encode(around.picture, quality=QUALITY)
            self._kept[face, side] = data, around.corner, around.times
        data, corner, times = self._kept[face, side]
        return Around(decode(data), corner, times)

    def _read(self, face: int, side: int) -> Around | None:
        box = self.boxes[face]
        read = read_around(self.photos[int(self.numbers[face])], box, SPARE * side, self.failed)
        if read is None:
            return None
        picture, reduced = read
        frame = Frame.around(box / reduced, REACH)
        pixels = math.ceil(min(2 * frame.half, REACH * SPARE * side))
        corner = (frame.x - frame.half) * reduced, (frame.y - frame.half) * reduced
        return Around(frame.cut(picture, pixels), corner, 2 * frame.half * reduced / pixels)
