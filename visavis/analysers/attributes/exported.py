"""The network as an ONNX file: squares around faces go in, the probabilities of each head come out.

Input: `faces` (N, side, side, 3) uint8 RGB. Outputs: those that the network has of `mask` (N, 3), `age` (N, 101), or
(N, 1) years, and `gender` (N, 2), float32. The metadata under the key `visavis` are JSON, and say how wide the square
is and how its answers are calibrated.
"""

import warnings
from pathlib import Path
from typing import Any

from visavis import checkpoint, onnx_files

TOLD = ("kind", "arch", "heads", "side", "margin", "temperatures", "limits")
"""What the checkpoint's metadata say that its ONNX file says too."""


def write(path: Path, out: Path) -> None:
    """Export the checkpoint at `path` to the ONNX file `out`, which it replaces. Raises InputError where it is no
    checkpoint or a package is missing, and OSError where the file cannot be written."""
    onnx_files.able_to_export()
    from visavis.analysers.attributes.network import of_checkpoint

    weights, known = checkpoint.load(path)
    model = of_checkpoint(weights, known, str(path))
    told = {name: known[name] for name in TOLD if name in known}
    onnx_files.save(path, out, lambda metadata: _whole(model, metadata), told)


def _whole(model: Any, metadata: dict[str, str]) -> bytes:
    import torch
    from torch.export import Dim

    from visavis.detectors.faster_rcnn.folding import folded
    from visavis.detectors.faster_rcnn.onnx_file import IR, OPSET, finished

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = folded(model)

        def forward(self, faces: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(self.model(faces.permute(0, 3, 1, 2)).values())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.onnx.export(
            Network().eval(),
            (torch.zeros(2, model.side, model.side, 3, dtype=torch.uint8),),
            input_names=["faces"],
            output_names=list(model.tells),
            dynamic_shapes=({0: Dim.DYNAMIC},),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # it is None where a file is written
    file = program.model_proto
    file.ir_version = IR
    del file.graph.value_info[:]
    return finished(file, metadata)
