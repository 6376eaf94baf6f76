"""The networks of points as ONNX files: squares around faces go in, where their points are comes out.

Input: `faces` (N, side, side, 3) uint8 RGB. Outputs: `points` (N, K, 2), x y in shares of the square's side, and of a
face_points `spreads` (N, K), how far off along an axis each is taken to be in the mean; float32.
"""

from pathlib import Path

from visavis.analysers import graph

COPIED = ("kind", "arch", "side", "margin", "count")
"""Entries of the checkpoint's metadata that its ONNX file has, too."""


def write(path: Path, out: Path) -> None:
    """See visavis.analysers.graph.write."""
    from visavis.analysers.points.network import of_checkpoint

    graph.write(path, out, of_checkpoint, lambda model: model.outputs, COPIED)
