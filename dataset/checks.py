"""Checks before a training: whether photos and labels can be used; and a fingerprint that identifies the data later."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from dataset import tables
from dataset.photos import Photo, Photos, worthwhile
from visavis.errors import ImageError, InputError
from visavis.images import read
from visavis.messages import counted, say


def fingerprint(folder: Path, photos: Photos, held_out: Photos) -> dict[str, Any]:
    """The number of photos and faces, and a hash of each table of the data folder."""
    found = {name: folder / name for name in tables.COLUMNS if (folder / name).is_file()}
    return {
        "photos": {"train": len(photos), "val": len(held_out)},
        "faces": photos.faces,
        "ignored": photos.ignored,
        "sha256": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()},
    }


def check(folder: Path, photos: Photos, held_out: Photos) -> None:
    """Report missing photos. Raises InputError if one of the two splits has no photo with a usable face."""
    for split, some in (("train", photos), ("val", held_out)):
        if not some.faces:
            raise InputError(
                f"{folder}: of {counted(len(some), 'photo')} in the split {split!r}, none has a labelled face"
            )
    gone = [photo for photo in chain(photos, held_out) if not photo.path.is_file()]
    count = len(photos) + len(held_out)
    first = _first_gone(folder, gone[0]) if gone else ""
    if len(gone) == count:
        raise InputError(
            f"{folder}: {counted(count, 'photo is', 'photos are all')} missing; {first}; download what is missing, or "
            "give another --data"
        )
    for split, some in (("train", photos), ("val", held_out)):
        if not any(map(_usable, some)):
            raise InputError(_nothing_to_learn(folder, split, some))
    if gone:
        say(
            f"of {counted(count, 'photo')}, {counted(len(gone), 'is', 'are')} missing, and others take their places; "
            f"{first}"
        )


def summary(photos: Sequence[Photo]) -> str:
    """How many photos and faces there are, and how many photos say that they show nobody: labels get lost."""
    nobody = sum(not len(photo.boxes) and not len(photo.ignore) for photo in photos)
    less = f" ({nobody:,} with nobody)" if nobody else ""
    return f"{counted(len(photos), 'photo')}{less} with {counted(sum(len(photo.boxes) for photo in photos), 'face')}"


def _usable(photo: Photo) -> bool:
    """Whether the photo can be read and has a labelled face."""
    return len(photo.boxes) > 0 and _fault(photo) is None


def _fault(photo: Photo) -> str | None:
    """Why nothing can be learnt from the labels of a photo; None if something can."""
    size = photo.known_size()
    try:
        if size is None or worthwhile(photo.boxes, size).any():
            picture = read(photo.path)  # the header alone does not show damage
            size = (picture.shape[0], picture.shape[1])
    except ImageError as error:
        return "that are missing" if error.reason == "missing" else "that cannot be decoded"
    if not worthwhile(photo.boxes, size).any():
        return "with labels outside the picture or of too few pixels"
    return None


def _nothing_to_learn(folder: Path, split: str, photos: Photos) -> str:
    """Why no photo of a split can be used, and what to do."""
    counts = Counter(str(_fault(photo)) for photo in photos if len(photo.boxes))
    reasons = ", ".join(f"{number} {reason}" for reason, number in counts.most_common())
    return (
        f"{folder}: of {counted(photos.faces, 'labelled face')} in the split {split!r}, none can be used; of the "
        f"photos that have one: {reasons}. See them with `python -m dataset sheet --data {folder} --split {split}`; "
        "boxes are in pixels of the photo, x1 y1 x2 y2"
    )


def _first_gone(folder: Path, photo: Photo) -> str:
    listed = folder / "downloads.csv"
    if not listed.exists():
        return f"the first is {photo.path}"
    lines = {row["image_id"]: line for line, row in enumerate(tables.rows(listed), start=2)}
    return f"downloads.csv row {lines[photo.image_id]} names {photo.path}"
