"""COCO's JSON of object detection. Boxes are x y width height; `iscrowd` is our `ignore`."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataset.formats import labelled
from dataset.formats.labelled import Labelled, Wanted
from dataset.photos import Photos
from visavis.errors import InputError
from visavis.formats import coco
from visavis.texts import read_text


def read(source: Path, wanted: Wanted) -> Iterator[Labelled]:
    """The photos of an instances file. Those without any annotation are photos without a face."""
    held = _parsed(source)
    category = labelled.face_category(
        {
            _id(entry["id"], f"{source} categories[{number}]"): str(entry.get("name", entry["id"]))
            for number, entry in enumerate(held["categories"])
        },
        wanted.category,
        str(source),
    )
    above = source.parent.parent
    folders = [wanted.images] if wanted.images else [
        *_root(held, source), source.parent, source.parent / "images",
        above / "images", above / source.stem.rpartition("_")[2], above,
    ]  # fmt: skip
    kinds = {_id(entry["id"], str(source)) for entry in held["categories"]}
    photos: dict[str, Labelled] = {}
    elsewhere: list[str] = []
    for number, entry in enumerate(held["images"]):
        where = f"{source} images[{number}]"
        key = _id(entry["id"], where)
        if key in photos:
            raise InputError(f"{where}: two photos with the id {key}; give each its own")
        name = str(entry["file_name"]).replace("\\", "/")
        place = labelled.located(name, folders)
        if not place.exists() and (other := labelled.found_elsewhere(name, folders)) is not None:
            elsewhere.append(f"{name} is taken to be {other.name}")
            name, place = other.name, other
        identity, size = str(entry.get("identity", "")), _size(entry)
        photos[key] = Labelled(name, place, where, identity, size=size)
    left_out: list[str] = []
    for number, entry in enumerate(held["annotations"]):
        where = f"{source} annotations[{number}]"
        image, kind = _id(entry["image_id"], where), _id(entry["category_id"], where)
        if image not in photos:
            raise InputError(f"{where}: no image has the id {image!r}; mend or drop the annotation")
        if kind not in kinds:
            raise InputError(f"{where}: no category has the id {kind!r}; mend or drop the annotation")
        if kind != category:
            continue
        if not isinstance(entry["bbox"], list) or len(entry["bbox"]) != 4:
            raise InputError(f"{where}: bbox is {entry['bbox']!r}, not [x, y, width, height]; mend or drop it")
        x, y, width, height = labelled.numbers(map(str, entry["bbox"]), where)
        box = _upright((x, y, x + width, y + height), entry)
        if labelled.usable(box, where, left_out):
            one = photos[image]
            (one.ignore if entry.get("iscrowd") or entry.get("ignore") else one.boxes).append(box)
    labelled.say_some("names of photos are not those of files:", elsewhere)
    labelled.tell_left_out(left_out)
    yield from photos.values()


def _id(value: Any, where: str) -> str:
    """An id as text, by which those that one tool writes as numbers and another as texts are the same. Raises
    InputError for what is no id."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"{where}: {value!r} is no id; give a number or a text")
    return str(value)


def _size(entry: dict[str, Any]) -> tuple[int, int] | None:
    """Height and width by the file; None where it says none that can be."""
    size = entry.get("height"), entry.get("width")
    return (int(size[0]), int(size[1])) if all(isinstance(side, int | float) for side in size) else None  # type: ignore[bad-argument-type]


def _upright(box: labelled.Box, entry: dict[str, Any]) -> labelled.Box:
    """The upright box of an annotation. CVAT writes the one before its rotation, in degrees clockwise, which is an
    attribute: a turned face takes the box of the ellipse in that."""
    attributes = entry.get("attributes")
    degrees = attributes.get("rotation") if isinstance(attributes, dict) else None
    if not isinstance(degrees, int | float) or not degrees % 180:
        return box
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    wide, high = math.hypot(across * cosine, down * sine), math.hypot(across * sine, down * cosine)
    return x - wide, y - high, x + wide, y + high


def write(photos: Photos, out: Path) -> None:
    """annotations.json and images/ in `out`. Everything is kept; `identity` is a key of ours in an image."""
    images, annotations = [], []
    for number, photo in enumerate(photos, start=1):
        labelled.linked(photo.path, out / "images" / labelled.exported(photo))
        height, width = labelled.size_of(photo)
        entry = {"id": number, "file_name": labelled.exported(photo), "width": width, "height": height}
        images.append(entry | ({"identity": photo.identity} if photo.identity else {}))
        for boxes, crowd in ((photo.boxes, False), (photo.ignore, True)):
            for box in boxes.astype(float).tolist():
                annotations.append(coco.annotation(len(annotations) + 1, number, box, crowd))
    held = {"images": images, "annotations": annotations, "categories": coco.CATEGORIES}
    (out / "annotations.json").write_text(json.dumps(held), encoding="utf-8")


def _root(held: dict[str, Any], source: Path) -> list[Path]:
    """The folder that predict.py says its names start from, if it wrote this."""
    info = held.get("info")
    return [source.parent / info["root"]] if isinstance(info, dict) and isinstance(info.get("root"), str) else []


def _parsed(source: Path) -> dict[str, Any]:
    """The file's three lists, their entries with what is needed. Raises InputError."""
    needed = {
        "images": ("id", "file_name"),
        "annotations": ("image_id", "category_id", "bbox"),
        "categories": ("id",),
    }
    try:
        held = json.loads(read_text(source))
    except FileNotFoundError:
        raise InputError(f"{source} is not there; give COCO's JSON of annotations") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{source} is no JSON: {error}") from None
    for name, keys in needed.items():
        if not isinstance(held, dict) or not isinstance(held.get(name), list):
            raise InputError(f"{source} is no annotation file of COCO's: it has no list {name!r}")
        for number, entry in enumerate(held[name]):
            missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
            if missing:
                raise InputError(f"{source} {name}[{number}] has no {', '.join(missing)}; mend or drop it")
    return held
