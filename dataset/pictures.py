"""Views of a data folder: a contact sheet of training items, and a page with all photos."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataset import tables
from dataset.faces import FaceDataset, Photo
from dataset.transforms import preset
from visavis.boxes import as_boxes
from visavis.drawing import boxes_on, contact_sheet
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import Picture
from visavis.page import Entry


def contact(
    photos: Sequence[Photo], transforms: str, seed: int, mosaic: int | None = None, size: int | None = None
) -> Picture:
    """A sheet of items as training will receive them, one per photo: faces in blue, ignored regions in grey.

    The same seed gives the same sheet. transforms: one of dataset.transforms.PRESETS.
    """
    dataset = FaceDataset(photos, preset(transforms, reframe=mosaic is None), mosaic, size, seed)
    drawn, names = [], []
    for image, target in map(dataset.__getitem__, range(len(dataset))):
        picture = (image.permute(1, 2, 0) * 255).round().byte().numpy()
        picture = boxes_on(picture, Faces(target["ignore"].numpy()), "ignore")
        drawn.append(boxes_on(picture, Faces(target["boxes"].numpy()), "label"))
        names.append(dataset.photos[target["image_id"]].image_id)
    return contact_sheet(drawn, names, columns=8)


def chosen(photos: Sequence[Photo], count: int, seed: int) -> list[Photo]:
    """`count` of the photos at random, or all if there are no more."""
    return random.Random(seed).sample(photos, min(count, len(photos)))


def entries(folder: Path, photos: Sequence[Photo], found: Path | None = None) -> list[Entry]:
    """For visavis.look: each photo with its labels, what clean.csv says about it, and its detections.

    found: a folder of predict.py's results. Photos that are not in its tables have no detections.
    Raises InputError if none of these photos is in its tables.
    """
    verdicts = {row["image_id"]: row for row in _if_there(folder / "clean.csv")}
    addresses = {row["image_id"]: row["url"] for row in _if_there(folder / "labels.csv") if row["url"]}
    finds = None if found is None else _finds(found)
    made = []
    for photo in photos:
        row = {"identity": photo.identity, "split": photo.side, "address": addresses.get(photo.image_id, "")}
        if (verdict := verdicts.get(photo.image_id)) is not None:
            row |= {"kept": "yes" if verdict["keep"] == "1" else "no", "reason": verdict["reason"]}
            row |= {"detail": verdict["detail"]}
        faces = None if finds is None else finds.get(photo.path.resolve())
        shown = {name: text for name, text in row.items() if text}
        made.append(Entry(photo.image_id, photo.path, Faces(photo.boxes), faces, photo.ignore, shown, photo.max_pixels))
    if found is not None and all(entry.found is None for entry in made):
        raise InputError(
            f"`found` {found}: its tables have none of the photos ({len(made)}); "
            f"run `python predict.py {folder / 'images'} --out {found} --overwrite` in the present folder"
        )
    return made


def _finds(folder: Path) -> dict[Path, Faces]:
    """Photo -> what predict.py found in it, also if that is nothing."""
    for name in ("faces.csv", "files.csv"):
        if not (folder / name).is_file():
            raise InputError(
                f"`found` {folder}: there is no {name}; give a folder of predict.py's results "
                f"(python predict.py PHOTOS --out {folder})"
            )
    boxes: dict[str, list[list[float]]] = {}
    for line, row in enumerate(tables.rows(folder / "faces.csv", ("path", "x1", "y1", "x2", "y2", "score")), start=2):
        box = tables.box(row, folder / "faces.csv", line)
        boxes.setdefault(row["path"], []).append([*box, tables.number(row, "score", folder / "faces.csv", line)])
    finds = {}
    for row in tables.rows(folder / "files.csv", ("path", "status")):
        if row["status"] == "ok":
            found = np.array(boxes.get(row["path"], []), np.float32).reshape(-1, 5)
            finds[Path(row["path"]).resolve()] = Faces(as_boxes(found[:, :4]), found[:, 4])
    return finds


def _if_there(path: Path) -> list[tables.Row]:
    return list(tables.rows(path)) if path.exists() else []
