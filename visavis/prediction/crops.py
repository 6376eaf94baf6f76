"""A face cut out of its picture, with a margin around it."""

import glob
import hashlib
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count, takewhile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.identity.folders import UNKNOWN
from visavis.images import Picture
from visavis.sources import NAME_BYTES, fitting

Order = Literal["by-photo", "flat", "by-person", "best"]
ROOM = 24
"""Bytes in a name for the numbers of a frame and of a face, and the ending."""


@dataclass(frozen=True)
class Crops:
    """How to cut faces out: `crops.cut(picture, box)`.

    margin: share of the box's width and height that is added at each side. square: as high as wide, the longer side.
    order: how the files lie: in a folder for each photo, all in one, or in a folder for each person. best: as
    by-photo, but of a video the best one of each track.
    """

    margin: float = 0.2
    square: bool = False
    order: Order = "by-photo"

    def name(self, place: str, face: str, person: str = "") -> str:
        """The path of a face's file below crops/. person: whose it is; "" for nobody who is known."""
        if self.order in ("by-photo", "best"):
            return f"{place}/{face}.jpg"
        folder = f"{person or UNKNOWN}/" if self.order == "by-person" else ""
        return f"{folder}{_flat(place)}-{face}.jpg"

    def of_place(self, crops: Path, place: str) -> Iterator[Path]:
        """The files of a photo's faces that were in the folder `crops` before this process wrote the first one."""
        if self.order == "by-person":
            return iter(_by_place(crops).get(_flat(place), ()))
        return takewhile(Path.exists, (crops / self.name(place, str(number)) for number in count()))

    def of_frames(self, crops: Path, place: str) -> Iterator[Path]:
        """The files of the faces in a video's frames that are in the folder `crops`, but for those by photo."""
        folder = {"by-photo": None, "best": None, "flat": "", "by-person": "*/"}[self.order]
        if folder is None:
            return iter(())
        of_a_frame = re.compile(rf"{re.escape(_flat(place))}-\d+-\d+\.jpg")
        found = crops.glob(f"{folder}{glob.escape(_flat(place))}-*-*.jpg")
        return (path for path in found if of_a_frame.fullmatch(path.name))

    def cut(self, picture: Picture, box: NDArray[np.float32]) -> Picture:
        """The part of (height, width, 3) `picture` around `box`, x1 y1 x2 y2: at least one pixel, and all from inside.

        A square one that would reach outside is moved inwards, and shrunk only where the picture is smaller.
        """
        x1, y1, x2, y2 = (float(side) for side in box)
        width, height = (x2 - x1) * (1 + 2 * self.margin), (y2 - y1) * (1 + 2 * self.margin)
        if self.square:
            width = height = min(max(width, height), *picture.shape[:2])
        left, right = _within((x1 + x2) / 2, width, picture.shape[1], self.square)
        top, bottom = _within((y1 + y2) / 2, height, picture.shape[0], self.square)
        return picture[top:bottom, left:right]


def _flat(place: str) -> str:
    """A photo's place as one name: slashes become underscores, and underscores two, so that no two photos share it. One
    that is too long for a name ends in a hash instead."""
    name = place.replace("_", "__").replace("/", "_")
    if len(os.fsencode(name)) <= NAME_BYTES - ROOM:
        return name
    mark = "_" + hashlib.sha256(os.fsencode(place)).hexdigest()[:12]
    return fitting(name, NAME_BYTES - ROOM - len(mark)) + mark


@cache
def _by_place(crops: Path) -> dict[str, list[Path]]:
    """The files that lie by person, by what `_flat` makes of their photos' places. They are listed once: to do so for
    each photo would take ever longer."""
    found: dict[str, list[Path]] = {}
    for path in crops.glob("*/*.jpg"):
        place, _, number = path.stem.rpartition("-")
        if number.isdecimal():
            found.setdefault(place, []).append(path)
    return found


def _within(middle: float, length: float, limit: int, whole: bool) -> tuple[int, int]:
    """The first pixel, and the one after the last, of an interval around `middle` in a row of `limit` pixels.

    whole: at an edge the interval is moved instead of shortened.
    """
    pixels = max(1, round(length)) if whole else max(1, math.ceil(length))
    first = min(max(0, round(middle - pixels / 2)), max(0, limit - (pixels if whole else 1)))
    last = first + pixels if whole else min(limit, max(first + 1, round(middle + pixels / 2)))
    return first, last
