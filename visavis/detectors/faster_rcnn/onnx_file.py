"""A detector as one ONNX file: a photo of any size goes in, the faces in that photo's pixels come out.

Inputs: `photo` (height, width, 3) uint8 RGB; `threshold` () float32, the score from which on a find is returned;
`size` (2,) int64, pixels that the photo's shorter side has in the network, and its longer side at most. Outputs:
`boxes` (N, 4) float32 x1 y1 x2 y2 and `scores` (N,) float32, highest score first; none for a picture without faces. The
metadata under the key `visavis` are JSON, and say the detector's own threshold and size.

One file for everything, rather than a network with programs around it: whoever runs it in C++ or on a telephone has
nothing to write anew, and nothing to get wrong. The network (graph.py) is exported from PyTorch; what
comes before and after it is written here, for torch's shapes are not data and a photo's are.
"""

import warnings
from typing import Any

import numpy as np
import onnx
import torch
from onnx import compose, inliner, numpy_helper
from onnxscript import FLOAT, INT64, UINT8, script
from onnxscript import opset18 as op
from torch import nn
from torch.export import Dim
from torchvision.models.detection import FasterRCNN

from visavis.calibration import Calibration
from visavis.detectors.faster_rcnn.graph import Graph
from visavis.detectors.faster_rcnn.strides import settle

OPSET, IR = 18, 10
LARGE = 1024
"""Weights of at least so many numbers are stored in 16 bits where that loses nothing."""
LARGEST = 1e4
"""How many times a picture may be enlarged where there is no limit."""

PHOTO, PICTURE = UINT8["height", "width", 3], FLOAT[1, 3, "H", "W"]
FOUND, RAW = FLOAT["rows", 4], FLOAT["rows"]
BOXES, SCORES = FLOAT["faces", 4], FLOAT["faces"]

# Parts of the file, in onnxscript, which reads the functions and never runs them.


@script(default_opset=op)
def weights(old: INT64, new: INT64) -> FLOAT[...]:
    """(new, old): how much of each old row is in each new one, by a triangle as wide as needed: Pillow's BILINEAR.

    In whole numbers of which 2**22 are the whole, as Pillow has them; worked out in 64 bits, as there, for 32 would
    round some of them the other way.
    """
    targets = op.Unsqueeze(op.Range(0, new, 1) * 2 + 1, [1]) * old  # both in halves of an old row, times `new`
    sources = (op.Range(0, old, 1) * 2 + 1) * new
    triangle = op.Cast(op.Max(op.Max(old, new) * 2 - op.Abs(sources - targets), 0), to=11)
    shares = triangle / op.ReduceSum(triangle, [1]) * op.Cast(4194304.0, to=11)
    return op.Cast(op.Floor(shares + op.Cast(0.5, to=11)), to=1)


@script(default_opset=op)
def resized(planes: FLOAT[...], height: INT64, width: INT64) -> FLOAT[...]:
    """(3, height, width), rounded to whole grey levels after either direction: Pillow's pixels, ties and all.

    A float holds 24 bits, and Pillow's sums have 30: they are done in two halves of the weights, each exact.
    ONNX has an operation for it, Resize with `antialias`; but OpenVINO pays no heed to that, and ONNX Runtime is off
    by up to ten grey levels along the edges (measured).
    """
    across = op.Transpose(weights(op.Gather(op.Shape(planes), 2), width), perm=[1, 0])
    across_high = op.Floor(across / 2048.0)
    across_low = op.Floor(op.MatMul(planes, across - across_high * 2048.0) / 2048.0)
    narrow = op.Floor((op.MatMul(planes, across_high) + across_low + 1024.0) / 2048.0)
    down = weights(op.Gather(op.Shape(planes), 1), height)
    down_high = op.Floor(down / 2048.0)
    down_low = op.Floor(op.MatMul(down - down_high * 2048.0, narrow) / 2048.0)
    return op.Floor((op.MatMul(down_high, narrow) + down_low + 1024.0) / 2048.0)


@script(default_opset=op)
def before(
    photo: PHOTO,
    size: INT64[2],
    enlarge: FLOAT,
    mean: FLOAT[3, 1, 1],
    std: FLOAT[3, 1, 1],
    multiple: INT64,
) -> tuple[PICTURE, FLOAT[2], FLOAT[4]]:
    """The photo at the size that `Sizing` gives it, normalised and padded as torchvision does; that size; and what
    takes boxes back to the photo's pixels."""
    sides = op.Shape(photo, end=2)
    by_shorter = sides * op.Gather(size, 0) / op.ReduceMin(sides, keepdims=0)
    by_longest = sides * op.Gather(size, 1) / op.ReduceMax(sides, keepdims=0)
    by_enlarging = op.Cast(op.Floor(op.Cast(sides, to=1) * enlarge), to=7)
    wanted = op.Max(op.Min(by_shorter, by_longest, by_enlarging), 1)
    planes = op.Transpose(op.Cast(photo, to=1), perm=[2, 0, 1])
    as_it_is = op.Cast(op.ReduceMin(op.Cast(op.Equal(wanted, sides), to=7), keepdims=0), to=9)
    if as_it_is:  # noqa: SIM108 (ONNX has it as an operation of two graphs)
        small = op.Identity(planes)
    else:
        small = resized(planes, op.Gather(wanted, 0), op.Gather(wanted, 1))
    normal = (small / 255.0 - mean) / std
    missing = op.Mod(op.Neg(wanted), multiple)
    picture = op.Unsqueeze(op.Pad(normal, op.Concat([0, 0, 0, 0], missing, axis=0)), [0])
    seen = op.Cast(wanted, to=1)
    ratio = op.Gather(op.Cast(sides, to=1) / seen, [1, 0])
    back = op.Concat(ratio, ratio, axis=0)
    return picture, seen, back


@script(default_opset=op)
def after(
    found: FOUND,
    raw: RAW,
    back: FLOAT[4],
    threshold: FLOAT,
    temperature: FLOAT,
    shift: FLOAT,
    most: INT64[1],
) -> tuple[BOXES, SCORES]:
    """Calibrated scores from the threshold on, and their boxes in the photo's pixels. Rows that only fill their place
    have a raw score below 0."""
    real = op.Max(raw, 0.0)
    calibrated = op.Sigmoid((op.Log(real) - op.Log(1.0 - real)) / temperature + shift)
    counts = op.And(raw > 0.0, calibrated >= threshold)
    kept = op.Slice(op.Reshape(op.NonZero(counts), [-1]), [0], most)
    boxes = op.Gather(found, kept) * back
    scores = op.Gather(calibrated, kept)
    return boxes, scores


def whole(model: FasterRCNN, calibration: Calibration, metadata: dict[str, str]) -> bytes:
    """The file's contents. model: as trained, on the CPU. metadata: what goes along."""
    transform = model.transform
    sizing = transform.sizing
    beginning = bound(
        before,
        enlarge=np.float32(min(sizing.enlarge, LARGEST)),
        mean=np.float32(transform.image_mean).reshape(3, 1, 1),
        std=np.float32(transform.image_std).reshape(3, 1, 1),
        multiple=np.int64(sizing.multiple),
    )
    end = bound(
        after,
        temperature=np.float32(calibration.temperature),
        shift=np.float32(calibration.shift),
        most=np.array([model.roi_heads.detections_per_img]),
    )
    passed = [("picture", "picture"), ("seen", "seen")]
    file = compose.merge_models(beginning, _network(model), passed, outputs=["found", "raw", "back"])
    file = compose.merge_models(file, end, [(name, name) for name in ("found", "raw", "back")])
    del file.opset_import[1:]  # merging repeats the one
    return finished(file, metadata)


def exported(
    network: nn.Module, example: tuple[torch.Tensor, ...], inputs: list[str], outputs: list[str], dynamic_shapes: Any
) -> onnx.ModelProto:
    """The graph of a network, whose activations no longer work in place: torch would decompose each of those with
    symbolic shapes, which takes as long as all the rest. dynamic_shapes: as torch.onnx.export has them."""
    for module in network.eval().modules():
        if isinstance(module, nn.Hardtanh | nn.ReLU | nn.Hardswish | nn.Hardsigmoid):
            module.inplace = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torchvision registers the shape of nms by an old name
        program = torch.onnx.export(
            network,
            example,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=dynamic_shapes,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # it is None where a file is written
    file = program.model_proto
    file.ir_version = IR
    del file.graph.value_info[:]  # some are of tensors without a type
    return file


def finished(file: onnx.ModelProto, metadata: dict[str, str]) -> bytes:
    """The contents of the file of a network: checked, as small as it can be, and with nothing of this machine."""
    file.graph.name = "visavis"
    _shrink(file)
    _forget_origins(file.graph)
    del file.metadata_props[:]
    onnx.checker.check_model(file, full_check=True)
    entries = [onnx.StringStringEntryProto(key=key, value=value) for key, value in metadata.items()]
    # Appended, which protobuf allows: at the file's end it is read without a package for it.
    return file.SerializeToString() + onnx.ModelProto(metadata_props=entries).SerializeToString()


def _forget_origins(graph: onnx.GraphProto) -> None:
    """torch's exporter notes at each node from which lines of which files of this machine it comes: nobody's matter."""
    for one in (*graph.node, *graph.value_info, *graph.input, *graph.output):
        del one.metadata_props[:]


def _network(model: FasterRCNN) -> onnx.ModelProto:
    """The graph of the network. Batch norms stay: to fold them is the runtimes' first step, and without it the weights
    are those of the checkpoint, bit for bit."""
    network = exported(
        Graph(settle(model)),
        (torch.rand(1, 3, 256, 384), torch.tensor([250.0, 380.0])),
        ["picture", "seen"],
        ["found", "raw"],
        ({2: Dim.DYNAMIC, 3: Dim.DYNAMIC}, None),
    )
    # Of the candidates, most only fill their place: with a least score, they are not held against each other at all.
    proposals = next(node for node in network.graph.node if node.op_type == "NonMaxSuppression")
    network.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "least"))
    proposals.input.append("least")
    return compose.add_prefix(network, "network/", rename_inputs=False, rename_outputs=False)


def bound(function: Any, **values: Any) -> onnx.ModelProto:
    """A script as a model, its calls resolved, in which some inputs are constants."""
    part = inliner.inline_local_functions(function.to_model_proto(ir_version=IR, opset_version=OPSET))
    inputs = [value for value in part.graph.input if value.name not in values]
    del part.graph.input[:]
    part.graph.input.extend(inputs)
    for node in part.graph.node:
        if node.op_type == "CastLike":  # a literal, which is of the right type here; ONNX Runtime warns of some
            node.op_type = "Identity"
            del node.input[1:]
    part.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in values.items())
    return compose.add_prefix(part, f"{function.name}/", rename_inputs=False, rename_outputs=False)


def _shrink(file: onnx.ModelProto) -> None:
    """Store large weights in 16 bits where those hold them exactly, which is so where the checkpoint had 16."""
    casts = []
    for tensor in file.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < LARGE or not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}/half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}/half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *file.graph.node]
    del file.graph.node[:]
    file.graph.node.extend(nodes)
