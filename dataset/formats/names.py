"""Which photo a name in somebody's labels means: people move and convert photos, and tools rename them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path, PurePosixPath
from unicodedata import normalize
from urllib.parse import unquote, urlsplit

from visavis.errors import InputError
from visavis.images import SUFFIXES
from visavis.sources import shown

_BYTE = re.compile(r"\\x([89a-f][0-9a-f])")
_PREFIX = re.compile(r"^[0-9a-f]{8}-")
"""The prefix that Label Studio adds to the names of uploaded files."""


def image_id_of(image: str, where: str) -> str:
    """A path without its ending, as image_id. Raises InputError for a path that leads out of the folder."""
    path = PurePosixPath(image.replace("\\", "/"))
    if not image or path.is_absolute() or ".." in path.parts or "\0" in image or not path.name:
        raise InputError(f"{where}: image is {image!r}; it must be a path inside the folder of photos")
    return shown(path.with_suffix("").as_posix())


def located(image: str, folders: Iterable[Path]) -> Path:
    """The photo's path in the first of `folders` that has it; if none has, its path in the first one."""
    places = [folder / image for folder in folders]
    return next((place for place in places if place.exists()), places[0])


def resolved(image: str, folders: list[Path]) -> tuple[str, Path, bool]:
    """A photo's name and path, and whether the source has another name for it: see `found_elsewhere`."""
    there = ((name, located(name, folders)) for name in meanings(image))
    if (found := next((one for one in there if one[1].exists()), None)) is not None:
        return *found, False
    if (other := found_elsewhere(image, folders)) is not None:
        return *other, True
    return (name := _plain(image)), located(name, folders), False


def meanings(image: str) -> list[str]:
    """What a name in a file may stand for: itself, since a name may begin with a blank or have a backslash in it; with
    its \\xff as bytes that are no UTF-8, which is how predict.py writes them; and `_plain`."""
    return list(dict.fromkeys((image, _BYTE.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), image), _plain(image))))


def found_elsewhere(image: str, folders: Iterable[Path]) -> tuple[str, Path] | None:
    """The photo that the name of a missing file most likely means: its name inside one of the folders, and its path. It
    is a file with the same name, without some or all folders of the path, or without the labelling tool's prefix, or
    with the same stem; None if no photo, or more than one, matches."""
    path = PurePosixPath(_plain(image))
    parts = path.parent.parts[1:] if path.is_absolute() else path.parent.parts
    parents = [PurePosixPath(*parts[first:]) for first in range(len(parts) + 1)]
    stems = [_stem(one) for one in (path.name, _PREFIX.sub("", path.name), unquote(path.name))]
    for folder in folders:
        for parent in parents:
            for stem in dict.fromkeys(stems):
                alike = _photos(folder / parent).get(stem, [])
                same = [one for one in alike if one.name == path.name]
                if len(alike) == 1 or same:
                    one = (same or alike)[0]
                    return (parent / one.name).as_posix(), one
    return None


def moved(place: str, root: Path) -> Path:
    """A file or folder of another machine's path below `root`: by as many of its last parts as are there, so that
    ../train/images and C:\\photos\\train\\images are train/images. `root` / `place` if there is none."""
    parts = [part for part in PurePosixPath(place.replace("\\", "/")).parts if part not in ("..", "/")]
    places = [root.joinpath(*parts[first:]) for first in range(len(parts))]
    return next((one for one in places if one.exists()), root / place)


def forget_folders() -> None:
    """Forget the content of folders, which is cached during an import."""
    _photos.cache_clear()
    texts_in.cache_clear()


@lru_cache(maxsize=64)
def texts_in(folder: Path) -> dict[str, Path]:
    """The text files of a folder by their name without .txt, or .TXT."""
    files = folder.iterdir() if folder.is_dir() else ()
    return {one.stem: one for one in files if one.suffix.lower() == ".txt"}


def _plain(image: str) -> str:
    """A name with / between its parts, without blanks around it, and without the server and the query of a URL."""
    name = image.strip().replace("\\", "/")
    return unquote(urlsplit(name).path) if "://" in name else name


def _stem(name: str) -> str:
    """A name without the endings of photos' files (`a.jpg.jpg` has two, `2026.11.29` has none), however its letters are
    stored: macOS splits accents from them."""
    path = PurePosixPath(name)
    while path.suffix.lower() in SUFFIXES:
        path = path.with_suffix("")
    return normalize("NFC", path.name).casefold()


@lru_cache(maxsize=64)
def _photos(folder: Path) -> dict[str, list[Path]]:
    """The photos of a folder by `_stem`."""
    photos: dict[str, list[Path]] = {}
    for one in sorted(folder.iterdir()) if folder.is_dir() else ():
        if one.suffix.lower() in SUFFIXES:
            photos.setdefault(_stem(one.name), []).append(one)
    return photos
