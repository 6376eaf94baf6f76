"""The detector of Viola and Jones ("Rapid Object Detection using a Boosted Cascade", 2001) in OpenCV.

The cascade for frontal faces comes with OpenCV 4; OpenCV 5 no longer carries it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from visavis.boxes import as_boxes
from visavis.device import only_cpu
from visavis.errors import InputError
from visavis.extras import needed
from visavis.faces import Faces
from visavis.images import Picture

INSTALL = "pip install 'opencv-python-headless<5'"


class OpencvHaar:
    """OpenCV's frontal-face cascade. Its scores are the sums of the last stage through a logistic curve.

    With the settings of OpenCV's documentation: scale steps of 1.1, faces of 20 pixels and more; a face counts if at
    least three windows agree. The default threshold is 0: OpenCV returns all that passes the cascade.
    """

    def __init__(self, device: str = "auto", threshold: float | None = None) -> None:
        only_cpu("opencv_haar", device)
        cv2: Any = needed("cv2", "opencv_haar", INSTALL)
        self._cv2 = cv2
        self.threshold = 0.0 if threshold is None else threshold
        path = Path(cv2.data.haarcascades if hasattr(cv2, "data") else "") / "haarcascade_frontalface_default.xml"
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise InputError(f"opencv_haar: OpenCV {cv2.__version__} carries no Haar cascade; {INSTALL}")
        self._cascade = cv2.CascadeClassifier(str(path))

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture in its own pixels, highest score first."""
        return [self._find(image) for image in images]

    def _find(self, image: Picture) -> Faces:
        grey = self._cv2.cvtColor(image, self._cv2.COLOR_RGB2GRAY)
        corners, _, weights = self._cascade.detectMultiScale3(
            grey, scaleFactor=1.1, minNeighbors=3, minSize=(20, 20), outputRejectLevels=True
        )
        if not len(corners):
            return Faces()
        boxes = as_boxes(corners)
        boxes[:, 2:] += boxes[:, :2]
        scores = (1 / (1 + np.exp(-np.asarray(weights).reshape(-1)))).astype(np.float32)
        return Faces(boxes, scores)[np.argsort(-scores, kind="stable")].above(self.threshold)
