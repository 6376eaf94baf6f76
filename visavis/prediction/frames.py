"""Frames of videos as files, and the names of a video's copies.

Formats that refer to picture files (COCO, YOLO, VOC) get every frame that was searched; the page gets some of those
with faces.
"""

import re
from pathlib import Path
from typing import TypeVar

from visavis import images
from visavis.files import replaced
from visavis.images import Picture
from visavis.video.recording import SUFFIXES

Frame = TypeVar("Frame")

FRAMES = "frames"
"""Its folder in the folder of results: frames/VIDEO/25.jpg is frame 25."""

MOST = 100
"""The most frames of a video that the page shows."""

_OF_A_FRAME = re.compile(r"\d+(-\d+)?\.(jpg|txt|xml)")
_ENDED = re.compile(rf"({'|'.join(map(re.escape, sorted(SUFFIXES)))})(-\d+)?$|^webcam-[^/]*$", re.IGNORECASE)
"""Places to which another ending may have been added: those of videos (-2 marks a second one of that name) and
cameras."""


def copy_name(place: str, ending: str) -> str:
    """The name of a video's copy: its place, and the ending of the container if that differs.

    No two places share a name: clip.avi becomes clip.avi.mkv, and so a clip.avi.mkv becomes clip.avi.mkv.mkv.
    """
    stem = place[: -len(ending)]
    return place if place.lower().endswith(ending) and not _ENDED.search(stem) else place + ending


def file_of(out: Path, place: str, frame: int, folder: str = FRAMES) -> Path:
    """The path of a frame of the video with that place, whether or not it is there."""
    return out / folder / place / f"{frame}.jpg"


def write(out: Path, place: str, frame: int, picture: Picture, folder: str = FRAMES) -> None:
    """Write a frame. Raises OSError."""
    with replaced(file_of(out, place, frame, folder), "wb", durable=False) as file:
        file.write(images.encode(picture, quality=95))


def forget(folder: Path) -> None:
    """Remove the files of frames, and of their faces, in a folder: an earlier run may have searched other frames."""
    for path in folder.glob("*"):
        if _OF_A_FRAME.fullmatch(path.name):
            path.unlink()


def spread(several: list[Frame]) -> list[Frame]:
    """At most `MOST` of the frames, evenly spaced: all, or every second, every fourth ..."""
    while len(several) > MOST:
        several = several[::2]
    return several


class Kept:
    """Keeps on disk the frames of one video that `spread` will choose, at most `MOST` at a time, or another number in
    another folder."""

    def __init__(self, most: int | None = None, folder: str = FRAMES) -> None:
        self._most, self._folder = MOST if most is None else most, folder
        self._numbers: list[int] = []
        self._stride, self._count = 1, 0

    def write(self, out: Path, place: str, frame: int, picture: Picture) -> None:
        """Write the next frame if it may be chosen, and remove those that can no longer be. Raises OSError."""
        self._count += 1
        if (self._count - 1) % self._stride:
            return
        write(out, place, frame, picture, self._folder)
        self._numbers.append(frame)
        if len(self._numbers) > self._most:
            for number in self._numbers[1::2]:
                file_of(out, place, number, self._folder).unlink(missing_ok=True)
            self._numbers, self._stride = self._numbers[::2], 2 * self._stride
