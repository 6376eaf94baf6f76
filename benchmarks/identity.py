"""How long comparing faces takes beside face_recognition, in one run, on the same crops and on one core.

    OMP_NUM_THREADS=1 python -m benchmarks.identity

Each face of the demo's portraits, or of a folder of photos, is cut out with a wide margin. Ours is `Encoder.encode` of
the crop and the face's box, points included; theirs is `face_recognition.face_encodings` of the crop and that box, with
its small model of points, which is its default. Detection is left out of both. Times are of the processor, so that what
else the machine does hardly matters; the two take turns.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import visavis
from demo import photos
from visavis.analysers.crops import cut, square
from visavis.analysers.identity.encoders import load_encoder
from visavis.analysers.identity.encoding import distances
from visavis.commands.commandline import main
from visavis.detectors.dlib_face_recognition import package
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture, find, read
from visavis.options import Count

SIDE, MARGIN = 300, 2.0
"""Pixels of a crop, and how many times as wide as the face it is."""
OURS, THEIRS = "visavis", "face_recognition"


@dataclass
class Options:
    """Time encoders on the same crops, on one core."""

    photos: Path | None = None
    """A folder of photos; by default the demo's five portraits."""
    faces: Count = 20
    """Faces that are timed; fewer photos take turns."""
    out: Path = Path("identity.json")
    """File for the figures."""


def compare(options: Options) -> int:
    """Time them, print the figures and write them to `out`. Returns the exit status."""
    encoder, library = load_encoder(), package()
    inner = square(np.array([0, 0, SIDE, SIDE]), 1 / MARGIN)
    box = [round(side) for side in inner]
    where = (box[1], box[2], box[3], box[0])  # top, right, bottom, left

    def ours(crop: Picture) -> Any:
        return encoder.encode(crop, Faces(np.array([box], np.float32)))

    def theirs(crop: Picture) -> Any:
        return np.array(library.face_encodings(crop, [where]), np.float32)

    crops = _crops(options.photos)
    some = {name: np.concatenate([call(crop) for crop in crops]) for name, call in ((OURS, ours), (THEIRS, theirs))}
    seconds: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for number in range(options.faces):
        for name, call in ((OURS, ours), (THEIRS, theirs)):
            seconds[name].append(_seconds(call, crops[number % len(crops)]))
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    apart = np.diag(distances(some[OURS], some[THEIRS]))
    figures = {
        "faces": options.faces,
        "seconds": {name: round(value, 4) for name, value in medians.items()},
        "ratio": round(medians[OURS] / medians[THEIRS], 3),
        "median_distance_of_both_encodings_of_a_face": round(float(np.median(apart)), 3),
    }
    print(json.dumps(figures, indent=2))
    with replaced(options.out) as file:
        json.dump(figures, file, indent=2)
        file.write("\n")
    return 0


def _crops(folder: Path | None) -> list[Picture]:
    if folder is None:
        faces = [(one.picture, box) for one in photos.load().portraits.values() for box in one.boxes]
    else:
        detector = visavis.load_detector()
        faces = [(picture, box) for picture in map(read, find(folder)) for box in detector.detect(picture).boxes]
    return [cut(picture, square(box, MARGIN), SIDE) for picture, box in faces]


def _seconds(call: Callable[[Picture], Any], crop: Picture) -> float:
    began = time.process_time()
    call(crop)
    return time.process_time() - began


if __name__ == "__main__":
    main(compare, Options)
