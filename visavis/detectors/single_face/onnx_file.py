"""Makes the ONNX file of a network for one face: what comes before and after it is written here, in onnxscript."""

import numpy as np
import torch
from onnx import compose
from onnxscript import FLOAT, INT64, script
from onnxscript import opset18 as op
from torch import Tensor, nn

from visavis.calibration import Calibration
from visavis.detectors.faster_rcnn.onnx_file import (
    BOXES,
    PHOTO,
    SCORES,
    bound,
    exported,
    finished,
    resized,
)
from visavis.detectors.single_face.network import DEVIATION, MEAN, SingleFace, upright

SQUARE = FLOAT[1, 3, "side", "side"]
SHARES, LOGITS = FLOAT[1, 4], FLOAT[1]


@script(default_opset=op)
def before(photo: PHOTO, side: INT64, mean: FLOAT[3, 1, 1], std: FLOAT[3, 1, 1]) -> tuple[SQUARE, FLOAT[4]]:
    """The photo as a normalised square, and what takes shares of it to the photo's pixels."""
    planes = resized(op.Transpose(op.Cast(photo, to=1), perm=[2, 0, 1]), side, side)
    square = op.Unsqueeze((planes / 255.0 - mean) / std, [0])
    sides = op.Gather(op.Cast(op.Shape(photo, end=2), to=1), [1, 0])
    back = op.Concat(sides, sides, axis=0)
    return square, back


@script(default_opset=op)
def after(
    shares: SHARES, logits: LOGITS, back: FLOAT[4], threshold: FLOAT, temperature: FLOAT, shift: FLOAT
) -> tuple[BOXES, SCORES]:
    """The box in the photo's pixels and its calibrated score, if that is high enough."""
    calibrated = op.Sigmoid(logits / temperature + shift)
    kept = op.Reshape(op.NonZero(calibrated >= threshold), [-1])
    boxes = op.Gather(shares * back, kept)
    scores = op.Gather(calibrated, kept)
    return boxes, scores


class _Answers(nn.Module):
    def __init__(self, model: SingleFace) -> None:
        super().__init__()
        self.model = model

    def forward(self, square: Tensor) -> tuple[Tensor, Tensor]:
        logits, corners = self.model.answers(square)
        return upright(corners), logits


def whole(model: SingleFace, calibration: Calibration, metadata: dict[str, str]) -> bytes:
    """The file's contents. model: as trained, on the CPU. metadata: what goes along."""
    beginning = bound(
        before,
        side=np.int64(model.side),
        mean=np.array(MEAN, np.float32).reshape(3, 1, 1),
        std=np.array(DEVIATION, np.float32).reshape(3, 1, 1),
    )
    end = bound(after, temperature=np.float32(calibration.temperature), shift=np.float32(calibration.shift))
    square = torch.zeros(1, 3, model.side, model.side)
    network = exported(_Answers(model), (square,), ["square"], ["shares", "logits"], None)
    network = compose.add_prefix(network, "network/", rename_inputs=False, rename_outputs=False)
    file = compose.merge_models(beginning, network, [("square", "square")], outputs=["shares", "logits", "back"])
    file = compose.merge_models(file, end, [(name, name) for name in ("shares", "logits", "back")])
    del file.opset_import[1:]  # merging repeats the one
    return finished(file, metadata)
