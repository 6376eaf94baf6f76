"""People of whom mask, age and gender are known, and runs that learn them."""

from pathlib import Path
from typing import Any

from training import FACES, make_folder, options

import train
from dataset import tables
from visavis.analysers.attributes.designs import DESIGNS

SIDE = 96
HEADS = DESIGNS["face_attributes"].heads


def make_people(folder: Path) -> Path:
    """Twelve people, of each of whom something is known."""
    made = make_folder(folder, people=12, side=SIDE)
    rows = []
    for number in range(12):
        x1, y1, x2, y2 = (SIDE / 240 * value for value in FACES[0])
        known: dict[str, object] = {"age": 20 + number} if number % 2 else {"age_low": 20, "age_high": 29}
        known |= {"gender": ("female", "male")[number % 2]} if number % 3 else {"mask": ("none", "worn")[number % 2]}
        rows.append({"image_id": f"P{number}/1", "x1": x1, "y1": y1, "x2": x2, "y2": y2} | known)
    tables.write(made / "attributes.csv", rows)
    return made


def asked(folder: Path, out: Path, **more: Any) -> train.Options:
    """Options of a short run that learns all of it."""
    return options(folder, out, **{"arch": "face_attributes", "batch_size": 4} | more)
