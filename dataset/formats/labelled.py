"""What every format is turned into on its way in, `Labelled`, and what its readers and writers share."""

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
"""What Label Studio puts before the names of files that are uploaded to it."""


@dataclass
class Labelled:
    """A photo as a format has it.

    image: its path as the format says it, with /; without its ending it is the image_id. path: where it lies.
    where: file and row, for messages. flags: what the format says of each of `boxes`, or "". size: height and width
    that the labels say the photo has, pixels. displayed: boxes are known to be of the photo as displayed, even where
    the size is the one before its EXIF orientation. of_shares: they were shares of the photo's sides, which are by
    now multiplied by those of the photo as displayed. attributes: a row of attributes.csv for each of `boxes`, without
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
    """What to take of a source.

    images: the folder that image names start from; None looks where the format usually has them.
    category: the name of the class that is a face; None: the one called face, or the only one.
    ignore_heavy: whether heavily blurred and occluded faces (WIDER FACE) are ignored instead of learnt.
    exif: whether the tool that made the labels turned photos by their EXIF orientation: `applied` (boxes belong to the
    photo as displayed), `ignored` (to its pixels as stored), or `auto`: as the sizes in the labels tell, else applied.
    """

    images: Path | None = None
    category: str | None = None
    ignore_heavy: bool = False
    exif: Exif = "auto"


def image_id_of(image: str, where: str) -> str:
    """A path as an image_id: without its ending. Raises InputError for one that leads elsewhere."""
    path = PurePosixPath(image.replace("\\", "/"))
    if not image or path.is_absolute() or ".." in path.parts or "\0" in image or not path.name:
        raise InputError(f"{where}: image is {image!r}; it must be a path inside the folder of photos")
    return path.with_suffix("").as_posix()


def located(image: str, folders: Iterable[Path]) -> Path:
    """The photo in the first of `folders` that has it; else in the first, where it is missing."""
    places = [folder / image for folder in folders]
    return next((place for place in places if place.exists()), places[0])


def found_elsewhere(image: str, folders: Iterable[Path]) -> tuple[str, Path] | None:
    """The photo that a name most likely means where it is not there itself: its name inside of one of the folders, and
    its place. It is the one of the same name, without the first folders of the path or all, or without the prefix of
    the tool that labelled it, or the one of the same stem; None where no photo, or more than one, fits."""
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
    """A photo's name and place, and whether the source has another name for it: see `found_elsewhere`."""
    place = located(image, folders)
    if place.exists() or (other := found_elsewhere(image, folders)) is None:
        return image, place, False
    return *other, True


def forget_folders() -> None:
    """Look into folders anew: what they hold is remembered during an import."""
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

    used: how many boxes each class has. names: of every class. It is said where the only class has another name, and
    how many boxes of other classes are left out. Raises InputError where it is not clear which class is meant, and
    where the one asked for has no box while others have.
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
        raise InputError(f"{where}: no class {asked!r} among {listed}; name it by `category` (in brackets: boxes)")
    others = {name: count for name, count in boxes.items() if count and name not in {names[one] for one in called}}
    if others:
        listed = ", ".join(f"{name} ({count})" for name, count in others.items())
        say(f"{where}: boxes of other classes are left out: {listed}")
    return called


def say_some(what: str, places: list[str], most: int = 10) -> None:
    """Say how many there are, if any, and the first ones."""
    if places:
        more = f" and {len(places) - most} more" if len(places) > most else ""
        say(f"{len(places)} {what} {'; '.join(places[:most])}{more}")


def usable(box: Box, where: str, left_out: list[str]) -> bool:
    """Whether a box has an area; if not, `left_out` gets its row.

    Raises InputError where it is not finite, and where all of it lies within one pixel.
    """
    if any(value != value or abs(value) == float("inf") for value in box):
        raise InputError(f"{where}: the box {box} has a side that is not a finite number; mend or drop it")
    if box[2] <= box[0] or box[3] <= box[1]:
        left_out.append(where)
        return False
    if min(box) >= 0 and max(box) <= 1:
        raise InputError(
            f"{where}: the box {box} lies within one pixel; this format has pixels, not shares of the photo's sides: "
            "multiply x by its width and y by its height"
        )
    return True


def around(points: Iterable[tuple[float, float]]) -> Box:
    """The upright box around points, x y."""
    across, down = zip(*points, strict=True)
    return min(across), min(down), max(across), max(down)


def around_ellipse(box: Box, degrees: float) -> Box:
    """The upright box of the ellipse in a box that is turned about its centre: what a turned face takes up, and less
    than the box around the turned corners."""
    if not degrees % 180:
        return box
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    wide, high = math.hypot(across * cosine, down * sine), math.hypot(across * sine, down * cosine)
    return x - wide, y - high, x + wide, y + high


def say_left_out(left_out: list[str]) -> None:
    """Say how many boxes had no area, and the rows of the first ones."""
    say_some("boxes of no size are left out:", left_out)


def numbers(texts: Iterable[str], where: str) -> list[float]:
    """Texts as numbers. Raises InputError."""
    values = list(texts)
    try:
        return [float(text) for text in values]
    except ValueError:
        raise InputError(f"{where}: {' '.join(values)!r} are no numbers; mend or drop the row") from None


def size_of(photo: Photo) -> tuple[int, int]:
    """Height and width as displayed; from its file if no table says it. Raises InputError where neither does."""
    size = photo.size if min(photo.size) > 0 else header(photo.path)
    if size is None:
        raise InputError(f"{photo.path} cannot be read, and its size is needed; run `python -m clean` first")
    return size


def linked(path: Path, goal: Path) -> None:
    """The same file under another name; a copy where there are no hard links. What was there is replaced."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    goal.unlink(missing_ok=True)
    try:
        os.link(path, goal)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(path, goal)


def exported(photo: Photo) -> str:
    """The name of an exported photo: its image_id with the ending of its file."""
    return photo.image_id + photo.path.suffix
