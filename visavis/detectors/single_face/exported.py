"""A network for one face as one ONNX file: a photo of any size goes in, at most one face in its pixels comes out.

Inputs and outputs are those of a Faster R-CNN's file (visavis.detectors.faster_rcnn.onnx_file), but for `size`, since
the network sees every photo as a square of one size.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis import checkpoint, onnx_files
from visavis.calibration import scoring

if TYPE_CHECKING:
    from visavis.detectors.single_face.network import SingleFace


def write(path: Path, out: Path) -> None:
    """Export the checkpoint at `path` to the ONNX file `out`, which it replaces. Raises InputError if it is no
    checkpoint or a package is missing, and OSError if the file cannot be written.
    """
    onnx_files.able_to_export()
    from visavis.detectors.single_face import network, onnx_file

    weights, known = checkpoint.load(path)
    model: SingleFace = network.of_checkpoint(weights, known, str(path))
    threshold, calibration, _ = scoring(known)
    entries: dict[str, Any] = {"arch": known["arch"], "threshold": threshold, "side": model.side}
    onnx_files.save(path, out, lambda metadata: onnx_file.whole(model, calibration, metadata), entries)
