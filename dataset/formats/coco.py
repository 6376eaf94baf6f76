"""COCO's JSON of object detection. Boxes are x y width height; `iscrowd` is our `ignore`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataset.formats import labelled
from dataset.formats.labelled import Labelled, Wanted
from dataset.photos import Photos
from visavis.errors import InputError
from visavis.formats import coco


def read(source: Path, wanted: Wanted) -> Iterator[Labelled]:
    """The photos of an instances file. Those without any annotation are photos without a face."""
    held = _parsed(source)
    category = labelled.face_category(
        {entry["id"]: str(entry.get("name", entry["id"])) for entry in held["categories"]}, wanted.category, str(source)
    )
    above = source.parent.parent
    folders = [wanted.images] if wanted.images else [
        *_root(held, source), source.parent, source.parent / "images",
        above / "images", above / source.stem.rpartition("_")[2], above,
    ]  # fmt: skip
    photos: dict[Any, Labelled] = {}
    for number, entry in enumerate(held["images"]):
        where = f"{source} images[{number}]"
        if entry["id"] in photos:
            raise InputError(f"{where}: two photos with the id {entry['id']}; give each its own")
        name = str(entry["file_name"]).replace("\\", "/")
        photos[entry["id"]] = Labelled(name, labelled.located(name, folders), where, str(entry.get("identity", "")))
    left_out: list[str] = []
    for number, entry in enumerate(held["annotations"]):
        where = f"{source} annotations[{number}]"
        if entry["image_id"] not in photos:
            raise InputError(f"{where}: no image has the id {entry['image_id']!r}; mend or drop the annotation")
        if entry["category_id"] != category:
            continue
        if not isinstance(entry["bbox"], list) or len(entry["bbox"]) != 4:
            raise InputError(f"{where}: bbox is {entry['bbox']!r}, not [x, y, width, height]; mend or drop it")
        x, y, width, height = labelled.numbers(map(str, entry["bbox"]), where)
        box = (x, y, x + width, y + height)
        if labelled.usable(box, where, left_out):
            one = photos[entry["image_id"]]
            (one.ignore if entry.get("iscrowd") or entry.get("ignore") else one.boxes).append(box)
    labelled.tell_left_out(left_out)
    yield from photos.values()


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
        held = json.loads(source.read_bytes())
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
