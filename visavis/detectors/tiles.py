"""Small faces in large photos: any detector, shown the whole photo and then its pieces at full size.

A detector that looks at 512 pixels of a photo of 4,000 sees a face of 60 pixels as one of 8. The pieces overlap, so
that every face no larger than the overlap lies whole in one of them; larger ones show in the whole photo. What a
piece's inner edge cuts is left to the neighbour that has it whole. Where none has, and the face was not found in the
whole photo either, the largest of the cut finds stands for it.
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
"""Pixels of a piece's side, where the detector does not say how many it has use for."""
LARGE, LARGE_PIECE = 1228, 1024
"""A photo is large whose shorter side has more pixels than this: the shipped detector's closer look sees less than two
thirds of them. Pieces of so many pixels are shown to it at half their size: for faces of 20 pixels, at a quarter of the
work of small pieces."""
OVERLAP = 0.25
"""Share of a piece that its neighbour has, too."""
TOGETHER = 8
"""Pieces that the detector is shown at once."""
EDGE = 0.02
"""Share of a piece's side: a find that comes so near to an inner edge may be cut by it."""
TOUCHES = 0.2
"""A cut find with this share of it in another one is of the same face: two cut ones have the overlap in common."""


@runtime_checkable
class SeveralLooks(Protocol):
    """A detector that looks at a picture more than once."""

    def once(self) -> Detector:
        """The same, which looks a single time."""
        ...


class Tiles:
    """A detector that looks at the pieces of a photo as well as at the whole.

    side: of a piece, pixels. beyond: photos whose shorter side has no more pixels are left whole.
    A detector that looks several times at a picture may have a method `once`, which makes one that does not: it looks
    at the pieces.
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
        """The detector's."""
        return self.detector.threshold

    @threshold.setter
    def threshold(self, value: float) -> None:
        self.detector.threshold = self._of_pieces.threshold = value

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture in its own pixels, highest score first."""
        wholes = self.detector.detect(images)
        return [self._find(as_picture(image), whole) for image, whole in zip(images, wholes, strict=True)]

    def _find(self, image: Picture, whole: Faces) -> Faces:
        if min(image.shape[:2]) <= self._beyond:
            return whole
        places = list(pieces(image.shape[0], image.shape[1], self.side))
        parts, cuts = [whole], []
        for start in range(0, len(places), TOGETHER):
            some = places[start : start + TOGETHER]
            shown = [np.ascontiguousarray(image[y1:y2, x1:x2]) for x1, y1, x2, y2 in some]
            for place, found in zip(some, self._of_pieces.detect(shown), strict=True):
                moved, cut = placed(found, place, (image.shape[0], image.shape[1]), EDGE * self.side)
                parts.append(moved[~cut])
                cuts.append(moved[cut & ~_in_another(moved.boxes, place, places)])
        return _with_cut(merged(parts), cuts)


def pieces(height: int, width: int, side: int) -> Iterator[Place]:
    """x1 y1 x2 y2 of the pieces of a photo, row by row, evenly spread; none where one would be the whole photo."""
    if max(height, width) <= side:
        return
    for y, x in product(_starts(height, side), _starts(width, side)):
        yield x, y, min(x + side, width), min(y + side, height)


def _with_cut(faces: Faces, cuts: list[Faces]) -> Faces:
    """`faces`, and of finds that were cut the largest of each face that is not among them."""
    if not any(len(cut) for cut in cuts):
        return faces
    cut = together(cuts)
    areas = (cut.boxes[:, 2:] - cut.boxes[:, :2]).prod(axis=1)
    for number in np.argsort(-areas, kind="stable"):
        if not (covered(cut.boxes[number : number + 1], faces.boxes) >= TOUCHES).any():
            faces = together([faces, cut[np.array([number])]])
    return faces


def _in_another(boxes: Boxes, place: Place, places: list[Place]) -> NDArray[np.bool_]:
    """(N,) which finds of a piece another piece shows as well, and so has the better one of."""
    others = np.array([one for one in places if one != place], np.float32).reshape(-1, 4)
    outside = np.concatenate(
        [others[None, :, :2] - boxes[:, None, :2], boxes[:, None, 2:] - others[None, :, 2:]], axis=2
    )
    return np.asarray(outside.max(axis=2).min(axis=1, initial=np.inf) <= 0)


def _starts(length: int, side: int) -> list[int]:
    """Where pieces begin along one direction: as few as overlap enough, the last one at the end."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - OVERLAP)))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]
