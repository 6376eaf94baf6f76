"""Before a training: are the photos there, and by what to know, later, whether the data is still the same?"""

import hashlib
from pathlib import Path
from typing import Any

from dataset import tables
from dataset.faces import Photo
from visavis.command import InputError, say


def fingerprint(folder: Path, photos: list[Photo], held_out: list[Photo]) -> dict[str, Any]:
    """How many photos and faces there are, and a hash of each table of the data folder."""
    found = {name: folder / name for name in tables.COLUMNS if (folder / name).is_file()}
    return {
        "photos": {"train": len(photos), "val": len(held_out)},
        "faces": sum(len(photo.boxes) for photo in photos),
        "ignored": sum(len(photo.ignore) for photo in photos),
        "sha256": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()},
    }


def check_files(folder: Path, photos: list[Photo]) -> None:
    """Say which photos are not there; refuse to train where none is."""
    gone = [photo for photo in photos if not photo.path.is_file()]
    if not gone:
        return
    first = f"the first is {gone[0].path}"
    listed = folder / "downloads.csv"
    if listed.exists():
        lines = {row["image_id"]: line for line, row in enumerate(tables.rows(listed), start=2)}
        first = f"downloads.csv row {lines[gone[0].image_id]} names {gone[0].path}"
    if len(gone) == len(photos):
        raise InputError(
            f"{folder}: none of the {len(photos)} photos is there; {first}; get them, or give another --data"
        )
    say(f"{len(gone)} of {len(photos)} photos are not there, and others stand in for them; {first}")
