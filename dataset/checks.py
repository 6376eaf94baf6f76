"""Before a training: are the photos there, and by what to know, later, whether the data is still the same?"""

import hashlib
from itertools import chain
from pathlib import Path
from typing import Any

from dataset import tables
from dataset.photos import Photos
from visavis.errors import InputError
from visavis.messages import say


def fingerprint(folder: Path, photos: Photos, held_out: Photos) -> dict[str, Any]:
    """How many photos and faces there are, and a hash of each table of the data folder."""
    found = {name: folder / name for name in tables.COLUMNS if (folder / name).is_file()}
    return {
        "photos": {"train": len(photos), "val": len(held_out)},
        "faces": photos.faces,
        "ignored": photos.ignored,
        "sha256": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()},
    }


def check(folder: Path, photos: Photos, held_out: Photos) -> None:
    """Say which photos are not there; refuse to train where none is, and where a part has no face."""
    for split, some in (("train", photos), ("val", held_out)):
        if not some.faces:
            raise InputError(f"{folder}: none of the {len(some)} photos in the split {split!r} has a labelled face")
    gone = [photo for photo in chain(photos, held_out) if not photo.path.is_file()]
    if not gone:
        return
    first = f"the first is {gone[0].path}"
    listed = folder / "downloads.csv"
    if listed.exists():
        lines = {row["image_id"]: line for line, row in enumerate(tables.rows(listed), start=2)}
        first = f"downloads.csv row {lines[gone[0].image_id]} names {gone[0].path}"
    count = len(photos) + len(held_out)
    if len(gone) == count:
        raise InputError(f"{folder}: none of the {count} photos is there; {first}; get them, or give another --data")
    say(f"{len(gone)} of {count} photos are not there, and others stand in for them; {first}")
