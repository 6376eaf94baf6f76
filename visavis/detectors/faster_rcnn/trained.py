"""The detector of a trained network, whichever back end runs it: takes pictures of any size and returns Faces.

Every picture has a coarse look as well, at low resolution: a face that fills it is larger in the first look than any
face in training. That costs a tenth of the first look. If faces turn out to be small, there is a closer look, too, at
these and their surroundings. Most pictures have none that small, so that it costs little on average; a closer look at
all of every picture would cost several times as much. A picture in which no face is sure may lie on its side:
turned copies of it have a coarse look. A long one, a panorama or a page, would be shown much smaller than others: it
is also looked at in pieces.

Nothing here needs torch, so that a detector in another back end starts without it.
"""

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes, clip, covered, grow, quarter_turned
from visavis.calibration import Calibration
from visavis.detectors.faster_rcnn.sizing import Sizing
from visavis.detectors.merging import Place, merged, placed, rescaled
from visavis.detectors.protocol import About
from visavis.detectors.tiles import searched
from visavis.faces import Faces
from visavis.images import Picture, as_picture, resize
from visavis.reduced_photos import UsefulSize

SMALL = 28
"""Shorter side of a face in the network, in pixels: a picture with a smaller one gets a closer look."""
AROUND = 4.0
"""The closer look covers so many times the width and the height of each small face: there are often others nearby,
which the first look may have missed."""
LIKELY, UNSURE = 0.5, 0.35
"""The network's lowest score of a small detection that causes a closer look, and of one that counts for its area."""
DETAIL = 1.6
"""The closer look enlarges what was decoded: so many times the pixels a side of the first look. With more, every large
photo would take twice as long to decode, for the few in which faces are that small."""
EDGE = 2.0
"""In pixels of the network: a detection that is nearer to an edge of the closer look's area may be cut by it."""
LARGE = 96
"""Faces larger than this in the first look are not taken from the closer one, in which they may be larger than any face
in training."""

NARROW, LONGEST = 24, 200
"""A long picture is looked at in pieces if it is so many pixels wide, and at most so many times as long as a piece."""

FILLS = 0.3
"""As a share of the picture's shorter side: smaller faces are not taken from the coarse look."""
UPRIGHT, TURNED = 0.87, 0.6
"""Copies of a picture that are turned by quarters are looked at if no face has a score of `UPRIGHT`; the lowest score
of a face that is taken from such a copy."""


class Network(Protocol):
    """A network in one of the back ends of visavis.detectors.faster_rcnn.backends."""

    runs: str
    """The back end and the device, as a text for people."""
    at_once: int
    """How many simultaneous calls of `find` make it faster."""

    def find(self, pictures: list[Picture], threshold: float) -> list[Faces]:
        """The faces of each picture with scores of at least `threshold`, highest score first. Pictures have their size
        in the network already."""
        ...


class TrainedDetector:
    """A network as a `visavis.detectors.Detector`.

    threshold: of the scores after calibration. calibration: of the network's scores. covering: see
    visavis.detectors.protocol.About.
    """

    def __init__(
        self,
        network: Network,
        sizing: Sizing,
        threshold: float,
        calibration: Calibration = Calibration(),
        covering: float | None = None,
    ) -> None:
        self.network = network
        self.sizing = sizing
        self.threshold = threshold
        self.calibration = calibration
        self.covering = covering

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture, highest score first. All pictures are one batch."""
        seen = [resize(as_picture(image), self.about.useful_size.size(*image.shape[:2])) for image in images]
        sides = [self._piece(*picture.shape[:2]) for picture in seen]
        usual = iter(self._looks([picture for picture, side in zip(seen, sides, strict=True) if not side]))
        found = [self._along(*each) if each[1] else next(usual) for each in zip(seen, sides, strict=True)]
        return [rescaled(*each) for each in zip(found, seen, images, strict=True)]

    def _looks(self, seen: list[Picture]) -> list[Faces]:
        """The faces of pictures that can be seen at once, after all looks."""
        if self.sizing.closer == 1:
            found = self._look(seen, self._lowest, self.sizing)
        else:
            first = self._look(seen, min(self._lowest, self._calibrated(UNSURE)), self.sizing)
            found = [self._closer(*each).above(self._lowest) for each in zip(seen, first, strict=True)]
        found = [self._in_company(faces) for faces in self._coarse(seen, found)]
        if self.sizing.coarse:
            found = [self._turned(*each) for each in zip(seen, found, strict=True)]
        return [faces.above(self.threshold) for faces in found]

    def _piece(self, height: int, width: int) -> int:
        """Side of the pieces in which a picture is looked at that is too long to be seen at once; 0: it is not."""
        longest, length = self.sizing.longest, max(height, width)
        side = max(longest, longest * min(height, width) // self.sizing.shorter)
        worth = self.sizing.closer > 1 and min(height, width) >= NARROW
        return side if worth and side < length <= LONGEST * side else 0

    def _along(self, picture: Picture, side: int) -> Faces:
        """The faces of a long picture: of a plain look at all of it, and of all looks at its pieces."""
        return searched(self, picture, self.once().detect([picture])[0], side)

    def once(self) -> "TrainedDetector":
        """The same detector with a single look, for the pieces of a picture."""
        once = self.sizing.once()
        return TrainedDetector(self.network, once, self.threshold, self.calibration, self.covering)

    def quick(self, shorter: int) -> "TrainedDetector":
        """The same detector with a single look at a picture whose shorter side has `shorter` pixels in the network, or
        as many as now if these are fewer."""
        sizing = self.sizing.resized(min(shorter, self.sizing.shorter)).once()
        once = replace(sizing, enlarge=self.sizing.enlarge)
        return TrainedDetector(self.network, once, self.threshold, self.calibration, self.covering)

    @property
    def about(self) -> About:
        """See visavis.detectors.protocol.About."""
        useful = self.sizing.resized(int(self.sizing.shorter * min(self.sizing.closer, DETAIL)))
        useful_size = UsefulSize(useful.shorter, useful.longest if self.sizing.closer == 1 else None)
        return About(
            self.network.runs,
            self.network.at_once,
            useful_size,
            self.sizing.padded,
            calibration=self.calibration,
            covering=self.covering,
        )

    def _calibrated(self, score: float) -> float:
        return float(self.calibration.apply(np.array(score)))

    @property
    def _lowest(self) -> float:
        return self.calibration.lowest(self.threshold)

    def _in_company(self, faces: Faces) -> Faces:
        """The faces with scores that take each other into account, highest score first."""
        scores = self.calibration.in_company(np.asarray(faces.scores))
        return replace(faces, scores=scores)[np.argsort(-scores, kind="stable")]

    def _look(self, pictures: list[Picture], threshold: float, sizing: Sizing) -> list[Faces]:
        fitted = [resize(picture, sizing.size(*picture.shape[:2])) for picture in pictures]
        found = self.network.find(fitted, threshold) if fitted else []
        return [rescaled(*each) for each in zip(found, fitted, pictures, strict=True)]

    def _coarse(self, pictures: list[Picture], found: list[Faces]) -> list[Faces]:
        """The faces found so far, with those of the coarse look that fill a picture."""
        coarse, shorter = self.sizing.coarse, [min(self.sizing.size(*one.shape[:2])) for one in pictures]
        # A picture that was hardly larger in the first look would show nothing new.
        again = [number for number, side in enumerate(shorter) if coarse and side >= 2 * coarse]
        seen = self._look([pictures[number] for number in again], self._lowest, self.sizing.coarsely())
        merging = list(found)
        for number, faces in zip(again, seen, strict=True):
            sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1)
            large = sides >= FILLS * min(pictures[number].shape[:2])
            if large.any():
                merging[number] = merged([found[number], faces[large]])
        return merging

    def _turned(self, picture: Picture, found: Faces) -> Faces:
        """The faces found so far; if none is sure, with those of the turned copy that has the surest face."""
        if (np.asarray(found.scores) >= UPRIGHT).any():
            return found
        fitted = resize(picture, self.sizing.coarsely().size(*picture.shape[:2]))
        # Not ascontiguousarray, which leaves a side of one pixel its negative stride, and torch takes none.
        copies = [np.rot90(fitted, turns).copy() for turns in (1, 2, 3)]
        seen = [self._in_company(faces).above(TURNED) for faces in self.network.find(copies, self._lowest)]
        turns = int(np.argmax([np.asarray(faces.scores).max(initial=0) for faces in seen]))
        boxes = quarter_turned(seen[turns].boxes, copies[turns].shape[:2], 3 - turns)
        return merged([found, rescaled(replace(seen[turns], boxes=boxes), fitted, picture)])

    def _closer(self, picture: Picture, first: Faces) -> Faces:
        """The faces of the first look; if some are small, those of the closer look in their place.

        Faces of medium size are in both looks, and are merged.
        """
        sides, scores = self._sides(picture, first), np.asarray(first.scores)
        if not (sides[scores >= self._calibrated(LIKELY)] < SMALL).any():
            return first
        place = _around(first.boxes[(sides < SMALL) & (scores >= self._calibrated(UNSURE))], picture)
        x1, y1, x2, y2 = place
        part = np.ascontiguousarray(picture[y1:y2, x1:x2])
        size = picture.shape[0], picture.shape[1]
        factor = self.sizing.closely(*size).size(*size)[0] / size[0]
        fitted = resize(part, (round(part.shape[0] * factor), round(part.shape[1] * factor)))
        found = rescaled(self.network.find([fitted], self._lowest)[0], fitted, part)
        second, cut = placed(found, place, picture.shape[:2], EDGE / factor)
        kept = (sides >= SMALL) | (covered(first.boxes, as_boxes([place])) < 0.5)[:, 0]
        return merged([first[kept], second[~cut & (self._sides(picture, second) < LARGE)]])

    def _sides(self, picture: Picture, faces: Faces) -> NDArray[np.float32]:
        """(N,) the faces' shorter sides in the first look, in pixels of the network."""
        factor = self.sizing.size(*picture.shape[:2])[0] / picture.shape[0]
        return (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) * factor


def _around(boxes: Boxes, picture: Picture) -> Place:
    """The surroundings of all boxes: x1 y1 x2 y2, in whole pixels."""
    near = clip(grow(boxes, AROUND), picture.shape[:2])
    x1, y1 = np.floor(near[:, :2].min(axis=0))
    x2, y2 = np.ceil(near[:, 2:].max(axis=0))
    return int(x1), int(y1), int(x2), int(y2)
