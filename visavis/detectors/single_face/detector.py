"""The detector of a network for one face, in PyTorch or in ONNX Runtime. Loading it in the latter needs no torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from visavis import checkpoint, onnx_files
from visavis import device as devices
from visavis.calibration import Calibration, scoring
from visavis.cores import threads
from visavis.detectors.merging import rescaled
from visavis.detectors.protocol import About
from visavis.detectors.single_face import exported
from visavis.errors import InputError
from visavis.extras import needed
from visavis.faces import Faces
from visavis.images import Picture, as_picture, resize
from visavis.reduced_photos import UsefulSize

if TYPE_CHECKING:
    import torch

    from visavis.detectors.single_face.network import SingleFace

BACKENDS = ("auto", "torch", "onnxruntime")
WEIGHTS = checkpoint.SHIPPED.with_name("single_face_mobilenet_v2_slim.safetensors")
"""Those that come with visavis."""


class Network(Protocol):
    """A network in one of the two libraries."""

    runs: str
    """The library and the device, as a text for people."""
    at_once: int
    """How many simultaneous calls of `find` make it faster."""
    side: int
    """Of the squares that it sees, in pixels."""

    def find(self, squares: list[Picture], threshold: float) -> list[Faces]:
        """At most one face of each (side, side) picture, in its pixels, with a calibrated score of at least
        `threshold`."""
        ...


class SingleFaceDetector:
    """A network for one face as a `visavis.detectors.Detector`. It returns no more than one face a picture."""

    def __init__(
        self,
        network: Network,
        threshold: float,
        calibration: Calibration = Calibration(),
        covering: float | None = None,
    ) -> None:
        self.network, self.threshold = network, threshold
        # Its proportions are not kept: whatever their shapes, pictures can share a batch.
        self.about = About(
            network.runs,
            network.at_once,
            useful_size=UsefulSize(network.side),
            shape=lambda height, width: None,
            calibration=calibration,
            covering=covering,
        )

    def detect(self, images: list[Picture]) -> list[Faces]:
        """See visavis.detectors.protocol.Detector."""
        side = self.network.side
        squares = [resize(as_picture(image), (side, side)) for image in images]
        found = self.network.find(squares, self.threshold) if squares else []
        return [rescaled(*each) for each in zip(found, squares, images, strict=True)]


class TorchNetwork:
    """A folded copy of `model` on a device."""

    at_once = 1

    def __init__(self, model: "SingleFace", on: "torch.device", calibration: Calibration) -> None:
        import torch

        from visavis.detectors.faster_rcnn.folding import folded

        self.model = folded(model).to(on).to(memory_format=torch.channels_last)
        self.on, self.calibration, self.side = on, calibration, model.side
        self.runs = f"torch on {on}, fp32"

    def find(self, squares: list[Picture], threshold: float) -> list[Faces]:
        """See `Network`."""
        import torch

        with torch.inference_mode():
            found = self.model([torch.tensor(square, device=self.on).permute(2, 0, 1) for square in squares])
        return [
            Faces(one["boxes"].cpu().numpy(), self.calibration.apply(one["scores"].cpu().numpy())).above(threshold)
            for one in found
        ]


class OnnxNetwork:
    """An exported network in ONNX Runtime, on the CPU. at_once: simultaneous calls, which share its cores.

    Raises InputError for a damaged file.
    """

    runs = "onnxruntime on cpu, fp32"

    def __init__(self, file: Path, at_once: int = 1) -> None:
        self.at_once = min(at_once, threads())
        self._session = onnx_files.session(file, threads() // self.at_once)
        self.side: int = onnx_files.metadata(file)["side"]

    def find(self, squares: list[Picture], threshold: float) -> list[Faces]:
        """See `Network`."""
        least = np.array(threshold, np.float32)
        return [Faces(*self._session.run(None, {"photo": square, "threshold": least})) for square in squares]


def shipped(device: str = "auto", threshold: float | None = None) -> SingleFaceDetector:
    """The detector of the weights that come with visavis."""
    return load(WEIGHTS, checkpoint.metadata(WEIGHTS), device, threshold)


def load(
    path: Path,
    metadata: dict[str, Any],
    device: str = "auto",
    threshold: float | None = None,
    backend: str = "auto",
    precision: str = "fp32",
    size: int | None = None,
    at_once: int = 1,
) -> SingleFaceDetector:
    """The detector of a checkpoint; for the options see `visavis.load_detector`. Raises InputError if the file does not
    fit, and for options that are not available.
    """
    if backend not in BACKENDS:
        raise InputError(f"`backend` {backend}: networks for one face run in one of {', '.join(BACKENDS[1:])}")
    if precision != "fp32":
        raise InputError(f"`precision` {precision}: networks for one face compute in fp32 only; leave it out")
    if size is not None:
        raise InputError(
            f"`size` {size}: a network for one face sees pictures at the size of its training, {metadata['side']} "
            "pixels a side; leave it out"
        )
    used, calibration, covering = scoring(metadata, threshold)
    network = _network(path, metadata, device, backend, calibration, at_once)
    return SingleFaceDetector(network, used, calibration, covering)


def of_model(model: "SingleFace", threshold: float, on: "torch.device") -> SingleFaceDetector:
    """The detector of a network as it is now: it is a copy, which later changes of `model` do not affect."""
    return SingleFaceDetector(TorchNetwork(model, on, Calibration()), threshold)


def _network(
    path: Path, metadata: dict[str, Any], device: str, backend: str, calibration: Calibration, at_once: int
) -> Network:
    if backend == "onnxruntime" and device not in ("auto", "cpu"):
        raise InputError(f"`backend` onnxruntime runs on the CPU only, not on {device}; leave out one of the two")
    if backend == "auto":
        on_cpu = device == "cpu" or (device == "auto" and not devices.gpu())
        backend = "onnxruntime" if on_cpu and onnx_files.beside(path) is not None else "torch"
    if backend == "onnxruntime":
        needed("onnxruntime", "`backend` onnxruntime", "pip install onnxruntime")
        return OnnxNetwork(onnx_files.file(path, exported.write, otherwise=", or give `backend` torch"), at_once)
    needed("torch", str(path), "pip install 'visavis[train]'")
    from visavis.detectors.single_face.network import of_checkpoint as restored

    model = restored(checkpoint.load(path)[0], metadata, str(path))
    return TorchNetwork(model, devices.choose(device)[0], calibration)
