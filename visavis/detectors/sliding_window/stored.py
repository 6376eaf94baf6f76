"""Loads a detector by windows from its checkpoint; ONNX Runtime runs it, on the CPU, without torch."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import checkpoint, onnx_files
from visavis.calibration import scoring
from visavis.cores import cores
from visavis.detectors.only_way import none_of
from visavis.detectors.sliding_window.design import Design
from visavis.detectors.sliding_window.detector import SlidingWindow
from visavis.device import only_cpu

SHIPPED = checkpoint.SHIPPED.with_name("window_cnn_small.safetensors")
"""The checkpoint that comes with visavis."""


def load(
    path: Path, metadata: dict[str, Any], device: str = "auto", threshold: float | None = None, **options: Any
) -> SlidingWindow:
    """The detector of a checkpoint; options: see `visavis.load_detector`. Raises InputError for those that mean nothing
    to windows."""
    from visavis.detectors.sliding_window.exported import write

    backend = {"backend": "auto"} if options.get("backend") == "onnxruntime" else {}
    none_of(options | backend, "a detector by windows")
    only_cpu(str(path), device)
    session = onnx_files.session(onnx_files.file(path, write), max(1, cores() // options.get("at_once", 1)))

    def judge(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(session.run(["scores"], {"windows": np.ascontiguousarray(pictures)})[0])

    design = Design.of(metadata["windows"])
    return SlidingWindow(judge, design, *scoring(metadata, threshold), runs="ONNX Runtime on cpu")


def shipped(device: str = "auto", threshold: float | None = None) -> SlidingWindow:
    """The detector that comes with visavis; its default threshold is that of the best F1 on validation photos."""
    return load(SHIPPED, checkpoint.metadata(SHIPPED), device, threshold)
