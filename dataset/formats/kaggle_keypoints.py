"""Kaggle's Facial Keypoints Detection (2013): training.csv, whose 31 columns are 15 points and a picture as numbers.

Each picture is 96 x 96 grey pixels, row by row, and shows one face. 2,140 of its 7,049 rows have all 15 points; of most
others four are known. Its left is the person's, ours the picture's.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dataset.formats.imported import ImportedPhoto, Wanted, numbers, say_some
from visavis.errors import InputError
from visavis.images import encode
from visavis.keypoints import FIFTEEN
from visavis.texts import read_text

SIDE = 96
"""Pixels of a side of the pictures."""
_KAGGLE = {
    "eye": "eye_center", "eye_inner": "eye_inner_corner", "eye_outer": "eye_outer_corner",
    "brow_inner": "eyebrow_inner_end", "brow_outer": "eyebrow_outer_end",
}  # fmt: skip
_SIDES = {"left": "right", "right": "left"}
_MIDDLE = {"nose": "nose_tip", "upper_lip": "mouth_center_top_lip", "lower_lip": "mouth_center_bottom_lip"}


def _column(name: str) -> str:
    """Kaggle's name of one of our points."""
    if name in _MIDDLE:
        return _MIDDLE[name]
    if name.endswith("_mouth"):
        return f"mouth_{_SIDES[name.removesuffix('_mouth')]}_corner"
    side, _, rest = name.partition("_")
    return f"{_SIDES[side]}_{_KAGGLE[rest]}"


COLUMNS = {name: _column(name) for name in FIFTEEN.names}
"""Our name of a point -> Kaggle's, to which _x and _y are added."""


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """A picture a row, called kaggle/ and the number of the row. Rows with an empty cell are left out, unless
    `wanted.incomplete`; one without any point always is. Raises InputError with file and row."""
    rows = csv.DictReader(read_text(source).splitlines())
    needed = ["Image", *(f"{name}_{axis}" for name in COLUMNS.values() for axis in "xy")]
    missing = [name for name in needed if name not in (rows.fieldnames or [])]
    if missing:
        raise InputError(f"{source}: no column {', '.join(missing[:3])}; give Kaggle's training.csv as it is")
    incomplete, empty = [], []
    for line, row in enumerate(rows, start=2):
        where = f"{source} row {line}"
        points = np.array([_point(row, name, where) for name in COLUMNS.values()], np.float32)
        known = ~np.isnan(points).any(axis=1)
        if not known.all() and not wanted.incomplete:
            incomplete.append(f"row {line}")
        elif not known.any():
            empty.append(f"row {line}")
        else:
            name = f"kaggle/{line:05}.png"
            one = ImportedPhoto(name, source.parent / name, where, content=_picture(row["Image"] or "", where))
            one.boxes, one.points = [(0.0, 0.0, float(SIDE), float(SIDE))], [points]
            yield one
    say_some("face has", "faces have", "only some points; left out without --incomplete:", incomplete, 3)
    say_some("face has", "faces have", "no point at all; left out:", empty, 3)


def _point(row: dict[str, str], name: str, where: str) -> tuple[float, float]:
    cells = [(row[f"{name}_{axis}"] or "").strip() for axis in "xy"]
    if not any(cells):
        return float("nan"), float("nan")
    if not all(cells):
        raise InputError(f"{where}: {name} has one of x and y; correct or remove the row")
    x, y = numbers(cells, where)
    if not (0 <= x <= SIDE and 0 <= y <= SIDE):
        raise InputError(
            f"{where}: {name} ({x:g}, {y:g}) lies outside the {SIDE} x {SIDE} pixels; correct or remove it"
        )
    return x + 0.5, y + 0.5  # it counts from the middle of the first pixel, we from its edge


def _picture(text: str, where: str) -> bytes:
    """PNG of the pixels."""
    values = numbers(text.split(), where)
    if len(values) != SIDE * SIDE:
        raise InputError(f"{where}: Image has {len(values)} numbers, not {SIDE * SIDE}; correct or remove the row")
    if not all(0 <= value <= 255 for value in values):
        raise InputError(f"{where}: Image has a number that is not between 0 and 255; correct or remove the row")
    grey = np.array(values, np.uint8).reshape(SIDE, SIDE)
    return encode(np.repeat(grey[..., None], 3, axis=2), "PNG")
