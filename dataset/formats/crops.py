"""Sets of crops, which show one face each and have no boxes: our own detector says where the face is.

That is the box which the networks that learn from them will be given in use.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

import visavis
from dataset.formats.imported import Box, ImportedPhoto, say_some
from visavis.boxes import area
from visavis.cores import cores
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.images import SUFFIXES, read

LEAST = 0.2
"""Score from which on a find is taken: there is a face in each of these photos, so that less is enough than usual."""
SIDE = 192
"""Pixels of a crop's shorter side in the detector: enough for the one face that fills most of it, and quick. Where it
finds nothing so, it looks once more at the size that it takes by itself."""
AHEAD = 64
"""Photos that are looked at before the first of them is asked for, so that no thread has to wait."""
FOUND = "detected"
"""What faces.csv says of a box that nobody drew."""


def with_faces(crops: Iterable[ImportedPhoto]) -> Iterator[ImportedPhoto]:
    """The same photos, each with the box of the face that it is of, and then as much as is known of that face.

    crops: without boxes, and with one row of attributes. A photo in which no face is found teaches nothing: a box to
    ignore covers all of it, for there is a face in it, and a detector must not learn that there is none; it is said how
    many there are. One that cannot be read is left to whoever reads it next.
    """
    without = []

    def take(crop: ImportedPhoto, found: Faces, size: tuple[int, int], last: bool) -> bool:
        box = _main(found, size)
        if box is not None:
            crop.boxes, crop.flags = [box], [FOUND]
        elif last:
            without.append(str(crop.path))
            crop.attributes, crop.ignore = [], [(0.0, 0.0, float(size[1]), float(size[0]))]
        return box is not None

    yield from looked_at(crops, LEAST, take)
    say_some(
        "photo shows",
        "photos show",
        "no face that our detector finds, and nothing is learnt from them:",
        sorted(without),
    )


def looked_at(
    photos: Iterable[ImportedPhoto],
    threshold: float,
    take: Callable[[ImportedPhoto, Faces, tuple[int, int], bool], bool],
) -> Iterator[ImportedPhoto]:
    """The same photos, each after `take` was given what our detector finds in it from a score of `threshold` on: in
    `SIDE` pixels and, where it then returns False, once more in the detector's own size.

    take: of the photo, the finds, its height and width, and whether this is the last look. A photo that cannot be read
    has no attributes and no points any more.
    """
    detectors = [visavis.load_detector("shipped", threshold=threshold, size=size) for size in (SIDE, None)]

    def look(one: ImportedPhoto) -> ImportedPhoto:
        try:
            picture = read(one.path)
        except ImageError:
            one.attributes, one.points = [], []
            return one
        size = picture.shape[0], picture.shape[1]
        for detector in detectors:
            if take(one, detector.detect(picture), size, detector is detectors[-1]):
                break
        return one

    waiting = iter(tqdm(list(photos), desc="faces", unit="photo"))
    with ThreadPoolExecutor(cores()) as threads:
        while some := list(islice(waiting, AHEAD)):
            yield from threads.map(look, some)


def photos_in(folder: Path) -> list[Path]:
    """The photos of a folder, by name. Raises InputError where there is none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not found:
        raise InputError(f"{folder} holds no photo; give the folder of the set as it was unpacked")
    return found


def _main(found: Faces, size: tuple[int, int]) -> Box | None:
    """The box of the face that a crop is of: of those around its middle the largest, else the largest of all."""
    if not len(found):
        return None
    boxes, middle = found.boxes, np.array(size[::-1], np.float32) / 2
    central = ((boxes[:, :2] <= middle) & (boxes[:, 2:] >= middle)).all(axis=1)
    best = int(np.argmax(area(boxes) + central * float(size[0] * size[1])))
    x1, y1, x2, y2 = (float(side) for side in boxes[best])
    return x1, y1, x2, y2
