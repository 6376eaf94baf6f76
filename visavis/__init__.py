"""visavis: find faces in photos with a Faster R-CNN, and train your own.

    import visavis
    detector = visavis.load_detector()
    faces = detector.detect([visavis.images.read("photo.jpg")])[0]

The library knows faces and models; it knows nothing of the project's data folder, whose tables
belong to the package ``dataset``. Importing it loads no torch: that waits until a detector is made.
"""

from visavis import boxes, images
from visavis.detectors import DETECTORS, load_detector
from visavis.faces import Faces
from visavis.look import look

__all__ = ["DETECTORS", "Faces", "boxes", "images", "load_detector", "look"]
