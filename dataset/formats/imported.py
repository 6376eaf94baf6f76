"""What the readers of all formats return, `ImportedPhoto`, and what readers and writers share."""

import math
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from dataset.photos import Photo
from visavis.errors import InputError
from visavis.keypoints import Points
from visavis.messages import counted, say

Box = tuple[float, float, float, float]
Size = tuple[int, int]
"""Height and width, pixels."""
Exif = Literal["auto", "applied", "ignored"]
Key = TypeVar("Key")


@dataclass
class ImportedPhoto:
    """A photo with its labels, as read from a format.

    image: its path in the format, with /; without its ending it is the image_id. path: of the file.
    where: file and row, for messages. flags: the format's remarks on each of `boxes`, or "". size: the photo's height
    and width according to the labels, pixels. displayed: whether boxes are known to be of the photo as displayed, even
    if `size` is the one before its EXIF orientation. of_shares: whether boxes were shares of the photo's sides, and
    have been multiplied by those of the photo as displayed. attributes: a row of attributes.csv per box, without
    its box; none where the format says nothing of the faces but where they are. points: those of each face, (K, 2)
    pixels, NaN where nobody said; none where the format has no points. content: the file's bytes where it is no file of
    the source.
    """

    image: str
    path: Path
    where: str
    identity: str = ""
    boxes: list[Box] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    ignore: list[Box] = field(default_factory=list)
    size: tuple[int, int] | None = None
    displayed: bool = False
    of_shares: bool = False
    attributes: list[dict[str, str]] = field(default_factory=list)
    points: list[Points] = field(default_factory=list)
    content: bytes | None = None

    def join(self, other: "ImportedPhoto") -> None:
        """Take the labels of another entry of the same photo, too. Raises InputError if both cannot be of one photo."""
        for what, one, two in (("size", self.size, other.size), ("identity", self.identity, other.identity)):
            if one != two:
                raise InputError(f"{other.where}: {other.image} has the {what} {two!r}, and {one!r} in {self.where}; "
                                 "correct one of them")  # fmt: skip
        if self.flags or other.flags:
            self.flags = [*(self.flags or [""] * len(self.boxes)), *(other.flags or [""] * len(other.boxes))]
        if self.attributes or other.attributes:
            self.attributes = [
                *(self.attributes or [{} for _ in self.boxes]),
                *(other.attributes or [{} for _ in other.boxes]),
            ]
        self.points += other.points
        self.boxes += other.boxes
        self.ignore += other.ignore


@dataclass(frozen=True)
class Wanted:
    """What to import from a source.

    images: the folder to which names of images are relative; None: where the format usually has them.
    category: the name of the class that is a face; None: the one called face, or the only one.
    ignore_heavy: whether heavily blurred and occluded faces (WIDER FACE) are ignored instead of learnt.
    exif: whether the labelling tool showed photos turned by their EXIF orientation: `applied` (boxes are of the photo
    as displayed), `ignored` (of the photo as stored), or `auto`: according to the sizes in the labels, or else applied.
    incomplete: whether faces are taken of which some points are not known (kaggle-keypoints).
    """

    images: Path | None = None
    category: str | None = None
    ignore_heavy: bool = False
    exif: Exif = "auto"
    incomplete: bool = False


def face_classes(used: Mapping[Key, int], names: Mapping[Key, str], wanted: str | None, where: str) -> set[Key]:
    """The classes that are faces: those called `wanted` (by default `face`, in any case), or the only one.

    used: the number of boxes of each class. names: of every class. Reports an only class of another name, and the
    number of boxes of other classes, which are left out. Raises InputError if it is not clear which class is meant, or
    if `wanted` has no box while others have.
    """
    asked = (wanted or "face").strip().casefold()
    called = {number for number, name in names.items() if name.strip().casefold() == asked}
    boxes = Counter(dict.fromkeys(names.values(), 0))
    for number, count in used.items():
        boxes[names[number]] += count
    if wanted is None and not called:
        only = {names[number] for number in used if used[number]} or set(names.values())
        if len(only) == 1:
            (name,) = only
            say(f"{where}: the only class, {name!r}, is taken for faces")
            called = {number for number, one in names.items() if one == name}
    found = sum(used.get(number, 0) for number in called)
    if not called or (not found and sum(used.values())):
        listed = ", ".join(f"{name} ({count})" for name, count in boxes.items()) or "none"
        raise InputError(
            f"{where}: no class {asked!r} among {listed} (number of boxes in brackets); give its name as `category`"
        )
    others = {name: count for name, count in boxes.items() if count and name not in {names[one] for one in called}}
    if others:
        listed = ", ".join(f"{name} ({count})" for name, count in others.items())
        say(f"{where}: boxes of other classes are left out: {listed}")
    return called


def say_some(thing: str, things: str, what: str, places: list[str], most: int = 10) -> None:
    """Report how many `places` there are, if any, and the first ones. thing, things: how the report of one and of
    several begins."""
    if places:
        more = f" and {len(places) - most} more" if len(places) > most else ""
        say(f"{counted(len(places), thing, things)} {what} {'; '.join(places[:most])}{more}")


def usable(box: Box, where: str, left_out: list[str]) -> bool:
    """Whether a box has an area; if not, `left_out` gets its row.

    Raises InputError for a box that is not finite, or lies within one pixel.
    """
    if any(value != value or abs(value) == float("inf") for value in box):
        raise InputError(f"{where}: the box {box} has a side that is not a finite number; correct or remove it")
    if box[2] <= box[0] or box[3] <= box[1]:
        left_out.append(where)
        return False
    if min(box) >= -1 and max(box) <= 1:  # VOC counts pixels from 1
        raise InputError(
            f"{where}: the box {box} lies within one pixel; this format takes pixels, not shares of the photo's sides: "
            "multiply x by the photo's width and y by its height"
        )
    return True


def around(points: Iterable[tuple[float, float]]) -> Box:
    """The upright box around points, x y."""
    across, down = zip(*points, strict=True)
    return min(across), min(down), max(across), max(down)


def around_ellipse(box: Box, degrees: float) -> Box:
    """The upright box of the ellipse in a box that is turned about its centre. A turned face fills it; the box around
    the turned corners would be larger."""
    if not degrees % 180:
        return box
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    wide, high = math.hypot(across * cosine, down * sine), math.hypot(across * sine, down * cosine)
    return x - wide, y - high, x + wide, y + high


def say_left_out(left_out: list[str]) -> None:
    """Report how many boxes had no area, and the rows of the first ones."""
    say_some("box without an area is", "boxes without an area are", "left out:", left_out)


def marked(value: object, where: str) -> bool:
    """Whether a mark such as `difficult` or `iscrowd` is set: tools write it as a number, a truth value or a word.
    Raises InputError for anything else."""
    text = str(value).strip().lower()
    if text in ("", "0", "0.0", "none", "null", "false", "no", "unspecified"):
        return False
    if text in ("1", "1.0", "true", "yes"):
        return True
    raise InputError(f"{where}: {value!r} is not 0 or 1; correct it")


def numbers(texts: Iterable[str], where: str) -> list[float]:
    """The numbers that the texts represent. Raises InputError."""
    values = list(texts)
    try:
        return [float(text) for text in values]
    except ValueError:
        raise InputError(f"{where}: {' '.join(values)!r} are not numbers; correct or remove the row") from None


def size_in(held: Mapping[str, object], where: str, height: str = "height", width: str = "width") -> Size | None:
    """Height and width in the labels, as numbers or texts; None if one of them is missing. Raises InputError."""
    sides = [held.get(height), held.get(width)]
    if any(side is None or not str(side).strip() for side in sides):
        return None
    high, wide = numbers(map(str, sides), where)
    if not math.isfinite(high * wide):
        raise InputError(f"{where}: the size is {sides[1]} x {sides[0]} pixels; correct it")
    return round(high), round(wide)


def size_of(photo: Photo) -> tuple[int, int]:
    """Height and width as displayed, from the tables or else from the file. Raises InputError if neither has them."""
    size = photo.known_size()
    if size is None:
        raise InputError(f"{photo.path} cannot be read, and its size is needed; run `python -m clean` first")
    return size


def linked(path: Path, goal: Path) -> None:
    """Link a file to another path, or copy it if there are no hard links. An existing file is replaced."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    goal.unlink(missing_ok=True)
    try:
        os.link(path, goal)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(path, goal)


def exported(photo: Photo) -> str:
    """The name of an exported photo: its image_id with the ending of its file."""
    return photo.image_id + photo.path.suffix
