"""What visavis.load_detector returns: any detector, for arrays, Pillow images and paths."""

from collections.abc import Sequence
from typing import overload

from visavis.detectors.protocol import About, Detector, about
from visavis.faces import Faces
from visavis.images import OneImage, taken
from visavis.ranges import check_number


class LoadedDetector:
    """A detector ready for use. `detector` is the one of visavis.detectors that does the work."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector

    @overload
    def detect(self, images: OneImage) -> Faces: ...
    @overload
    def detect(self, images: Sequence[OneImage]) -> list[Faces]: ...
    def detect(self, images: OneImage | Sequence[OneImage]) -> Faces | list[Faces]:
        """The faces of one picture, or a list of them for a list of pictures; highest score first, in each picture's
        pixels.

        images: (height, width, 3) uint8 RGB arrays, Pillow images, or paths of photos. All pictures of a
        list are in memory at the same time. Raises ImageError for a path without a photo, ValueError for no picture.
        """
        if isinstance(images, list | tuple):
            return self.detector.detect([taken(image) for image in images])
        return self.detector.detect([taken(images)])[0]  # type: ignore[bad-argument-type]

    @property
    def threshold(self) -> float:
        """The lowest score of a face that is returned, 0 to 1. It may be set between calls; nothing is loaded again."""
        return self.detector.threshold

    @threshold.setter
    def threshold(self, value: float) -> None:
        check_number("threshold", value, 0, 1)
        self.detector.threshold = value

    @property
    def about(self) -> About:
        """What the detector declares about itself."""
        return about(self.detector)

    def __repr__(self) -> str:
        return f"<{self.about.runs or type(self.detector).__name__}, threshold {self.threshold:.3g}>"
