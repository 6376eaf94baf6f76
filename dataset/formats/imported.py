"""What the readers of all formats return, `ImportedPhoto`, and what readers and writers share."""

import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

from dataset.photos import Photo
from visavis.errors import InputError
from visavis.images import SUFFIXES, header
from visavis.messages import say

Box = tuple[float, float, float, float]
Exif = Literal["auto", "applied", "ignored"]
Key = TypeVar("Key")
_PREFIX = re.compile(r"^[0-9a-f]{8}-")
"""The prefix that Label Studio adds to the names of uploaded files."""


@dataclass
class ImportedPhoto:
    """A photo with its labels, as read from a format.

    image: its path in the format, with /; without its ending it is the image_id. path: of the file.
    where: file and row, for messages. flags: the format's remarks on each of `boxes`, or "". size: the photo's height
    and width according to the labels, pixels. displayed: whether boxes are known to be of the photo as displayed, even
    if `size` is the one before its EXIF orientation. of_shares: whether boxes were shares of the photo's sides, and
    have been multiplied by those of the photo as displayed. attributes: a row of attributes.csv per box, without
    its box; none where the format says nothing of the faces but where they are.
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


@dataclass(frozen=True)
class Wanted:
    """What to import from a source.

    images: the folder to which names of images are relative; None: where the format usually has them.
    category: the name of the class that is a face; None: the one called face, or the only one.
    ignore_heavy: whether heavily blurred and occluded faces (WIDER FACE) are ignored instead of learnt.
    exif: whether the labelling tool showed photos turned by their EXIF orientation: `applied` (boxes are of the photo
    as displayed), `ignored` (of the photo as stored), or `auto`: according to the sizes in the labels, or else applied.
    """

    images: Path | None = None
    category: str | None = None
    ignore_heavy: bool = False
    exif: Exif = "auto"


def image_id_of(image: str, where: str) -> str:
    """A path without its ending, as image_id. Raises InputError for a path that leads out of the folder."""
    path = PurePosixPath(image.replace("\\", "/"))
    if not image or path.is_absolute() or ".." in path.parts or "\0" in image or not path.name:
        raise InputError(f"{where}: image is {image!r}; it must be a path inside the folder of photos")
    return path.with_suffix("").as_posix()


def located(image: str, folders: Iterable[Path]) -> Path:
    """The photo's path in the first of `folders` that has it; if none has, its path in the first one."""
    places = [folder / image for folder in folders]
    return next((place for place in places if place.exists()), places[0])


def found_elsewhere(image: str, folders: Iterable[Path]) -> tuple[str, Path] | None:
    """The photo that the name of a missing file most likely means: its name inside one of the folders, and its path. It
    is a file with the same name, without some or all folders of the path, or without the labelling tool's prefix, or
    with the same stem; None if no photo, or more than one, matches."""
    path = PurePosixPath(image.replace("\\", "/"))
    parts = path.parent.parts[1:] if path.is_absolute() else path.parent.parts
    parents = [PurePosixPath(*parts[first:]) for first in range(len(parts) + 1)]
    stems = [_stem(one).lower() for one in (path.name, _PREFIX.sub("", path.name))]
    for folder in folders:
        for parent in parents:
            for stem in dict.fromkeys(stems):
                alike = [
                    one
                    for one in _files(folder / parent)
                    if one.stem.lower() == stem and one.suffix.lower() in SUFFIXES
                ]
                same = [one for one in alike if one.name == path.name]
                if len(alike) == 1 or same:
                    one = (same or alike)[0]
                    return (parent / one.name).as_posix(), one
    return None


def resolved(image: str, folders: list[Path]) -> tuple[str, Path, bool]:
    """A photo's name and path, and whether the source has another name for it: see `found_elsewhere`."""
    place = located(image, folders)
    if place.exists() or (other := found_elsewhere(image, folders)) is None:
        return image, place, False
    return *other, True


def forget_folders() -> None:
    """Forget the content of folders, which is cached during an import."""
    _files.cache_clear()


def _stem(name: str) -> str:
    """A name without the ending of a photo's file; `2026.11.29` has none."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in SUFFIXES else name


@lru_cache(maxsize=64)
def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.iterdir())) if folder.is_dir() else ()


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


def say_some(what: str, places: list[str], most: int = 10) -> None:
    """Report how many `places` there are, if any, and the first ones."""
    if places:
        more = f" and {len(places) - most} more" if len(places) > most else ""
        say(f"{len(places)} {what} {'; '.join(places[:most])}{more}")


def usable(box: Box, where: str, left_out: list[str]) -> bool:
    """Whether a box has an area; if not, `left_out` gets its row.

    Raises InputError for a box that is not finite, or lies within one pixel.
    """
    if any(value != value or abs(value) == float("inf") for value in box):
        raise InputError(f"{where}: the box {box} has a side that is not a finite number; correct or remove it")
    if box[2] <= box[0] or box[3] <= box[1]:
        left_out.append(where)
        return False
    if min(box) >= 0 and max(box) <= 1:
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
    say_some("boxes without an area are left out:", left_out)


def numbers(texts: Iterable[str], where: str) -> list[float]:
    """The numbers that the texts represent. Raises InputError."""
    values = list(texts)
    try:
        return [float(text) for text in values]
    except ValueError:
        raise InputError(f"{where}: {' '.join(values)!r} are not numbers; correct or remove the row") from None


def size_of(photo: Photo) -> tuple[int, int]:
    """Height and width as displayed, from the tables or else from the file. Raises InputError if neither has them."""
    size = photo.size if min(photo.size) > 0 else header(photo.path)
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
