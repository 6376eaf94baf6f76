"""COCO's JSON of object detection. Boxes are x y width height; `iscrowd` is our `ignore`."""

import json
from collections import Counter
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
    names = {
        _id(entry["id"], f"{source} categories[{number}]"): str(entry.get("name", entry["id"]))
        for number, entry in enumerate(held["categories"])
    }
    photos = _photos(held, source, wanted)
    kinds = [_kind(entry, names, f"{source} annotations[{number}]") for number, entry in enumerate(held["annotations"])]
    classes = labelled.face_classes(Counter(kinds), names, wanted.category, str(source)) if names or kinds else set()
    left_out: list[str] = []
    for number, (entry, kind) in enumerate(zip(held["annotations"], kinds, strict=True)):
        where = f"{source} annotations[{number}]"
        image = _id(entry["image_id"], where)
        if image not in photos:
            raise InputError(f"{where}: no image has the id {image!r}; mend or drop the annotation")
        if kind in classes and labelled.usable(box := _upright(_box(entry, where), entry), where, left_out):
            one = photos[image]
            (one.ignore if entry.get("iscrowd") or entry.get("ignore") else one.boxes).append(box)
    labelled.say_left_out(left_out)
    yield from {id(one): one for one in photos.values()}.values()


def _photos(held: dict[str, Any], source: Path, wanted: Wanted) -> dict[str, Labelled]:
    """The photos by id, without boxes. One that is listed twice, as Label Studio does for two annotators, is one."""
    above, part = source.parent.parent, source.stem.rpartition("_")[2]
    folders = [wanted.images] if wanted.images else [
        *_root(held, source), source.parent, source.parent / "images",
        above / "images" / part, above / "images", above / part, above,
    ]  # fmt: skip
    info = held.get("info")
    # Label Studio's sizes are those of the file as stored, its boxes those of the photo as the browser displays it;
    # what predict.py writes, which names a root, is all as displayed.
    displayed = isinstance(info, dict) and (info.get("contributor") == "Label Studio" or "root" in info)
    photos: dict[str, Labelled] = {}
    listed: dict[str, Labelled] = {}
    elsewhere, twice = [], []
    for number, entry in enumerate(held["images"]):
        where = f"{source} images[{number}]"
        key = _id(entry["id"], where)
        if key in photos:
            raise InputError(f"{where}: two photos with the id {key}; give each its own")
        name = str(entry["file_name"]).replace("\\", "/")
        if name in listed:
            twice.append(f"{where} ({name})")
            photos[key] = listed[name]
            continue
        image, place, other = labelled.resolved(name, folders)
        if other:
            elsewhere.append(f"{name} is taken to be {place.name}")
        identity = str(entry.get("identity", ""))
        photos[key] = listed[name] = Labelled(image, place, where, identity, size=_size(entry), displayed=displayed)
    labelled.say_some("names of photos are not those of files:", elsewhere)
    labelled.say_some("photos are listed again, and their boxes are put together:", twice)
    return photos


def _kind(entry: dict[str, Any], names: dict[str, str], where: str) -> str:
    kind = _id(entry["category_id"], where)
    if kind not in names:
        raise InputError(f"{where}: no category has the id {kind!r}; mend or drop the annotation")
    return kind


def _box(entry: dict[str, Any], where: str) -> labelled.Box:
    """The annotation's bbox or, where it has none, the box around its polygons. Raises InputError."""
    corners, polygons = entry.get("bbox"), entry.get("segmentation")
    if not corners and isinstance(polygons, list) and polygons and all(isinstance(one, list) for one in polygons):
        values = labelled.numbers((str(value) for one in polygons for value in one), where)
        if len(values) >= 6 and len(values) % 2 == 0:
            return labelled.around(zip(values[::2], values[1::2], strict=True))
    if not isinstance(corners, list) or len(corners) != 4:
        raise InputError(f"{where}: bbox is {corners!r}, not [x, y, width, height]; mend or drop it")
    x, y, width, height = labelled.numbers(map(str, corners), where)
    return x, y, x + width, y + height


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
    return labelled.around_ellipse(box, degrees) if isinstance(degrees, int | float) else box


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
        "annotations": ("image_id", "category_id"),
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
