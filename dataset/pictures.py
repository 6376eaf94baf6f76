"""A data folder to look at: a contact sheet of what the model will see, and the page to browse all of it."""

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
    """A sheet of items as training will see them, so many as photos: faces blue, ignored regions grey.

    The same seed draws the same sheet. transforms: one of dataset.transforms.PRESETS.
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
    """So many of them at random, or all."""
    return random.Random(seed).sample(photos, min(count, len(photos)))


def entries(folder: Path, photos: Sequence[Photo], found: Path | None = None) -> list[Entry]:
    """For visavis.look: each photo with its labels, what clean.csv says of it, and its finds.

    found: the folder that predict.py wrote its tables to. Photos that it did not look at have no finds.
    Raises InputError where it looked at none of these.
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
            f"`found` {found}: none of these {len(made)} photos is among those that it looked at; "
            f"run `python predict.py {folder / 'images'} --out {found} --overwrite`, here in this folder"
        )
    return made


def _finds(folder: Path) -> dict[Path, Faces]:
    """Photo -> what predict.py found in it, none included."""
    for name in ("faces.csv", "files.csv"):
        if not (folder / name).is_file():
            raise InputError(
                f"`found` {folder}: there is no {name}; give a folder that predict.py wrote to "
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
