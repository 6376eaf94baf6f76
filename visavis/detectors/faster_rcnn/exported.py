"""A detector's ONNX file: writing it, and reading the size at which it takes pictures."""

import math
from pathlib import Path

from visavis import checkpoint, onnx_files
from visavis.calibration import scoring
from visavis.detectors.faster_rcnn.sizing import COARSE, Sizing


def sizing(file: Path) -> Sizing:
    """The size at which the network takes pictures by default."""
    known = onnx_files.metadata(file)
    enlarge, closer = known["enlarge"] or math.inf, known["closer"]
    coarse = known.get("coarse", COARSE if closer > 1 else 0)  # older files have no such entry
    return Sizing(known["shorter"], known["longest"], enlarge, known["multiple"], closer, coarse)


def write(path: Path, out: Path) -> None:
    """Export the checkpoint at `path` to the ONNX file `out`, which it replaces. Raises InputError if it is no
    checkpoint or a package is missing, and OSError if the file cannot be written.
    """
    onnx_files.able_to_export()
    from visavis.detectors.faster_rcnn import architectures as faster_rcnn
    from visavis.detectors.faster_rcnn import onnx_file

    weights, known = checkpoint.load(path)
    model = faster_rcnn.of_checkpoint(weights, known, str(path))
    threshold, calibration, _ = scoring(known)
    size: Sizing = model.transform.sizing
    description = {
        "arch": known["arch"],
        "threshold": threshold,
        "shorter": size.shorter,
        "longest": size.longest,
        "enlarge": None if size.enlarge == math.inf else size.enlarge,
        "multiple": size.multiple,
        "closer": size.closer,
        "coarse": size.coarse,
    }
    onnx_files.save(path, out, lambda metadata: onnx_file.whole(model, calibration, metadata), description)
