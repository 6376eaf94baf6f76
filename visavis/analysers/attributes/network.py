"""The networks: a square around a face goes in, a distribution or a number of each attribute comes out.

face_attributes is MobileNetV2 (Sandler et al. 2018) with a head for each attribute. Its age is a distribution over
years, whose mean is the answer (Rothe et al., "DEX", 2015; Gao et al., "Age Estimation Using Expectation of Label
Distribution Learning", 2018). The other networks of designs.py have one head each; the age of age_cnn is a number. A
face of which only a group of ages is known teaches that the answer lies within it. What nobody said of a face stays out
of the loss.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from visavis import checkpoint
from visavis.analysers.attributes.designs import DESIGNS, YEARS, Design
from visavis.detectors.faster_rcnn.folding import folded
from visavis.errors import InputError
from visavis.training.initial import fetched, load_exactly, stored

UNKNOWN = -1
"""Stands in a target for a label that is not known."""
MASK_WEIGHTS = (2.0, 4.0, 1.0)
"""Of worn, wrong and none in the loss: the first two are rare in every set."""
SPREAD = 2.5
"""Years by which labels of age are taken to be off (standard deviation)."""
PER_YEAR = 0.1
"""What a year that the answer is off costs, beside the distribution's own loss."""
AGE_WEIGHT = 0.5
"""Of the loss of age beside the others, which start at 1 and 0.7, and this one at 7."""
DECADE = 10.0
"""Years that the output of a network whose age is a number counts in, so that outputs and errors are about 1."""


class FaceAttributes(nn.Module):
    """Training: `model(images, targets)` is a dict of losses, as torchvision's detectors have it. Evaluation: a dict of
    (N, classes) probabilities, or of (N, 1) years.

    images: (3, side, side) uint8 each, or all as (N, 3, side, side). targets: mask and gender, the number of the class,
    and age_low and age_high, years; UNKNOWN for a label that is not known.
    predicts: as Design.heads. stages: numbers of the backbone's modules at which its stages begin.
    """

    stages: tuple[int, ...]

    def __init__(self, backbone: nn.Module, neck: nn.Module, features: int, design: Design, colours: Any) -> None:
        """neck: makes (N, features) of what the backbone gives. colours: (3, 2) mean and deviation of red, green and
        blue, 0 to 1, that the network is to see as 0 and 1."""
        super().__init__()
        self.predicts, self.side, self.margin = design.heads, design.side, design.margin
        self.backbone: Any = backbone
        self.neck = neck
        self.heads = nn.Linear(features, sum(self.predicts.values()))
        # Constants of the architecture, which no checkpoint holds.
        mean, deviation = (torch.tensor(colours).T * 255)[..., None, None]
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    def outputs(self, images: Sequence[Tensor] | Tensor) -> dict[str, Tensor]:
        """(N, classes) logits each, or (N, 1) years."""
        batch = images if isinstance(images, Tensor) else torch.stack([image.as_subclass(Tensor) for image in images])
        normal = (batch.float() - self.mean) / self.deviation  # type: ignore[operator]
        seen = self.neck(self.backbone(normal.contiguous(memory_format=torch.channels_last)))
        parts = self.heads(seen).split(list(self.predicts.values()), dim=1)
        return {
            name: part if count > 1 else part * DECADE
            for (name, count), part in zip(self.predicts.items(), parts, strict=True)
        }

    def forward(self, images: Sequence[Tensor] | Tensor, targets: Sequence[dict[str, Any]] | None = None) -> Any:
        given = self.outputs(images)
        if not self.training:
            return {name: some.softmax(dim=1) if self.predicts[name] > 1 else some for name, some in given.items()}
        assert targets is not None
        names = ("mask", "gender", "age_low", "age_high")
        return losses(given, {name: torch.stack([target[name] for target in targets]) for name in names})


def losses(given: dict[str, Tensor], truth: dict[str, Tensor]) -> dict[str, Tensor]:
    """What each head is wrong by: a mean over all pictures, of which those without a label count as nothing."""
    found = {}
    for name, outputs in given.items():
        outputs = outputs.float()
        if name == "age":
            known = truth["age_low"] >= 0
            bounds = truth["age_low"][known], truth["age_high"][known]
            number = outputs.shape[1] == 1
            wrong = (
                number_loss(outputs[known], *bounds) if number else AGE_WEIGHT * age_loss(outputs[known], *bounds)
            ).sum()
        else:
            weights = torch.tensor(MASK_WEIGHTS, device=outputs.device) if name == "mask" else None
            wrong = functional.cross_entropy(outputs, truth[name], weights, ignore_index=UNKNOWN, reduction="sum")
        found[f"loss_{name}"] = wrong / len(outputs)
    return found


def number_loss(years: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """(N,): how far (N, 1) years lie outside `low` to `high`, squared, in decades."""
    off = functional.relu(low - years[:, 0]) + functional.relu(years[:, 0] - high)
    return (off / DECADE) ** 2


def age_loss(logits: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """(N,): for each (N, YEARS) distribution, how unlikely it makes an age between `low` and `high`, years, and how far
    off its mean is. A known age is one whose bounds are equal; it is taken to be a little uncertain."""
    years = torch.arange(YEARS, device=logits.device, dtype=torch.float32)
    low, high = low.clamp(max=YEARS - 1), high.clamp(max=YEARS - 1)
    spread = torch.exp(-((years - low[:, None]) ** 2) / (2 * SPREAD**2))
    soft = spread / spread.sum(dim=1, keepdim=True)
    log = logits.log_softmax(dim=1)
    exact = -(soft * log).sum(dim=1)
    inside = (years >= low[:, None].floor()) & (years <= high[:, None].ceil())  # never empty, 30.2 to 30.8 neither
    group = -torch.where(inside, log, torch.full_like(log, -1e4)).logsumexp(dim=1)
    mean = (log.exp() * years).sum(dim=1)
    off = functional.relu(low - mean) + functional.relu(mean - high)
    return torch.where(low == high, exact, group) + PER_YEAR * off


def build(arch: str, init: str, trainable_layers: int = 3) -> FaceAttributes:
    """One of `DESIGNS`. init: `imagenet` (torchvision's MobileNetV2), `none` (random), or a path: a checkpoint of ours
    of the same arch, or torchvision's .pth. trainable_layers: stages that learn, counted from the output.

    Of weights that were trained before, the batch norms are folded into the convolutions: that is a third less work in
    training, and what a picture teaches does not depend on those beside it. From random weights all stages learn, with
    their norms. Raises InputError for weights that are not to be had or do not fit.
    """
    if init.endswith(".safetensors"):
        weights, known = checkpoint.load(Path(init))
        if known.get("arch") != arch:
            raise InputError(f"`init` {init} holds a {known.get('arch')}, not a {arch}; give another file, or none")
        model = of_checkpoint(weights, known, init)
    else:
        model = _random(arch, DESIGNS[arch])
        if init == "none":
            return model
        if arch not in MOBILE:
            raise InputError(f"`init` {init}: there are no such weights for {arch}; give none, or a checkpoint of it")
        source = MobileNet_V2_Weights.IMAGENET1K_V1
        weights = fetched(source) if init == "imagenet" else stored(Path(init))
        # A classifier's last layer is for other classes.
        load_exactly(model.backbone, {name.removeprefix("features."): value for name, value in weights.items()
                                      if name.startswith("features.")}, init)  # fmt: skip
        model.backbone = folded(model.backbone)
    model.requires_grad_(True).train()
    parts = list(model.backbone)
    for module in parts[: (*model.stages, len(parts))[max(0, len(model.stages) - trainable_layers)]]:
        module.requires_grad_(False)
    return model


MOBILE = ("face_attributes", "mask_mobilenet_v2")
"""Those that begin with MobileNetV2."""
IMAGENET = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
PLAIN = ((0.0, 1.0),) * 3


def _random(arch: str, design: Design) -> FaceAttributes:
    if arch not in MOBILE:
        model = _small(design)
    else:
        net = mobilenet_v2()
        pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        if arch == "face_attributes":
            neck, features = nn.Sequential(pooled, nn.Dropout(0.2)), net.last_channel
        else:
            neck, features = nn.Sequential(pooled, nn.Linear(net.last_channel, 128), nn.ReLU(), nn.Dropout(0.5)), 128
        model = FaceAttributes(net.features, neck, features, design, IMAGENET)
        model.stages = (0, 2, 4, 7, 14)  # each but the last at half the resolution of the one before
    if design.heads.get("age") == 1:
        nn.init.constant_(model.heads.bias, 30 / DECADE)  # about the middle of all ages
    return model


def _small(design: Design) -> FaceAttributes:
    layers: list[nn.Module] = []
    side, channels = design.side, 3
    for features, kernel in ((16, 5), (32, 3), (64, 3)):
        layers += [nn.Conv2d(channels, features, kernel), nn.ReLU(), nn.MaxPool2d(2)]
        side, channels = (side - kernel + 1) // 2, features
    neck = nn.Sequential(nn.Dropout(0.2), nn.Flatten(), nn.Linear(channels * side**2, 64), nn.ReLU())
    model = FaceAttributes(nn.Sequential(*layers), neck, 64, design, PLAIN)
    model.stages = (0, 3, 6)
    return model


def has_norms(model: nn.Module) -> bool:
    """Whether batch norms are left in it, which are folded into the convolutions otherwise."""
    return any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def of_checkpoint(weights: dict[str, Tensor], metadata: dict[str, Any], source: str) -> FaceAttributes:
    """The network of a checkpoint as it was read. Raises InputError where it is of another kind or does not fit."""
    if metadata.get("kind") != "face_attributes" or metadata.get("arch") not in DESIGNS:
        raise InputError(f"{source} holds a {metadata.get('arch')}, not one of {', '.join(DESIGNS)}; give another file")
    like = DESIGNS[metadata["arch"]]
    design = replace(like, heads=metadata["heads"], side=metadata["side"], margin=metadata["margin"])
    model = _random(metadata["arch"], design)
    if has_norms(model) and not metadata["norms"]:
        model.backbone = folded(model.backbone)
    load_exactly(model, weights, source)
    return model.requires_grad_(False).eval()
