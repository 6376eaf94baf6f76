"""Small faces in large photos: runs any detector on the whole photo and then on its pieces at full size.

A detector that reduces a photo of 4,000 pixels to 512 sees a face of 60 pixels as one of 8. The pieces overlap, so that
every face no larger than the overlap is complete in one of them; larger ones are found in the whole photo. A face that
the inner edge of a piece cuts is taken from the neighbouring piece in which it is complete. If there is none, and the
face was not found in the whole photo either, the largest of the cut detections is kept.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, covered
from visavis.detectors.merging import Place, merged, placed, together
from visavis.detectors.protocol import About, Detector, about
from visavis.faces import Faces
from visavis.images import Picture, as_picture
from visavis.reduced_photos import UsefulSize

SIDE = 640
"""Side of a piece, in pixels, if the detector has no `useful_size`."""
LARGE, LARGE_PIECE = 1228, 1024
"""A photo is large if its shorter side has more pixels than this, of which the shipped detector's closer look sees less
than two thirds; and the side of its pieces, which that detector sees at half their size: enough for faces of 20 pixels,
at a quarter of the work of small pieces."""
OVERLAP = 0.25
"""The share of a piece that its neighbour covers, too."""
TOGETHER = 8
"""How many pieces the detector takes in one call."""
EDGE = 0.02
"""As a share of a piece's side: a detection that is nearer to an inner edge may be cut by it."""
TOUCHES = 0.2
"""A cut detection is of the same face as another one that covers at least this share of it."""


@runtime_checkable
class SeveralLooks(Protocol):
    """A detector that takes several looks at a picture."""

    def once(self) -> Detector:
        """The same detector with a single look."""
        ...


class Tiles:
    """A detector that searches the pieces of a photo as well as the whole.

    side: of a piece, in pixels. beyond: photos are cut into pieces only if their shorter side has more pixels.
    If the detector has a method `once` (see `SeveralLooks`), the detector that this returns searches the pieces.
    """

    def __init__(self, detector: Detector, side: int | None = None, beyond: int = 0) -> None:
        self.detector = detector
        self._of_pieces: Detector = detector.once() if isinstance(detector, SeveralLooks) else detector
        self._beyond = beyond
        known = about(detector)
        self.side = side or about(self._of_pieces).useful_size.shortest or SIDE
        runs = f"{known.runs or type(detector).__name__}, tiles of {self.side} pixels"
        self.about = replace(known, runs=runs, useful_size=UsefulSize(), shape=About.shape)

    @property
    def threshold(self) -> float:
        """That of the detector."""
        return self.detector.threshold

    @threshold.setter
    def threshold(self, value: float) -> None:
        self.detector.threshold = self._of_pieces.threshold = value

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture in its own pixels, highest score first."""
        wholes = self.detector.detect(images)
        return [self._find(as_picture(image), whole) for image, whole in zip(images, wholes, strict=True)]

    def _find(self, image: Picture, whole: Faces) -> Faces:
        return whole if min(image.shape[:2]) <= self._beyond else searched(self._of_pieces, image, whole, self.side)


def searched(detector: Detector, image: Picture, whole: Faces, side: int) -> Faces:
    """What was found in a whole photo, and what the detector finds in its pieces of `side` pixels, highest score
    first."""
    places = list(pieces(image.shape[0], image.shape[1], side))
    parts, cuts = [whole], []
    for start in range(0, len(places), TOGETHER):
        some = places[start : start + TOGETHER]
        shown = [np.ascontiguousarray(image[y1:y2, x1:x2]) for x1, y1, x2, y2 in some]
        for place, found in zip(some, detector.detect(shown), strict=True):
            moved, cut = placed(found, place, (image.shape[0], image.shape[1]), EDGE * side)
            parts.append(moved[~cut])
            cuts.append(moved[cut & ~_in_another(moved.boxes, place, places)])
    return _with_cut(merged(parts), cuts)


def pieces(height: int, width: int, side: int) -> Iterator[Place]:
    """x1 y1 x2 y2 of the pieces of a photo, row by row, evenly spread; none if one would be the whole photo."""
    if max(height, width) <= side:
        return
    for y, x in product(_starts(height, side), _starts(width, side)):
        yield x, y, min(x + side, width), min(y + side, height)


def _with_cut(faces: Faces, cuts: list[Faces]) -> Faces:
    """`faces`, and for each face that is missing there the largest of its cut detections."""
    if not any(len(cut) for cut in cuts):
        return faces
    cut = together(cuts)
    areas = (cut.boxes[:, 2:] - cut.boxes[:, :2]).prod(axis=1)
    for number in np.argsort(-areas, kind="stable"):
        if not (covered(cut.boxes[number : number + 1], faces.boxes) >= TOUCHES).any():
            faces = together([faces, cut[np.array([number])]])
    return faces


def _in_another(boxes: Boxes, place: Place, places: list[Place]) -> NDArray[np.bool_]:
    """(N,) which detections of a piece lie completely in another piece, too, whose detection is the better one."""
    if not len(boxes):
        return np.zeros(0, bool)
    others = np.array([one for one in places if one != place], np.float32).reshape(-1, 4)
    outside = np.concatenate(
        [others[None, :, :2] - boxes[:, None, :2], boxes[:, None, 2:] - others[None, :, 2:]], axis=2
    )
    return np.asarray(outside.max(axis=2).min(axis=1, initial=np.inf) <= 0)


def _starts(length: int, side: int) -> list[int]:
    """Where the pieces begin along one direction: as few as overlap enough, the last one at the end."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - OVERLAP)))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]
