"""Frames of videos as files of their own, and what a video's copies are called.

Formats that speak of picture files (COCO, YOLO, VOC) get every frame that was looked at; the page to look through
gets some of those with faces.
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
"""Folder in the one of the results: frames/VIDEO/25.jpg is frame 25."""

MOST = 100
"""Frames of a video that the page shows."""

_OF_A_FRAME = re.compile(r"\d+(-\d+)?\.(jpg|txt|xml)")
_ENDED = re.compile(rf"({'|'.join(map(re.escape, sorted(SUFFIXES)))})(-\d+)?$|^webcam-[^/]*$", re.IGNORECASE)
"""Places that may have been given another ending: videos' (-2 sets apart those of one name) and cameras'."""


def copy_name(place: str, ending: str) -> str:
    """What the copy of a video is called: its place, with the container's ending if that is another.

    No two places share a name: clip.avi becomes clip.avi.mkv, and so a clip.avi.mkv becomes clip.avi.mkv.mkv.
    """
    stem = place[: -len(ending)]
    return place if place.lower().endswith(ending) and not _ENDED.search(stem) else place + ending


def file_of(out: Path, place: str, frame: int) -> Path:
    """Where a frame of the video with that place is, or would be."""
    return out / FRAMES / place / f"{frame}.jpg"


def write(out: Path, place: str, frame: int, picture: Picture) -> None:
    """Write a frame. Raises OSError."""
    with replaced(file_of(out, place, frame), "wb", durable=False) as file:
        file.write(images.encode(picture, quality=95))


def forget(folder: Path) -> None:
    """Remove the files of frames, and of their faces, in a folder: an earlier run may have looked at others."""
    for path in folder.glob("*"):
        if _OF_A_FRAME.fullmatch(path.name):
            path.unlink()


def spread(several: list[Frame]) -> list[Frame]:
    """At most `MOST` of the frames, evenly: all, every second, every fourth ..."""
    while len(several) > MOST:
        several = several[::2]
    return several


class Kept:
    """The frames of one video that `spread` will choose, on the disk: `MOST` at most, whatever its length."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._stride, self._come = 1, 0

    def write(self, out: Path, place: str, frame: int, picture: Picture) -> None:
        """Write the next frame, if it may be chosen; those that cannot be any more go. Raises OSError."""
        self._come += 1
        if (self._come - 1) % self._stride:
            return
        write(out, place, frame, picture)
        self._numbers.append(frame)
        if len(self._numbers) > MOST:
            for number in self._numbers[1::2]:
                file_of(out, place, number).unlink(missing_ok=True)
            self._numbers, self._stride = self._numbers[::2], 2 * self._stride
