"""PyTorch as the back end of a trained network: on any device, in batches."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.image_list import ImageList

from visavis.boxes import clip
from visavis.calibration import Calibration
from visavis.detectors.faster_rcnn import second_stage
from visavis.detectors.faster_rcnn.folding import folded
from visavis.detectors.faster_rcnn.graph import LIKELY
from visavis.detectors.faster_rcnn.strides import settle
from visavis.detectors.faster_rcnn.trained import TrainedDetector
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import Picture

FLOATS = {"bf16": torch.bfloat16, "fp16": torch.float16}


def of_model(
    model: FasterRCNN,
    threshold: float,
    on: torch.device,
    calibration: Calibration = Calibration(),
    precision: str = "fp32",
) -> TrainedDetector:
    """The detector of a network as it is now: it is a copy, which later changes of `model` do not affect."""
    network = TorchNetwork(model, on, calibration, precision)
    return TrainedDetector(network, network.model.transform.sizing, threshold, calibration)


class TorchNetwork:
    """A folded copy of `model` on a device. Raises InputError for a precision that the device does not support."""

    at_once = 1

    def __init__(
        self, model: FasterRCNN, on: torch.device, calibration: Calibration = Calibration(), precision: str = "fp32"
    ) -> None:
        _check(precision, on)
        self.model = settle(folded(model)).to(on).to(memory_format=torch.channels_last)
        self.model.rpn.score_thresh = LIKELY
        self.device = on
        self.calibration = calibration
        self.runs = f"torch on {_named(on)}, {precision}"
        if precision != "fp32":
            _lower(self.model, on.type, FLOATS[precision])

    def find(self, pictures: list[Picture], threshold: float) -> list[Faces]:
        """See `Network` in trained.py. Only pictures of one shape share a batch: with padding to the shape of larger
        ones, a face at the edge would get a different box.
        """
        multiple = self.model.transform.size_divisible
        shapes = [tuple(-(-side // multiple) for side in picture.shape[:2]) for picture in pictures]
        found: dict[int, Faces] = {}
        for shape in dict.fromkeys(shapes):
            numbers = [number for number, one in enumerate(shapes) if one == shape]
            found |= zip(numbers, self._together([pictures[number] for number in numbers], threshold), strict=True)
        return [found[number] for number in range(len(pictures))]

    def _together(self, pictures: list[Picture], threshold: float) -> list[Faces]:
        tensors = [torch.tensor(picture, device=self.device).permute(2, 0, 1) for picture in pictures]
        with torch.inference_mode():
            found = self._run([tensor.float().div_(255) for tensor in tensors])
        return [self._faces(*each, threshold) for each in zip(found, pictures, strict=True)]

    def _run(self, pictures: list[Tensor]) -> list[dict[str, Tensor]]:
        """torchvision's forward pass without its resizing, and with another second stage."""
        transform = self.model.transform
        batch = transform.batch_images([transform.normalize(one) for one in pictures], transform.size_divisible)
        images = ImageList(batch, [(one.shape[1], one.shape[2]) for one in pictures])
        features = self.model.backbone(images.tensors.contiguous(memory_format=torch.channels_last))
        proposals, _ = self.model.rpn(images, features)
        return second_stage.finds(self.model.roi_heads, features, proposals, images.image_sizes)

    def _faces(self, found: dict[str, Tensor], picture: Picture, threshold: float) -> Faces:
        scores = self.calibration.apply(found["scores"].cpu().numpy().astype(np.float32))
        boxes = clip(found["boxes"].cpu().numpy(), (picture.shape[0], picture.shape[1]))
        return Faces(boxes, scores).above(threshold)


class _Lowered(nn.Module):
    """A part of a network that computes in 16 bits, where autocast considers that safe, and returns 32.

    Boxes are computed between the parts, and the 8 bits of bf16's mantissa cannot resolve half a pixel in a thousand.
    """

    def __init__(self, part: nn.Module, device: str, floats: torch.dtype) -> None:
        super().__init__()
        self.part, self.device, self.floats = part, device, floats

    def forward(self, *inputs: Any) -> Any:
        with torch.autocast(self.device, self.floats):
            return _floats(self.part(*inputs))


def _lower(model: FasterRCNN, device: str, floats: torch.dtype) -> None:
    for owner, name in (
        (model, "backbone"),
        (model.rpn, "head"),
        (model.roi_heads, "box_head"),
        (model.roi_heads, "box_predictor"),
    ):
        setattr(owner, name, _Lowered(getattr(owner, name), device, floats))


def _floats(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float()
    if isinstance(value, dict):
        return {name: _floats(one) for name, one in value.items()}
    return [_floats(one) for one in value]


def _named(on: torch.device) -> str:
    return f"{on} ({torch.cuda.get_device_name(on)})" if on.type == "cuda" else str(on)


def _check(precision: str, on: torch.device) -> None:
    if precision == "fp16" and on.type == "cpu":
        raise InputError("`precision` fp16: a CPU is no faster with it; give bf16 or fp32")
    if precision == "bf16" and on.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError(f"`precision` bf16: {torch.cuda.get_device_name(on)} does not support it; give fp16 or fp32")
