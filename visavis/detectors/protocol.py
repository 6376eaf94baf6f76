"""What a detector is, and what it may tell about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from visavis.calibration import Calibration
from visavis.faces import Faces
from visavis.images import Picture
from visavis.reduced_photos import UsefulSize


class Detector(Protocol):
    """Finds faces. Takes pictures of any size, keeps their order, accepts an empty list.

    It may have an attribute `about`, an `About`, where the defaults of that do not hold for it.
    """

    @property
    def threshold(self) -> float:
        """The score from which on a find is returned. Set it, and the next call goes by it: nothing is loaded again."""
        ...

    @threshold.setter
    def threshold(self, value: float) -> None: ...

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture, in that picture's pixels, highest score first."""
        ...


@dataclass(frozen=True)
class About:
    """What a detector tells about itself besides its finds. The defaults are right for one that only has `detect`."""

    runs: str = ""
    """What computes it, and on what device, for people; empty where its name says it all."""
    at_once: int = 1
    """Calls of `detect` that gain by being made at the same time, from several threads."""
    useful_size: UsefulSize = UsefulSize()
    """The most pixels of a picture that it has use for."""
    shape: Callable[[int, int], object] = lambda height, width: (height, width)
    """(height, width) of a picture -> what pictures must have in common to go through it in one batch."""
    attributes: tuple[str, ...] = ()
    """Names of the attributes that its faces have."""
    keypoints: tuple[str, ...] = ()
    """Names of the keypoints that its faces have, in their order."""
    calibration: Calibration = Calibration()
    """What was done to its scores before they were returned."""
    covering: float | None = None
    """The score from which on redaction covers a find, where that is lower than the threshold: a face that stays
    visible is worse than a region covered for nothing."""


def about(detector: Detector) -> About:
    """What the detector tells about itself; the defaults where it tells nothing."""
    return getattr(detector, "about", About())
