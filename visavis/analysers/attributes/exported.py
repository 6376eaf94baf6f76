"""The network as an ONNX file: squares around faces go in, the probabilities of each head come out.

Input: `faces` (N, side, side, 3) uint8 RGB. Outputs: those that the network has of `mask` (N, 3), `age` (N, 101), or
(N, 1) years, and `gender` (N, 2), float32. The metadata under the key `visavis` are JSON, and say how wide the square
is and how its answers are calibrated.
"""

from pathlib import Path

from visavis.analysers import graph

COPIED = ("kind", "arch", "heads", "side", "margin", "temperatures", "limits")
"""Entries of the checkpoint's metadata that its ONNX file has, too."""


def write(path: Path, out: Path) -> None:
    """See visavis.analysers.graph.write."""
    from visavis.analysers.attributes.network import of_checkpoint

    graph.write(path, out, of_checkpoint, lambda model: list(model.predicts), COPIED)
