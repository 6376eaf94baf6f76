"""A data folder beside another one, in which faces that nobody labelled count neither for nor against a detector.

    python -m benchmarks.set_aside --data DATA --out DATA2 --detector centerface

What the detector finds where no label is goes into faces.csv as `ignore`. It should be one that is neither measured
nor trained with the result: who marks its own finds so judges itself. Photos without any label stay as they are.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

import visavis
from dataset import tables
from dataset.photos import Photo, load_photos
from visavis.boxes import iou
from visavis.command import InputError, main, say
from visavis.evaluation import conventions
from visavis.faces import Faces
from visavis.images import read

NEAR = 0.3
"""A find that overlaps a label by this IoU is the labelled face."""


@dataclass
class Options:
    """Make a data folder in which faces that nobody labelled are ignored."""

    data: Path
    """The data folder to start from; it stays as it is, and its photos are linked to."""
    out: Path
    """The new one."""
    detector: str = "centerface"
    """Who looks for faces, by name or path."""
    split: Literal["all", "train", "val", "test"] = "all"
    """Only the photos of this part, by the usual shares."""
    threshold: float = 0.3
    """Lowest score of a find that counts as a face."""


def run(options: Options) -> int:
    """Look at the photos that have a label, and write the new one."""
    if options.out.exists():
        raise InputError(f"{options.out} is there already; give another --out")
    photos = load_photos(options.data, options.split)
    labelled = [photo for photo in photos if len(photo.boxes)]
    detector = visavis.load_detector(options.detector, threshold=options.threshold)
    found = [detector.detect([read(photo.path)])[0] for photo in tqdm(labelled, unit="photo", disable=None)]
    shift = conventions.estimate((faces.boxes, photo.boxes) for faces, photo in zip(found, labelled, strict=True))
    say(f"{options.detector}: its boxes against the labels': {shift}")
    found = [Faces(shift.move(faces.boxes), faces.scores) for faces in found]
    rows = [row for each in zip(labelled, found, strict=True) for row in _rows(*each, options.detector)]
    options.out.mkdir(parents=True)
    os.symlink((options.data / "images").resolve(), options.out / "images")
    for name in ("labels.csv", "downloads.csv", "clean.csv", "groups.csv"):
        if (options.data / name).exists():
            shutil.copyfile(options.data / name, options.out / name)
    tables.write(options.out / "faces.csv", rows)
    aside = sum(row["source"] == options.detector for row in rows)
    print(f"{len(photos)} photos, {len(labelled)} of them labelled; {aside} faces besides their labels set aside")
    return 0


def _rows(photo: Photo, found: Faces, detector: str) -> Iterator[dict[str, object]]:
    """The rows of faces.csv: the photo's own, and what was found where no label is."""
    for boxes, source, use in ((photo.boxes, "list", "train"), (photo.ignore, "clean", "ignore")):
        yield from (_row(photo, box, source, use) for box in boxes)
    elsewhere = iou(found.boxes, photo.boxes).max(axis=1, initial=0) < NEAR
    yield from (_row(photo, box, detector, "ignore") for box in found.boxes[elsewhere])


def _row(photo: Photo, box: np.ndarray, source: str, use: str) -> dict[str, object]:
    corners = {name: f"{value:.1f}" for name, value in zip(("x1", "y1", "x2", "y2"), box, strict=True)}
    return {"image_id": photo.image_id, **corners, "source": source, "use": use}


if __name__ == "__main__":
    main(run, Options)
