"""Loads a detector by windows from its checkpoint; ONNX Runtime runs it, on the CPU, without torch."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import onnx_files
from visavis.checkpoint import SHIPPED as FASTER_RCNN
from visavis.cores import cores
from visavis.detectors.sliding_window.design import Design
from visavis.detectors.sliding_window.detector import SlidingWindow
from visavis.device import only_cpu
from visavis.errors import InputError

SHIPPED = FASTER_RCNN.with_name("window_cnn_small.safetensors")
"""The checkpoint that comes with visavis."""


def load(
    path: Path, metadata: dict[str, Any], device: str = "auto", threshold: float | None = None, **options: Any
) -> SlidingWindow:
    """The detector of a checkpoint; options: see `visavis.load_detector`. Raises InputError for those that mean nothing
    to windows."""
    from visavis.detectors.sliding_window.exported import write

    refuse(path, options)
    only_cpu(str(path), device)
    session = onnx_files.session(onnx_files.file(path, write), max(1, cores() // options.get("at_once", 1)))

    def judge(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(session.run(["scores"], {"windows": np.ascontiguousarray(pictures)})[0])

    used = metadata.get("threshold", 0.5) if threshold is None else threshold
    return SlidingWindow(judge, Design.of(metadata["windows"]), used, "ONNX Runtime on cpu")


def refuse(path: Path, options: dict[str, Any]) -> None:
    """Raise InputError for options that mean nothing to windows."""
    for name, usual in (("backend", ("auto", "onnxruntime")), ("precision", ("fp32",)), ("size", (None,))):
        if options.get(name, usual[0]) not in usual:
            raise InputError(f"`{name}` {options[name]}: {path} judges windows, in one way only; leave `{name}` out")
