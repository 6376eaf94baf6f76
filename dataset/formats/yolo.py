"""YOLO: data.yaml, and a text file a photo with a line a box: class, centre, width and height as shares.

It has no place for boxes to ignore, nor for identities: an export loses both, and says so.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from dataset.formats import labelled
from dataset.formats.labelled import Labelled, Wanted
from dataset.photos import Photos
from visavis.errors import InputError
from visavis.formats import yolo
from visavis.formats.yolo import PARTS
from visavis.images import find, header
from visavis.messages import say


def read(source: Path, wanted: Wanted) -> Iterator[Labelled]:
    """The photos of all parts that a data.yaml names. One without a label file, or with an empty one, has no face.

    image_ids are paths below the folder that the parts have in common, without its images/; our own split decides
    which part a photo is in.
    """
    held = _parsed(source)
    names = held["names"]
    names = dict(enumerate(names)) if isinstance(names, list) else {int(number): str(n) for number, n in names.items()}
    category = labelled.face_category(names, wanted.category, str(source))
    root = _plain(source.parent / str(held.get("path") or "."))
    if not root.is_dir():
        root = _plain(source.parent)
    left_out: list[str] = []
    for image, path in _images(held, root, wanted, source).items():
        one = Labelled(image, path, str(path))
        labels = yolo.labels_of(path)
        if labels.exists():
            size = header(path)
            for line, text in enumerate(_text(labels).splitlines(), start=1):
                fields = text.split()
                where = f"{labels} row {line}"
                if not fields:
                    continue
                if len(fields) != 5:
                    raise InputError(f"{where}: {len(fields)} fields, not class x y width height; mend or drop it")
                number, x, y, width, height = labelled.numbers(fields, where)
                if number not in names:
                    raise InputError(f"{where}: {source} names no class {fields[0]}; mend the row or the names")
                if number != category or size is None:  # without a size it cannot be read, and is told as that
                    continue
                high, wide = size
                box = ((x - width / 2) * wide, (y - height / 2) * high, (x + width / 2) * wide, (y + height / 2) * high)
                if labelled.usable(box, where, left_out):
                    one.boxes.append(box)
        yield one
    labelled.tell_left_out(left_out)


def write(photos: Photos, out: Path) -> None:
    """data.yaml, images/, labels/, and train.txt, val.txt and test.txt, which name the photos of each part."""
    listed: dict[str, list[str]] = {part: [] for part in PARTS}
    for photo in photos:
        picture = out / "images" / labelled.exported(photo)
        labelled.linked(photo.path, picture)
        size = labelled.size_of(photo)
        lines = [yolo.label(box, size) for box in photo.boxes.astype(float).tolist()]
        path = yolo.labels_of(picture)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8")
        listed[photo.side or "train"].append(f"./images/{labelled.exported(photo)}\n")
    for part, names in listed.items():
        (out / f"{part}.txt").write_text("".join(names), encoding="utf-8")
    (out / "data.yaml").write_text(yolo.settings({part: f"{part}.txt" for part in PARTS}), encoding="utf-8")
    ignored, known = sum(len(photo.ignore) for photo in photos), sum(bool(photo.identity) for photo in photos)
    if ignored or known:
        say(f"YOLO has no place for {ignored} boxes to ignore and the identities of {known} photos: they are not in it")


def _images(held: dict[str, Any], root: Path, wanted: Wanted, source: Path) -> dict[str, Path]:
    """Name (below images/) -> path of all photos of all parts."""
    paths: dict[Path, None] = {}
    for part in PARTS:
        entries = held.get(part) or []
        for entry in [entries] if isinstance(entries, str) else entries:
            place = _plain((wanted.images or root) / entry)
            if not place.exists():  # some tools write ../train/images where they mean train/images
                place = root / str(entry).removeprefix("../")
            if place.is_dir():
                paths |= dict.fromkeys(find(place))
            elif place.suffix == ".txt" and place.exists():
                paths |= dict.fromkeys(_plain(place.parent / line) for line in _text(place).splitlines() if line)
            else:
                raise InputError(f"{source}: {part} is {entry!r}, and there is no folder or list at {place}")
    if not paths:
        raise InputError(f"{source} names no photo under train, val or test")
    images: dict[str, Path] = {}
    for path in paths:
        try:
            parts = path.relative_to(root).parts
        except ValueError:
            raise InputError(f"{source}: {path} lies outside {root}; set path: in it") from None
        name = PurePosixPath(
            *(part for number, part in enumerate(parts) if number != yolo.images_folder(parts))
        ).as_posix()
        images[name] = path
    return images


def _plain(path: Path) -> Path:
    """An absolute path without `.` and `..`; links in it stay."""
    return Path(os.path.abspath(path))


def _parsed(source: Path) -> dict[str, Any]:
    import yaml

    try:
        held = yaml.safe_load(_text(source))
    except yaml.YAMLError as error:
        raise InputError(f"{source} is no YAML: {error}") from None
    if not isinstance(held, dict) or not isinstance(held.get("names"), dict | list):
        raise InputError(f"{source} is no data.yaml of YOLO's: it has no names")
    return held


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} is not there; give YOLO's data.yaml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
