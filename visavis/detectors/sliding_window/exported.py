"""A network that judges windows as an ONNX file.

Input: `windows` (N, height, width, 3) uint8 RGB, height and width SIDE or, where the network takes whole pictures,
more. Output: `scores` (N, rows, columns) float32, not calibrated. The metadata under the key `visavis` are JSON, and
say which windows it is shown, and how the scores of faces are calibrated.
"""

from pathlib import Path
from typing import Any

from visavis import checkpoint, onnx_files
from visavis.detectors.sliding_window.windows import SIDE

COPIED = ("kind", "arch", "windows", "threshold", "temperature", "shift")
"""Entries of the checkpoint's metadata that its ONNX file has, too."""


def write(path: Path, out: Path) -> None:
    """Export the checkpoint at `path` to the ONNX file `out`, which it replaces. Raises InputError and OSError."""
    onnx_files.able_to_export()
    from visavis.detectors.sliding_window.network import of_checkpoint

    weights, known = checkpoint.load(path)
    model = of_checkpoint(weights, known, str(path))
    entries = {name: known[name] for name in COPIED if name in known}
    onnx_files.save(path, out, lambda metadata: _whole(model, metadata), entries)


def _whole(model: Any, metadata: dict[str, str]) -> bytes:
    import torch
    from torch.export import Dim

    from visavis.detectors.faster_rcnn.folding import folded
    from visavis.detectors.faster_rcnn.onnx_file import exported, finished

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = folded(model)

        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            return self.model(windows.permute(0, 3, 1, 2))

    larger = {1: Dim.DYNAMIC, 2: Dim.DYNAMIC} if model.design.dense else {}
    side = (SIDE + 16, SIDE + 24) if larger else (SIDE, SIDE)
    windows = torch.zeros(2, *side, 3, dtype=torch.uint8)
    file = exported(Network(), (windows,), ["windows"], ["scores"], ({0: Dim.DYNAMIC} | larger,))
    return finished(file, metadata)
