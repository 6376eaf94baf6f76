"""people.csv: every face that is known of an album, with its person."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from visavis.boxes import SIDES, as_boxes
from visavis.data import tables
from visavis.errors import InputError
from visavis.files import csv_rows, replaced

PEOPLE = "people.csv"
COLUMNS = ("face", "photo", *SIDES, "person", "placed_by", "distance", "probability", "crop", "sha256")

PlacedBy = Literal["grouping", "hand"]
PLACED_BY: dict[str, PlacedBy] = {"grouping": "grouping", "hand": "hand"}


@dataclass
class Face:
    """A face of an album.

    name: what its crop is called by. photo: the SHA-256 of the photo. box: (4,) x1 y1 x2 y2, pixels. paths: where the
    photo lies. person: the name of its folder; empty where its crop has been removed. placed_by: whether it lies there
    since it was grouped, or since a user put it there. distance: from the person's other faces, and probability, that
    it is that person; None where it is the only one.
    """

    name: str
    photo: bytes
    box: np.ndarray
    paths: list[str]
    person: str | None = None
    placed_by: PlacedBy = "grouping"
    distance: float | None = None
    probability: float | None = None


def read(folder: Path) -> dict[str, Face]:
    """The faces of people.csv by name, none where there is no such file. Raises InputError for a file that is damaged
    or has other columns."""
    path = folder / PEOPLE
    if not path.exists():
        return {}
    faces: dict[str, Face] = {}
    try:
        for number, row in enumerate(tables.rows(path, COLUMNS), start=2):
            box = as_boxes([tables.box(row, path, number)])[0]
            try:
                photo, by = bytes.fromhex(row["sha256"]), PLACED_BY[row["placed_by"]]
            except (ValueError, KeyError) as error:
                raise InputError(f"{path} row {number} is damaged ({error})") from None
            face = faces.setdefault(row["face"], Face(row["face"], photo, box, [], row["person"], by))
            face.paths.append(row["photo"])
    except InputError as error:
        raise InputError(
            f"{error}; restore {path}, or delete it: the faces then stay in the folders in which they lie"
        ) from None
    return faces


def write(folder: Path, faces: Iterable[Face], crops: Sequence[str]) -> None:
    """Replace people.csv: a row for each face and each path of its photo. crops: the path of each face's crop below the
    folder, or an empty text."""
    with replaced(folder / PEOPLE) as file:
        rows = csv_rows(file, COLUMNS)
        rows.writeheader()
        for face, crop in zip(faces, crops, strict=True):
            row = dict(zip(SIDES, (f"{side:.2f}" for side in face.box), strict=True))
            row |= {"face": face.name, "person": face.person or "", "placed_by": face.placed_by}
            row["distance"] = "" if face.distance is None else f"{face.distance:.4f}"
            row["probability"] = "" if face.probability is None else f"{face.probability:.4f}"
            for path in face.paths:
                rows.writerow(row | {"photo": path, "crop": crop, "sha256": face.photo.hex()})
