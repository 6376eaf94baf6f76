"""The photos with a detector's worst mistakes, as a picture and as a page.

Photos are parallel lists, with one entry per photo; `found` has the detections from the threshold on.
"""

from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from visavis import boxes, metrics
from visavis.boxes import Boxes
from visavis.drawing import boxes_on, contact_sheet
from visavis.faces import Faces
from visavis.images import ALREADY_READ, Picture, fit, read
from visavis.page import Entry, look

SHOWN, CELL = 24, 360
"""The number of photos on a sheet, and their size in pixels."""

ON_PAGE = 300
"""The number of photos on a page."""


def worst(truth: Sequence[Faces], found: Sequence[Faces], ignore: Sequence[Boxes]) -> list[int]:
    """Indices of the photos by their worst mistake: alternately by the most confident false positive and by the largest
    missed face."""
    false: list[tuple[float, int]] = []
    missed: list[tuple[float, int]] = []
    for number, (labels, finds, left) in enumerate(zip(truth, found, ignore, strict=True)):
        matches = metrics.match(labels, finds, 0.5, left)
        wrong = np.asarray(finds.scores)[matches == metrics.FALSE]
        lost = boxes.area(np.delete(labels.boxes, matches[matches >= 0], axis=0))
        false += [(-float(wrong.max()), number)] if len(wrong) else []
        missed += [(-float(lost.max()), number)] if len(lost) else []
    ranked = chain.from_iterable(zip_longest(sorted(false), sorted(missed)))
    return list(dict.fromkeys(entry[1] for entry in ranked if entry is not None))


def sheet(
    paths: Sequence[Path],
    names: Sequence[str],
    truth: Sequence[Faces],
    found: Sequence[Faces],
    ignore: Sequence[Boxes],
) -> Picture:
    """A sheet of the photos with the worst mistakes: labels, detections and mistakes are drawn, with captions."""
    pictures, captions = [], []
    for number in worst(truth, found, ignore)[:SHOWN]:
        labels, finds = truth[number], found[number]
        matches = metrics.match(labels, finds, 0.5, ignore[number])
        took = matches >= 0
        lost = np.setdiff1d(np.arange(len(labels)), matches[took])
        picture, factor = fit(read(paths[number], ALREADY_READ), 2 * CELL)

        def small(faces: Faces, factor: float = factor) -> Faces:
            return Faces(boxes.scale(faces.boxes, factor), faces.scores)

        wrong = finds[matches == metrics.FALSE]
        picture = boxes_on(picture, small(Faces(ignore[number])), "ignore")
        picture = boxes_on(picture, small(labels[matches[took]]), "label")
        picture = boxes_on(picture, small(finds[took]), "found")
        picture = boxes_on(picture, small(labels[lost]), "missed", ["missed"] * len(lost))
        picture = boxes_on(picture, small(wrong), "false", [f"false {score:.2f}" for score in np.asarray(wrong.scores)])
        pictures.append(picture)
        captions.append(f"{names[number]}: {len(lost)} missed, {len(wrong)} false")
    return contact_sheet(pictures, captions, columns=4, cell=CELL)


def page(
    paths: Sequence[Path],
    names: Sequence[str],
    truth: Sequence[Faces],
    found: Sequence[Faces],
    ignore: Sequence[Boxes],
    out: Path,
    title: str,
) -> None:
    """Write a page (see visavis.look) of the photos with the worst mistakes to `out`, the worst first."""
    shown = worst(truth, found, ignore)[:ON_PAGE]
    entries = [
        Entry(
            names[number],
            paths[number],
            truth[number],
            found[number],
            ignore[number],
            {"rank": str(place)},
            ALREADY_READ,
        )
        for place, number in enumerate(shown, start=1)
    ]
    look(entries, out, title)
