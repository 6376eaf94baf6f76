"""visavis: find faces in photos with a Faster R-CNN, and train your own.

    import visavis

    detector = visavis.load_detector()
    faces = detector.detect("photo.jpg")               # faces.boxes, faces.scores
    visavis.draw("photo.jpg", faces).save("boxed.jpg")
    visavis.redact("photo.jpg", faces, "blur").save("redacted.jpg")
    visavis.decorate("photo.jpg", faces, "glasses", "moustache").save("fun.jpg")

`detect` takes one picture or a list: paths, Pillow images, or (height, width, 3) uint8 RGB arrays. docs/library.md has
more examples. Importing visavis loads no torch, and the detector that comes with it needs none.
"""

from visavis import boxes, images
from visavis.analysers import ANALYSERS, Analyser, load_analyser
from visavis.detectors import DETECTORS, LoadedDetector, load_detector
from visavis.detectors.protocol import Detector
from visavis.effects.redaction import Redaction
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.library import align, decorate, draw, redact
from visavis.page import look

__version__ = "0.1.0"

__all__ = [
    "ANALYSERS",
    "DETECTORS",
    "Analyser",
    "Detector",
    "Faces",
    "ImageError",
    "InputError",
    "LoadedDetector",
    "Redaction",
    "__version__",
    "align",
    "boxes",
    "decorate",
    "draw",
    "images",
    "load_analyser",
    "load_detector",
    "look",
    "redact",
]
