"""A data folder beside another one, in which faces that nobody labelled count neither for nor against a detector.

    python -m benchmarks.set_aside --data DATA --out DATA2 --detector centerface

What the detector finds where there is no label goes into faces.csv as `ignore`. For an evaluation, it should be a
detector that is neither evaluated nor trained with the result, or it would judge itself. Photos without any label stay
as they are.

    python -m benchmarks.set_aside --data DATA --out DATA3 --detector centerface --threshold 0.35 --agreeing shipped

is for training: what two detectors find independently, each with a score of 0.5 or more, is learnt as a face (of 160
such finds in web photos, two were none); what only one of them finds is still ignored.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

import visavis
from dataset import tables
from dataset.photos import Photo, load_photos
from visavis.boxes import iou, match
from visavis.commands.commandline import main
from visavis.errors import InputError
from visavis.evaluation import conventions
from visavis.faces import Faces
from visavis.images import read
from visavis.messages import say

NEAR = 0.3
"""A detection that overlaps a label by this IoU is the labelled face."""
SAME, SURE = 0.4, 0.5
"""Detections of two detectors with at least this IoU are one face, which is learnt if both scores are this high."""


@dataclass
class Options:
    """Make a data folder in which faces that nobody labelled are ignored."""

    data: Path
    """The data folder to start from; it stays as it is, and its photos are linked to."""
    out: Path
    """The new data folder."""
    detector: str = "centerface"
    """The detector that looks for faces, by name or path."""
    split: Literal["all", "train", "val", "test"] = "all"
    """Only the photos of this split, by the usual shares."""
    agreeing: str | None = None
    """Another detector, by name or path: faces that both find are learnt."""
    threshold: float = 0.3
    """The lowest score of a detection that counts as a face."""


def run(options: Options) -> int:
    """Search the photos that have a label, and write the new folder."""
    if options.out.exists():
        raise InputError(f"{options.out} is there already; give another --out")
    photos = load_photos(options.data, options.split)
    labelled = [photo for photo in photos if len(photo.boxes)]
    found = _found(options.detector, options.threshold, labelled)
    others = _found(options.agreeing, SURE, labelled) if options.agreeing else [Faces()] * len(labelled)
    rows = [row for each in zip(labelled, found, others, strict=True) for row in _rows(*each, options.detector)]
    options.out.mkdir(parents=True)
    os.symlink((options.data / "images").resolve(), options.out / "images")
    for name in ("labels.csv", "downloads.csv", "clean.csv", "groups.csv"):
        if (options.data / name).exists():
            shutil.copyfile(options.data / name, options.out / name)
    tables.write(options.out / "faces.csv", rows)
    count = Counter(row["use"] for row in rows if row["source"] == options.detector)
    besides = f"besides their labels {count['train']} faces to learn and {count['ignore']} set aside"
    print(f"{len(photos)} photos, {len(labelled)} of them labelled; {besides}")
    return 0


def _found(name: str, threshold: float, photos: list[Photo]) -> list[Faces]:
    """What a detector finds in labelled photos, its boxes moved to the labels' convention."""
    detector = visavis.load_detector(name, threshold=threshold)
    found = [detector.detect([read(photo.path)])[0] for photo in tqdm(photos, unit="photo", disable=None)]
    shift = conventions.estimate((faces.boxes, photo.boxes) for faces, photo in zip(found, photos, strict=True))
    say(f"{name}: its boxes against the labels': {shift}")
    return [Faces(shift.move(faces.boxes), faces.scores) for faces in found]


def _rows(photo: Photo, found: Faces, others: Faces, detector: str) -> Iterator[dict[str, object]]:
    """The rows of faces.csv: the photo's own, and what was found where no label is."""
    for boxes, source, use in ((photo.boxes, "list", "train"), (photo.ignore, "clean", "ignore")):
        yield from (_row(photo, box, source, use) for box in boxes)
    found = found[iou(found.boxes, photo.boxes).max(axis=1, initial=0) < NEAR]
    partners = match(found.scores, iou(found.boxes, others.boxes), SAME)
    for box, score, partner in zip(found.boxes, found.scores, partners, strict=True):
        agreed = partner >= 0 and score >= SURE
        both = (box + others.boxes[partner]) / 2 if agreed else box
        yield _row(photo, both, detector, "train" if agreed else "ignore")


def _row(photo: Photo, box: np.ndarray, source: str, use: str) -> dict[str, object]:
    corners = {name: f"{value:.1f}" for name, value in zip(("x1", "y1", "x2", "y2"), box, strict=True)}
    return {"image_id": photo.image_id, **corners, "source": source, "use": use}


if __name__ == "__main__":
    main(run, Options)
