"""The face finders that clean can ask, by name. A finder is a detector and how far to trust it.

`FINDERS` is the list: name -> `module:function`, a function without arguments that returns a Finder.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import Any

import numpy as np

from visavis.boxes import as_boxes
from visavis.command import InputError
from visavis.detectors import SHIPPED, Detector, load_detector
from visavis.faces import Faces
from visavis.images import Picture, resize

FINDERS: dict[str, str] = {
    "face_recognition": "clean.finders:face_recognition",
    "shipped": "clean.finders:shipped",
}

PRELOAD: dict[str, str] = {"face_recognition": "clean.preload_face_recognition"}
"""Name -> a module whose import makes the finder, for those that bear to be forked once made. (torch does not.)"""


@dataclass(frozen=True)
class Finder:
    """A detector and the scores, in its own measure, from which on clean believes it.

    key: name and version: what another key has found is looked for anew.
    make: gives the detector; only processes that look at photos need it made.
    at_label: believed where the label says that a face is (lowest: the label speaks for it).
    elsewhere: perhaps a face, to be left out of the loss.
    sure: a face to learn from.
    """

    key: str
    make: Callable[[], Detector]
    at_label: float
    elsewhere: float
    sure: float

    @cached_property
    def detector(self) -> Detector:
        """The detector. Raises InputError where it cannot be had."""
        return self.make()


@cache
def load(name: str) -> Finder:
    """The finder of that name, one a process. Raises InputError where it cannot be had."""
    if name not in FINDERS:
        raise InputError(f"there is no finder {name!r}; there are: {', '.join(FINDERS)}")
    module, function = FINDERS[name].split(":")
    make: Callable[[], Finder] = getattr(import_module(module), function)
    return make()


def face_recognition() -> Finder:
    """dlib's HOG detector, as face_recognition has it.

    Measured on 400 photos of Caltech web faces and 200 photos without a face, at `FaceRecognition`'s
    scale: of the finds from dlib's 0.0 (here 0.5) on, 99.1 % were labelled faces, from -0.3 on 97.1 %;
    one faceless photo in 200 had a find at 0.0, one in 20 at -0.3. At a label, -0.4 in a closer look
    brings back three in four of the missed faces, and found none in 200 faceless photos.
    """
    return Finder(
        "face_recognition-1", lambda: FaceRecognition(_squash(-0.4)), _squash(-0.4), _squash(-0.3), _squash(0.0)
    )


def shipped() -> Finder:
    """The project's own detector, with the weights that come with it."""
    threshold = load_detector().threshold
    version = SHIPPED.stat()  # other weights find other faces
    key = f"shipped-{version.st_size}-{version.st_mtime_ns}"
    return Finder(
        key, lambda: load_detector(threshold=threshold / 2), threshold / 2, threshold / 2, max(threshold, 0.9)
    )


class FaceRecognition:
    """face_recognition's HOG detector as a Detector. Its scores are dlib's through a logistic curve: 0 -> 0.5.

    HOG sees faces from about 80 pixels on, so small photos are enlarged, at most twice, until the
    longer side has `LONGEST` pixels; larger photos are shrunk to it.
    Raises InputError where the library cannot be imported.
    """

    LONGEST = 1000

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._hog = _import_hog()

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each picture in its own pixels, surest first."""
        return [self._find(image) for image in images]

    def _find(self, image: Picture) -> Faces:
        height, width = image.shape[:2]
        factor = min(2.0, self.LONGEST / max(height, width))
        scaled = resize(image, (max(1, round(height * factor)), max(1, round(width * factor))))
        lowest = float(np.log(self.threshold / (1 - self.threshold)))
        rectangles, scores, _ = self._hog.run(scaled, 0, lowest)  # 0: no further doubling
        corners = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in rectangles]
        faces = Faces(as_boxes(corners) / np.float32(factor), np.array([_squash(score) for score in scores]))
        assert faces.scores is not None
        return faces[np.argsort(-faces.scores, kind="stable")]


def _import_hog() -> Any:
    from PIL import ImageFile

    strict = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated")  # by face_recognition_models
            import_module("face_recognition_models")  # first: where this fails, face_recognition calls quit()
            return import_module("face_recognition.api").face_detector
    except ImportError as error:
        raise InputError(
            f"face_recognition cannot be imported ({error}); it needs dlib-bin or dlib, and setuptools below 82: "
            "run `make setup`, or use --finder shipped"
        ) from None
    finally:
        # face_recognition makes Pillow pass truncated files as whole, for the entire process.
        ImageFile.LOAD_TRUNCATED_IMAGES = strict


def _squash(score: float) -> float:
    return float(1 / (1 + np.exp(-score)))
