"""What every format is turned into on its way in, `Labelled`, and what its readers and writers share."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TypeVar

from dataset.photos import Photo
from visavis.errors import InputError
from visavis.images import SUFFIXES, header
from visavis.messages import say

Box = tuple[float, float, float, float]
Key = TypeVar("Key")
_PREFIX = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the names of files that are uploaded to it."""


@dataclass
class Labelled:
    """A photo as a format has it.

    image: its path as the format says it, with /; without its ending it is the image_id. path: where it lies.
    where: file and row, for messages. flags: what the format says of each of `boxes`, or "". size: height and width
    that the labels say the photo has, pixels. displayed: boxes are in pixels of the photo as displayed even where the
    size is the one before its EXIF orientation.
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


@dataclass(frozen=True)
class Wanted:
    """What to take of a source.

    images: the folder that image names start from; None looks where the format usually has them.
    category: the name of the class that is a face; None: the one called face, or the only one.
    ignore_heavy: whether heavily blurred and occluded faces (WIDER FACE) are ignored instead of learnt.
    """

    images: Path | None = None
    category: str | None = None
    ignore_heavy: bool = False


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


def found_elsewhere(image: str, folders: Iterable[Path]) -> Path | None:
    """The photo that a name most likely means where it is not there itself: the one of the same name in one of the
    folders, without the path or the prefix of the tool that labelled it, or of the same stem; None where no photo, or
    more than one, fits."""
    name = PurePosixPath(image.replace("\\", "/")).name
    stems = [_stem(one).lower() for one in (name, _PREFIX.sub("", name))]
    parent = PurePosixPath(image.replace("\\", "/")).parent
    for folder in folders:
        for place in dict.fromkeys([folder / parent, folder] if not parent.is_absolute() else [folder]):
            for stem in stems:
                alike = [
                    path for path in _files(place) if path.stem.lower() == stem and path.suffix.lower() in SUFFIXES
                ]
                if len(alike) == 1:
                    return alike[0]
    return None


def resolved(image: str, folders: list[Path]) -> tuple[str, Path, bool]:
    """A photo's name and place, and whether the source has another name for it: see `found_elsewhere`."""
    place = located(image, folders)
    if place.exists() or (other := found_elsewhere(image, folders)) is None:
        return image, place, False
    inside = (PurePosixPath(image).parent / other.name).as_posix()
    return (inside if any(folder / inside == other for folder in folders) else other.name), other, True


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
