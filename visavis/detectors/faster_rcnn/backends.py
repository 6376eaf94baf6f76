"""The libraries that can run a trained network: PyTorch, and with an exported ONNX file ONNX Runtime or OpenVINO.

`auto` is the fastest that needs no export (benchmarks/predict.py has the figures): PyTorch on a GPU; on a CPU ONNX
Runtime, then OpenVINO, if the ONNX file lies beside the checkpoint, as it does for the shipped detector; else PyTorch.
A back end that is given by name exports the file if need be.
"""

import queue
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import numpy as np

from visavis import device as devices
from visavis import onnx_files
from visavis.boxes import clip
from visavis.cores import threads
from visavis.detectors.faster_rcnn import exported, openvino_cache
from visavis.detectors.faster_rcnn.sizing import Sizing
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import Picture
from visavis.options import Backend, Precision

FASTEST = ("onnxruntime", "openvino")
"""On a CPU, the fastest first: OpenVINO compiles again for each size of photo, on each core."""
INSTALL = "pip install 'visavis[train]'"
SMALLEST = 32
"""Side of the smallest picture, in pixels."""


def network(
    path: Path, metadata: dict[str, Any], device: str, backend: str, precision: str, at_once: int = 1
) -> tuple[Any, Sizing]:
    """The network of a checkpoint in a back end (see `Network` in trained.py), and the size at which it takes pictures.

    Raises InputError for an unknown back end or precision, for one that is not installed, and for combinations that do
    not exist.
    """
    for option, value, known in (
        ("backend", backend, get_args(Backend)),
        ("precision", precision, get_args(Precision)),
    ):
        if value not in known:
            raise InputError(f"`{option}` {value}: choose one of {', '.join(known)}")
    if backend == "auto":
        backend = _fastest(path, device, precision)
    if backend == "torch":
        return _torch(path, metadata, device, precision)
    if find_spec(backend) is None:
        raise InputError(f"`backend` {backend} needs a package that is not installed: pip install {backend}")
    if device not in ("auto", "cpu"):
        raise InputError(f"`backend` {backend} runs on the CPU only, not on {device}; leave out `backend` or `device`")
    if backend == "onnxruntime" and precision != "fp32":
        raise InputError(
            f"`precision` {precision}: onnxruntime computes in fp32 only; give `backend` openvino or torch"
        )
    file = onnx_files.file(path, exported.write, otherwise=", or give `backend` torch")
    sizing = exported.sizing(file)
    at_once = min(at_once, threads())
    return (OnnxRuntime(file, at_once) if backend == "onnxruntime" else OpenVino(file, precision, at_once)), sizing


class OnnxRuntime:
    """An exported network in Microsoft's ONNX Runtime, on the CPU. at_once: simultaneous calls, which share its cores.

    Raises InputError for a damaged file.
    """

    def __init__(self, file: Path, at_once: int = 1) -> None:
        self.at_once = at_once
        self._session = onnx_files.session(file, threads() // at_once)
        self.runs = "onnxruntime on cpu, fp32"

    def find(self, pictures: list[Picture], threshold: float) -> list[Faces]:
        """See `Network` in trained.py. One picture after the other: on a CPU, a batch is no faster."""
        return [_faces(self._session.run(None, _inputs(picture, threshold)), picture) for picture in pictures]


class OpenVino:
    """An exported network in Intel's OpenVINO, on the CPU. at_once: simultaneous calls, which share its cores. Raises
    InputError for a precision that this CPU does not support.

    It is compiled in the background; the first call waits for that, and raises InputError for a damaged file.
    """

    def __init__(self, file: Path, precision: str = "fp32", at_once: int = 1) -> None:
        # OpenVINO gives the thread that compiles a signal stack, and frees it with the network: the next signal
        # (Ctrl-C, the end of a child) would be handled in freed memory. So another thread compiles.
        elsewhere = ThreadPoolExecutor(1)
        core = elsewhere.submit(_core, precision).result()
        self._network = elsewhere.submit(_compile, core, file, precision, at_once)
        elsewhere.shutdown(wait=False)
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()  # requests that are not in use
        self.at_once = at_once
        self.runs = f"openvino on cpu, {precision}"

    def find(self, pictures: list[Picture], threshold: float) -> list[Faces]:
        """See `Network` in trained.py. One picture after the other: on a CPU, a batch is no faster."""
        try:
            request = self._free.get_nowait()
        except queue.Empty:  # one for each simultaneous call
            request = self._network.result().create_infer_request()
        try:
            return [_looked(request, picture, threshold) for picture in pictures]
        finally:
            self._free.put(request)


def _core(precision: str) -> Any:
    import openvino

    core = openvino.Core()
    if not _able(core, precision):
        raise InputError(f"`precision` {precision}: openvino does not support it on this CPU; give fp32")
    return core


def _able(core: Any, precision: str) -> bool:
    return precision.upper() in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _computes(precision: str) -> bool:
    """Whether OpenVINO computes in this precision on this CPU."""
    import openvino

    with ThreadPoolExecutor(1) as elsewhere:  # see OpenVino
        return elsewhere.submit(lambda: _able(openvino.Core(), precision)).result()


def _compile(core: Any, file: Path, precision: str, at_once: int) -> Any:
    settings = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "fp16": "f16"}.get(precision, precision),
        "INFERENCE_NUM_THREADS": threads(),
        "NUM_STREAMS": at_once,
    }
    try:
        network = openvino_cache.compiled(core, file, settings)
    except RuntimeError as error:
        raise onnx_files.damaged(file, error) from None
    # The first calls of a process must not come from several threads at once: OpenVINO's Python bindings would
    # deadlock.
    _looked(network.create_infer_request(), np.zeros((SMALLEST, SMALLEST, 3), np.uint8), 1.0)
    return network


def _looked(request: Any, picture: Picture, threshold: float) -> Faces:
    return _faces(request.infer(_inputs(picture, threshold)).values(), picture)


def _fastest(path: Path, device: str, precision: str) -> str:
    wanted = device != "cpu" and (device != "auto" or (devices.gpu() and find_spec("torch")))
    if (wanted and devices.choose(device)[0].type != "cpu") or onnx_files.beside(path) is None:
        return "torch"
    if precision == "fp32":
        return next((name for name in FASTEST if find_spec(name)), "torch")
    return "openvino" if find_spec("openvino") and _computes(precision) else "torch"


def _torch(path: Path, metadata: dict[str, Any], device: str, precision: str) -> tuple[Any, Sizing]:
    from visavis import checkpoint
    from visavis.calibration import of_checkpoint
    from visavis.extras import needed

    has_file = onnx_files.beside(path) is not None
    needed("torch", "`backend` torch" if has_file else f"{path}, which has no ONNX file beside it,", INSTALL)
    from visavis.detectors.faster_rcnn import architectures as faster_rcnn
    from visavis.detectors.faster_rcnn.eager import TorchNetwork

    model = faster_rcnn.of_checkpoint(checkpoint.load(path)[0], metadata, str(path))
    made = TorchNetwork(model, devices.choose(device)[0], of_checkpoint(metadata), precision)
    return made, made.model.transform.sizing


def _inputs(picture: Picture, threshold: float) -> dict[str, Any]:
    sides = picture.shape[:2]  # its size in the network already, so that the graph does not resize it
    return {"photo": picture, "threshold": np.array(threshold, np.float32), "size": np.array([min(sides), max(sides)])}


def _faces(found: Any, picture: Picture) -> Faces:
    boxes, scores = (np.array(one) for one in found)  # copies: a runtime reuses the memory for its next answer
    return Faces(clip(boxes, (picture.shape[0], picture.shape[1])), scores)
