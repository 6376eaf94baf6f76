"""What a detector must provide, and what it may declare about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from visavis.calibration import Calibration
from visavis.faces import Faces
from visavis.images import Picture
from visavis.reduced_photos import UsefulSize


class Detector(Protocol):
    """Finds faces. Takes pictures of any size, keeps their order, accepts an empty list.

    It may have an attribute `about`, an `About`, if the defaults of that do not fit it.
    """

    @property
    def threshold(self) -> float:
        """The lowest score of a face that is returned. It may be set between calls; nothing is loaded again."""
        ...

    @threshold.setter
    def threshold(self, value: float) -> None: ...

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture, in that picture's pixels, highest score first."""
        ...


@dataclass(frozen=True)
class About:
    """What a detector declares about itself. The defaults are right for one that has only `detect`."""

    runs: str = ""
    """The library and device that run it, as a text for people; empty if its name says it all."""
    at_once: int = 1
    """How many simultaneous calls of `detect`, from several threads, make it faster."""
    useful_size: UsefulSize = UsefulSize()
    """The largest size at which it makes use of a picture."""
    shape: Callable[[int, int], object] = lambda height, width: (height, width)
    """(height, width) of a picture -> a value that is equal for pictures that can share a batch."""
    attributes: tuple[str, ...] = ()
    """Names of the attributes that its faces have."""
    keypoints: tuple[str, ...] = ()
    """Names of the keypoints that its faces have, in their order."""
    calibration: Calibration = Calibration()
    """The calibration that its scores have undergone."""
    covering: float | None = None
    """The lowest score of what redaction covers, if below the threshold: a visible face is worse than a region that is
    covered for nothing."""


def about(detector: Detector) -> About:
    """What the detector declares about itself, or the defaults."""
    return getattr(detector, "about", About())
