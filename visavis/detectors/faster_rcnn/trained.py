"""The detector that a trained network makes, whichever program runs it: pictures of any size in, Faces out.

Every picture is looked at once more at low resolution, for a face that fills it is larger at the usual one than any
that the network was trained with; that costs a tenth of the first look. Where faces turn out to be small, a picture is
looked at closer as well, there and around. Most pictures have none that small, so that on the whole it costs little; to
show all of every one as large would cost two and a half times as much.

Nothing here needs torch, so that a detector which another back end runs starts without it.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes, clip, covered, grow, scale
from visavis.calibration import Calibration
from visavis.detectors.faster_rcnn.sizing import Sizing
from visavis.detectors.merging import Place, merged, placed
from visavis.detectors.protocol import About
from visavis.faces import Faces
from visavis.images import Picture, as_picture, resize
from visavis.reduced_photos import UsefulSize

SMALL = 28
"""Pixels of a face's shorter side in the network: a picture with a smaller one is worth a closer look."""
AROUND = 4.0
"""So many times its width and its height are looked at around a small face: others are there, which the first look may
have missed."""
UNSURE = 0.1
"""The score from which on a small find counts for where that is."""
EDGE = 2.0
"""Pixels in the network: what comes so near to an edge where the closer look ends may be cut by it."""
LARGE = 96
"""What is larger than this in the first look is not asked of the closer one, which may show it larger than any face
that the network was trained with."""

FILLS = 0.3
"""Share of the picture's shorter side: what is smaller than this is not asked of the coarse look."""


class Network(Protocol):
    """What runs a network: one of visavis.detectors.faster_rcnn.backends."""

    runs: str
    """What it is, and on what, for people."""
    at_once: int
    """Calls of `find` that gain by being made at the same time."""

    def find(self, pictures: list[Picture], threshold: float) -> list[Faces]:
        """Faces from `threshold` on, highest score first, of each picture, which has its size in the network
        already."""
        ...


class TrainedDetector:
    """A network as a `visavis.detectors.Detector`.

    threshold: of the scores after calibration. calibration: what is done to the network's scores. sure: the score from
    which on a find is a face, whatever threshold is asked for: small ones are worth a closer look. covering: see
    visavis.detectors.protocol.About.
    """

    def __init__(
        self,
        network: Network,
        sizing: Sizing,
        threshold: float,
        calibration: Calibration = Calibration(),
        sure: float = 0.5,
        covering: float | None = None,
    ) -> None:
        self.network = network
        self.sizing = sizing
        self.threshold = threshold
        self.calibration = calibration
        self.sure = sure
        self.covering = covering

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture, highest score first. One batch: memory is the
        caller's."""
        seen = [_resized(as_picture(image), self.about.useful_size.size(*image.shape[:2])) for image in images]
        if self.sizing.closer == 1:
            found = self._look(seen, self.threshold, self.sizing)
        else:
            first = self._look(seen, min(self.threshold, self.sure, UNSURE), self.sizing)
            found = [self._closer(*each).above(self.threshold) for each in zip(seen, first, strict=True)]
        found = self._coarse(seen, found)
        return [_back(*each) for each in zip(found, seen, images, strict=True)]

    def once(self) -> "TrainedDetector":
        """The same, which looks a single time at each picture: for pieces of one."""
        once = self.sizing.once()
        return TrainedDetector(self.network, once, self.threshold, self.calibration, self.sure, self.covering)

    @property
    def about(self) -> About:
        """What runs the network, how large a picture it has use for, and which pictures go through it together."""
        network, closer = self.network, self.sizing.closely()
        useful_size = UsefulSize(closer.shorter, closer.longest)
        return About(
            network.runs,
            network.at_once,
            useful_size,
            self.sizing.padded,
            calibration=self.calibration,
            covering=self.covering,
        )

    def _look(self, pictures: list[Picture], threshold: float, sizing: Sizing) -> list[Faces]:
        fitted = [_resized(picture, sizing.size(*picture.shape[:2])) for picture in pictures]
        found = self.network.find(fitted, threshold) if fitted else []
        return [_back(*each) for each in zip(found, fitted, pictures, strict=True)]

    def _coarse(self, pictures: list[Picture], found: list[Faces]) -> list[Faces]:
        """What was found, and faces that fill a picture, as a look at little of it finds them."""
        coarse, shorter = self.sizing.coarse, [min(self.sizing.size(*one.shape[:2])) for one in pictures]
        # A picture that the first look saw hardly larger shows nothing else.
        again = [number for number, side in enumerate(shorter) if coarse and side >= 2 * coarse]
        seen = self._look([pictures[number] for number in again], self.threshold, self.sizing.coarsely())
        merging = list(found)
        for number, faces in zip(again, seen, strict=True):
            sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1)
            large = sides >= FILLS * min(pictures[number].shape[:2])
            if large.any():
                merging[number] = merged([found[number], faces[large]])
        return merging

    def _closer(self, picture: Picture, first: Faces) -> Faces:
        """What the first look found; where some of it is small, the closer look's small finds in place of those.

        Both have those of middle size, of which each face is kept once.
        """
        sides, scores = self._sides(picture, first), np.asarray(first.scores)
        if not (sides[scores >= self.sure] < SMALL).any():
            return first
        place = _around(first.boxes[(sides < SMALL) & (scores >= UNSURE)], picture)
        x1, y1, x2, y2 = place
        part = np.ascontiguousarray(picture[y1:y2, x1:x2])
        factor = self.sizing.closely().size(*picture.shape[:2])[0] / picture.shape[0]
        fitted = _resized(part, (round(part.shape[0] * factor), round(part.shape[1] * factor)))
        found = _back(self.network.find([fitted], self.threshold)[0], fitted, part)
        second, cut = placed(found, place, picture.shape[:2], EDGE / factor)
        kept = (sides >= SMALL) | (covered(first.boxes, as_boxes([place])) < 0.5)[:, 0]
        return merged([first[kept], second[~cut & (self._sides(picture, second) < LARGE)]])

    def _sides(self, picture: Picture, faces: Faces) -> NDArray[np.float32]:
        """(N,) pixels of the faces' shorter sides in the network at the first look."""
        factor = self.sizing.size(*picture.shape[:2])[0] / picture.shape[0]
        return (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) * factor


def _around(boxes: Boxes, picture: Picture) -> Place:
    """What lies around all the boxes: x1 y1 x2 y2, whole pixels."""
    near = clip(grow(boxes, AROUND), picture.shape[:2])
    x1, y1 = np.floor(near[:, :2].min(axis=0))
    x2, y2 = np.ceil(near[:, 2:].max(axis=0))
    return int(x1), int(y1), int(x2), int(y2)


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    return picture if size == picture.shape[:2] else resize(picture, size)


def _back(faces: Faces, seen: Picture, image: Picture) -> Faces:
    """What was found in `seen`, in the pixels of `image`."""
    if seen is image:
        return faces
    across, down = image.shape[1] / seen.shape[1], image.shape[0] / seen.shape[0]
    return Faces(clip(scale(faces.boxes, (down, across)), (image.shape[0], image.shape[1])), faces.scores)
