"""The face finders of clean, by name. A finder is a detector with thresholds that say how far to trust it.

`FINDERS` is the registry: name -> `module:function`, a function without arguments that returns a Finder.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib import import_module

from visavis.boxes import Boxes
from visavis.checkpoint import SHIPPED
from visavis.detectors import Detector, load_detector
from visavis.detectors.dlib_face_recognition import DlibCnn, DlibHog, squash
from visavis.errors import InputError

FINDERS: dict[str, str] = {
    "face_recognition": "clean.finders:face_recognition",
    "face_recognition-cnn": "clean.finders:face_recognition_cnn",
    "shipped": "clean.finders:shipped",
}


FACE = 120
"""HOG gets a photo at the scale at which the label, hairline to chin, has this height in pixels. It detects faces of 80
pixels, brow to chin.

In 480 web photos it missed no more labels than at 100 or 130. Larger scales show it more of the smaller faces: 48 % at
100, 52 % at 120, and no more at 130, in a fifteenth of the time."""


@dataclass(frozen=True)
class Finder:
    """A detector, and the scores of its own from which on clean trusts it.

    key: name and version; photos are searched again if it changes.
    make: makes the detector, in the processes that inspect photos.
    at_label: threshold at a label (the lowest, because the label supports it).
    elsewhere: threshold for what may be a face, and is left out of the loss.
    sure: threshold for a face to learn from. origin: where `sure` comes from, as a sentence.
    scale: from a photo's (height, width) and its labels (M, 4) to the factor by which the detector's picture is scaled.
    None leaves the scale to the detector, which does not use more pixels than `longest` in the longer side.
    grey: whether it gets the whole picture in grey, which is cheaper.
    closer: pixels of the label's height in the closer look at a label where nothing was found.
    """

    key: str
    make: Callable[[], Detector]
    at_label: float
    elsewhere: float
    sure: float
    origin: str = ""
    longest: int = 1000
    scale: Callable[[Sequence[int], Boxes], float] | None = None
    grey: bool = False
    closer: int = 90

    @cached_property
    def detector(self) -> Detector:
        """The detector. Raises InputError if it cannot be loaded."""
        return self.make()


@cache
def load(name: str) -> Finder:
    """The finder of that name, once per process. Raises InputError if there is none or it cannot be loaded."""
    if name not in FINDERS:
        raise InputError(f"there is no finder {name!r}; there are: {', '.join(FINDERS)}")
    module, function = FINDERS[name].split(":")
    make: Callable[[], Finder] = getattr(import_module(module), function)
    return make()


def face_recognition() -> Finder:
    """dlib's HOG detector, as used by face_recognition.

    Measured on 400 photos of Caltech web faces and 200 photos without a face, at `DlibHog`'s
    scale: of the detections from dlib's 0.0 (here 0.5) on, 99.1 % were labelled faces, from -0.3 on 97.1 %;
    one faceless photo in 200 had a detection at 0.0, one in 20 at -0.3. At a label, -0.4 in a closer look
    finds three in four of the missed faces, and none in 200 faceless photos.
    """
    origin = "96.9 % of 1,036 such detections away from the main face were labelled faces, in 970 Caltech web photos"
    thresholds = squash(-0.4), squash(-0.3), squash(0.0)
    key, make = "face_recognition-2", partial(DlibHog, squash(-0.4), enlarge=1)
    return Finder(key, make, *thresholds, origin, scale=_hog_scale, grey=True, closer=120)


def _hog_scale(size: Sequence[int], labels: Boxes) -> float:
    """The scale at which the largest label is `FACE` pixels high; the largest useful scale if there is no label."""
    most = min(2.0, DlibHog.LONGEST / max(size))
    return min(most, FACE / float((labels[:, 3] - labels[:, 1]).max())) if len(labels) else most


def face_recognition_cnn() -> Finder:
    """dlib's CNN detector, as used by face_recognition: finds more than HOG; takes seconds per photo without a GPU."""
    origin = "well above dlib's own threshold, at which it found nothing in 30 faceless photos"
    thresholds = squash(0.0), squash(0.0), squash(0.5)
    return Finder("face_recognition-cnn-1", lambda: DlibCnn(squash(0.0)), *thresholds, origin, DlibCnn.LONGEST)


def shipped() -> Finder:
    """The project's own detector, with the weights that come with it.

    At the threshold of its best F1, it is right about 49 of 50 labelled faces. To learn from an unlabelled one, the
    odds must be eight times as high.
    """
    threshold = load_detector().threshold
    with SHIPPED.open("rb") as file:
        version = hashlib.file_digest(file, "sha256").hexdigest()[:16]  # other weights detect other faces
    origin = (
        f"eight times the odds of {threshold:.3f}, where its F1 was best, and at least 0.9: of 250 such detections "
        "away from the main face 90.8 % were labelled and 8.8 % unlabelled faces, in 106 validation photos"
    )
    sure = max(0.9, 8 * threshold / (8 * threshold + 1 - threshold))
    thresholds = threshold / 2, threshold / 2, sure
    return Finder(f"shipped-{version}", lambda: load_detector(threshold=threshold / 2), *thresholds, origin, 1280)
