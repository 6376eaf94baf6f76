"""COCO's JSON for object detection. Boxes are x y width height; `iscrowd` is our `ignore`."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataset.formats import imported
from dataset.formats.imported import ImportedPhoto, Wanted
from dataset.formats.json_file import parsed
from dataset.formats.names import resolved
from dataset.photos import Photos
from visavis.errors import InputError
from visavis.formats import coco


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of an instances file. A photo without annotations has no face."""
    held = _parsed(source)
    names = _categories(held, source)
    photos = _photos(held, source, wanted)
    kinds = [_kind(entry, names, f"{source} annotations[{number}]") for number, entry in enumerate(held["annotations"])]
    classes = (
        imported.face_classes(Counter(kinds), names, wanted.category, str(source))
        if names or wanted.category
        else set()
    )
    left_out: list[str] = []
    for number, (entry, kind) in enumerate(zip(held["annotations"], kinds, strict=True)):
        where = f"{source} annotations[{number}]"
        image = _id(entry["image_id"], where)
        if image not in photos:
            raise InputError(f"{where}: no image has the id {image!r}; correct or remove the annotation")
        if kind in classes and imported.usable(box := _upright(_box(entry, where), entry), where, left_out):
            one = photos[image]
            ignored = imported.marked(entry.get("iscrowd"), where) or imported.marked(entry.get("ignore"), where)
            (one.ignore if ignored else one.boxes).append(box)
    imported.say_left_out(left_out)
    yield from photos.values()


def _photos(held: dict[str, Any], source: Path, wanted: Wanted) -> dict[str, ImportedPhoto]:
    """The photos by id, without boxes."""
    above, part = source.parent.parent, source.stem.rpartition("_")[2]
    folders = [wanted.images] if wanted.images else [
        *_root(held, source), source.parent, source.parent / "images",
        above / "images" / part, above / "images", above / part, above,
    ]  # fmt: skip
    info = held.get("info")
    # Label Studio's sizes are of the photo as stored, its boxes of the photo as displayed by the browser. A file by
    # predict.py, which names a root, has both as displayed.
    displayed = isinstance(info, dict) and (info.get("contributor") == "Label Studio" or "root" in info)
    photos: dict[str, ImportedPhoto] = {}
    elsewhere = []
    for number, entry in enumerate(held["images"]):
        where = f"{source} images[{number}]"
        key = _id(entry["id"], where)
        if key in photos:
            raise InputError(f"{where}: two photos with the id {key}; give each its own")
        name = entry["file_name"]
        if not isinstance(name, str):
            raise InputError(f"{where}: file_name is {name!r}; it must be the name of a photo")
        image, place, other = resolved(name, folders)
        if other:
            elsewhere.append(f"{name} is taken for {place.name}")
        identity = str(entry.get("identity", ""))
        photos[key] = ImportedPhoto(
            image, place, where, identity, size=imported.size_in(entry, where), displayed=displayed
        )
    imported.say_some("photo has", "photos have", "another name than in its file:", elsewhere)
    return photos


def _categories(held: dict[str, Any], source: Path) -> dict[str, str]:
    """The name of each category by id. Where the file lists none, those that its annotations use. Raises InputError."""
    names: dict[str, str] = {}
    for number, entry in enumerate(held["categories"]):
        key = _id(entry["id"], where := f"{source} categories[{number}]")
        name = str(entry.get("name", key))
        if names.setdefault(key, name) != name:
            raise InputError(f"{where}: {name} and {names[key]} have the id {key}; give each its own")
    used = (_id(entry["category_id"], f"{source} annotations[{n}]") for n, entry in enumerate(held["annotations"]))
    return names or {key: key for key in used}


def _kind(entry: dict[str, Any], names: dict[str, str], where: str) -> str:
    kind = _id(entry["category_id"], where)
    if kind not in names:
        raise InputError(f"{where}: no category has the id {kind!r}; correct or remove the annotation")
    return kind


def _box(entry: dict[str, Any], where: str) -> imported.Box:
    """The annotation's bbox, or the box around its polygons if it has none. Raises InputError."""
    corners, polygons = entry.get("bbox"), entry.get("segmentation")
    if not corners and isinstance(polygons, list) and polygons and all(isinstance(one, list) for one in polygons):
        values = imported.numbers((str(value) for one in polygons for value in one), where)
        if len(values) >= 6 and len(values) % 2 == 0:
            return imported.around(zip(values[::2], values[1::2], strict=True))
    if not isinstance(corners, list) or len(corners) != 4:
        raise InputError(f"{where}: bbox is {corners!r} and not [x, y, width, height]; correct or remove it")
    x, y, width, height = imported.numbers(map(str, corners), where)
    return x, y, x + width, y + height


def _id(value: Any, where: str) -> str:
    """An id as text, because some tools write numbers and others texts, such as 1, 1.0 or 0001 for the same. Raises
    InputError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"{where}: {value!r} is not an id; give a number or a text")
    number = re.fullmatch(r"0*(\d+)(\.0+)?", text := str(value).strip())
    return number[1] if number else text


def _upright(box: imported.Box, entry: dict[str, Any]) -> imported.Box:
    """The upright box of an annotation. CVAT writes the box before rotation, and the clockwise angle in degrees as an
    attribute: a rotated face gets the box of the rotated ellipse."""
    attributes = entry.get("attributes")
    degrees = attributes.get("rotation") if isinstance(attributes, dict) else None
    return imported.around_ellipse(box, degrees) if isinstance(degrees, int | float) else box


def write(photos: Photos, out: Path) -> None:
    """Write annotations.json and images/ into `out`. Everything is kept; `identity` is an extra key of an image."""
    images, annotations = [], []
    for number, photo in enumerate(photos, start=1):
        imported.linked(photo.path, out / "images" / imported.exported(photo))
        height, width = imported.size_of(photo)
        entry = {"id": number, "file_name": imported.exported(photo), "width": width, "height": height}
        images.append(entry | ({"identity": photo.identity} if photo.identity else {}))
        for boxes, crowd in ((photo.boxes, False), (photo.ignore, True)):
            for box in boxes.astype(float).tolist():
                annotations.append(coco.annotation(len(annotations) + 1, number, box, crowd))
    held = {"images": images, "annotations": annotations, "categories": coco.CATEGORIES}
    (out / "annotations.json").write_text(json.dumps(held), encoding="utf-8")


def _root(held: dict[str, Any], source: Path) -> list[Path]:
    """The folder to which names are relative, if predict.py wrote the file, which says so."""
    info = held.get("info")
    return [source.parent / info["root"]] if isinstance(info, dict) and isinstance(info.get("root"), str) else []


def _parsed(source: Path) -> dict[str, Any]:
    """The file's three lists, whose entries have the required keys. Raises InputError."""
    needed = {
        "images": ("id", "file_name"),
        "annotations": ("image_id", "category_id"),
        "categories": ("id",),
    }
    held = parsed(source, "COCO's JSON of annotations")
    if isinstance(held, dict):
        held["categories"] = held.get("categories") or []
    for name, keys in needed.items():
        if not isinstance(held, dict) or not isinstance(held.get(name), list):
            raise InputError(f"{source} is not an annotation file of COCO: it has no list {name!r}")
        for number, entry in enumerate(held[name]):
            missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
            if missing:
                raise InputError(f"{source} {name}[{number}] has no {', '.join(missing)}; correct or remove it")
    return held
