"""Points for faces that only have boxes: those of dlib, where two of its answers agree.

    python -m benchmarks.pseudo_points --data data/web --count 2500

A points.csv in the data folder, for `python train.py --arch face_points`: dlib's predictor is given each labelled box
in two sizes, and where the two answers differ little, their mean is taken as the truth. Only faces that are easy for
dlib are kept, so that they should only be added to faces which somebody labelled.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from tqdm import tqdm

from dataset import tables
from dataset.photos import Photos
from visavis.analysers.dlib_points import MARGIN, DlibPoints
from visavis.commands.commandline import DataFolder, main
from visavis.data import points
from visavis.data.photos import worthwhile
from visavis.errors import ImageError, InputError
from visavis.images import read
from visavis.keypoints import SIXTY_EIGHT
from visavis.messages import say
from visavis.options import Count, Range
from visavis.training.points import by_corners


@dataclass
class Options:
    """Write points.csv for the labelled boxes of a data folder, by dlib's predictor, where two of its answers agree."""

    data: DataFolder = Path("data")
    count: Count = 2500
    """Photos at most, chosen by the seed."""
    smallest: Count = 48
    """The longer side of a face at least, in pixels."""
    apart: Annotated[float, Range(0, 1)] = 0.035
    """How far apart the two answers may be in the mean, as a share of the distance between the eyes' outer corners."""
    seed: int = 0
    """Seed of the choice of photos."""


def run(options: Options) -> int:
    """Write the table. Returns the exit status."""
    path = options.data / "points.csv"
    if path.exists():
        raise InputError(f"{path} is there already; move it away")
    dlib = DlibPoints()
    rows, looked = [], 0
    for photo in tqdm(Photos.load(options.data).sample(options.count, options.seed), unit="photo"):
        boxes = photo.boxes[(photo.boxes[:, 2:] - photo.boxes[:, :2]).max(axis=1, initial=0) >= options.smallest]
        try:
            picture = read(photo.path, photo.max_pixels)
        except ImageError as error:
            say(f"left out: {photo.path}: {error}")
            continue
        boxes = boxes[worthwhile(boxes, (picture.shape[0], picture.shape[1]))]
        one, other = (dlib.locate(picture, boxes, MARGIN * factor) for factor in (0.95, 1.1))
        looked += len(boxes)
        agree = by_corners(one, other) <= options.apart if len(boxes) else np.zeros(0, bool)
        for box, found in zip(boxes[agree], ((one + other) / 2)[agree], strict=True):
            values = np.concatenate([box, found.ravel()]).round(3).tolist()
            names = points.columns(SIXTY_EIGHT)
            rows.append(dict(zip(names, [photo.image_id, *values], strict=True)))
    tables.write(path, rows, points.columns(SIXTY_EIGHT))
    say(f"{len(rows)} of {looked} faces: {path}")
    return 0


if __name__ == "__main__":
    main(run, Options)
