"""MTCNN (Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded CNNs", 2016), in the
implementation of the package facenet-pytorch, with its weights."""

from typing import Any

import numpy as np

from visavis import device as devices
from visavis.detectors.protocol import About
from visavis.extras import needed
from visavis.faces import FIVE_POINTS, Faces
from visavis.images import Picture

# It pins an old torch that it does not need.
INSTALL = "pip install --no-deps facenet-pytorch"


class Mtcnn:
    """facenet-pytorch's MTCNN with its own settings (faces of 20 pixels and more), except for the last threshold, whose
    default is the package's own, 0.7.

    Gives the five keypoints (eyes, nose, corners of the mouth) with each face.
    """

    about = About(keypoints=FIVE_POINTS)

    def __init__(self, device: str = "auto", threshold: float | None = None) -> None:
        package: Any = needed("facenet_pytorch", "mtcnn", INSTALL)
        self.threshold = 0.7 if threshold is None else threshold
        on, _ = devices.choose(device)
        self._network = package.MTCNN(keep_all=True, select_largest=False, device=on)

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture in its own pixels, highest score first."""
        return [self._find(image) for image in images]

    def _find(self, image: Picture) -> Faces:
        if min(image.shape[:2]) < 20:  # its pyramid of scales would have no level
            return Faces()
        self._network.thresholds = [0.6, 0.7, self.threshold]  # the first two are the package's own
        boxes, scores, points = self._network.detect(image, landmarks=True)
        if boxes is None:
            return Faces()
        scores = np.asarray(scores, np.float32)
        faces = Faces(np.asarray(boxes, np.float32), scores, np.asarray(points, np.float32))
        return faces[np.argsort(-scores, kind="stable")]
