"""The two detectors of the package face_recognition: dlib's HOG detector and dlib's CNN.

HOG: King, "Max-Margin Object Detection" (2015), on histograms of gradients; CNN: the same training with a
small network. Both draw a tight square from brow to chin.
"""

import warnings
from importlib import import_module
from typing import Any

import numpy as np

from visavis.boxes import as_boxes
from visavis.device import only_cpu
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import Picture, resize


class DlibHog:
    """dlib's HOG detector, which is face_recognition's too, without the 132 MB of networks that the import of
    face_recognition reads. Its scores are dlib's through a logistic curve: 0 -> 0.5.

    HOG finds faces of about 80 pixels and more, so small photos are enlarged, at most `enlarge` times, until the
    longer side has `LONGEST` pixels; larger photos are reduced to it.
    It takes (height, width) grey pictures, too: a quarter less time, and three in a hundred faces fewer.
    Raises InputError if the library cannot be imported.
    """

    LONGEST = 1000

    def __init__(self, threshold: float, enlarge: float = 2.0) -> None:
        self.threshold, self.enlarge = threshold, enlarge
        self._hog = _dlib().get_frontal_face_detector()

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture in its own pixels, highest score first."""
        return [self._find(image) for image in images]

    def _find(self, image: Picture) -> Faces:
        scaled, factor = _enlarged(image, self.LONGEST, self.enlarge)
        lowest = float(np.log(max(self.threshold, 1e-6) / max(1 - self.threshold, 1e-6)))
        rectangles, scores, _ = self._hog.run(scaled, 0, lowest)  # 0: no further doubling
        return _faces(rectangles, [squash(score) for score in scores], factor)


class DlibCnn:
    """dlib's CNN detector. Its scores are dlib's confidence through a logistic curve: 0 -> 0.5.

    Slow without a GPU, for which dlib must be compiled. Photos are scaled as for HOG, to at most `LONGEST`.
    Raises InputError if the library cannot be imported.
    """

    LONGEST = 800

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._cnn = package().cnn_face_detector

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture in its own pixels, highest score first."""
        return [self._find(image) for image in images]

    def _find(self, image: Picture) -> Faces:
        scaled, factor = _enlarged(image, self.LONGEST)
        found = list(self._cnn(scaled, 0))
        faces = _faces([one.rect for one in found], [squash(one.confidence) for one in found], factor)
        return faces.above(self.threshold)


def hog(device: str = "auto", threshold: float | None = None) -> DlibHog:
    """The default threshold is dlib's own, a score of 0 (here 0.5)."""
    only_cpu("dlib_hog", device)
    return DlibHog(0.5 if threshold is None else threshold)


def cnn(device: str = "auto", threshold: float | None = None) -> DlibCnn:
    """The default threshold is dlib's own, a confidence of 0 (here 0.5): it returns no others."""
    only_cpu("dlib_cnn", device)
    return DlibCnn(0.5 if threshold is None else threshold)


def squash(score: float) -> float:
    """dlib's score, which is any number, as a score from 0 to 1."""
    return float(1 / (1 + np.exp(-score)))


def _enlarged(image: Picture, longest: int, most: float = 2.0) -> tuple[Picture, float]:
    height, width = image.shape[:2]
    factor = min(most, longest / max(height, width))
    if factor == 1:
        return image, 1.0
    return resize(image, (max(1, round(height * factor)), max(1, round(width * factor)))), factor


def _faces(rectangles: Any, scores: list[float], factor: float) -> Faces:
    """dlib's rectangles, which include their right and lower edges, in the pixels of the photo."""
    corners = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in rectangles]
    faces = Faces(as_boxes(corners) / np.float32(factor), np.asarray(scores, np.float32))
    return faces[np.argsort(-np.asarray(faces.scores), kind="stable")]


def _dlib() -> Any:
    try:
        return import_module("dlib")
    except ImportError as error:
        raise InputError(_MISSING.format("dlib", error)) from None


_MISSING = (
    "{} cannot be imported ({}); it needs dlib-bin or dlib, and setuptools below 82: "
    "run `make setup`, or use the shipped detector"
)


def package() -> Any:
    """The module face_recognition.api. Raises InputError if it cannot be imported."""
    from PIL import ImageFile

    strict = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated")  # by face_recognition_models
            import_module("face_recognition_models")  # first: if this fails, face_recognition calls quit()
            return import_module("face_recognition.api")
    except ImportError as error:
        raise InputError(_MISSING.format("face_recognition", error)) from None
    finally:
        # face_recognition makes Pillow accept truncated files, in the whole process.
        ImageFile.LOAD_TRUNCATED_IMAGES = strict
