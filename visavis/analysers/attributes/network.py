"""The network: MobileNetV2 (Sandler et al. 2018) on a square around a face, with a head for each attribute.

Age is a distribution over years, whose mean is the answer (Rothe et al., "DEX", 2015; Gao et al., "Age Estimation Using
Expectation of Label Distribution Learning", 2018). A face of which only a group of ages is known teaches that the
answer lies within it. What nobody said of a face stays out of the loss.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from visavis import checkpoint
from visavis.data.attributes import GENDERS, MASKS
from visavis.detectors.faster_rcnn.folding import folded
from visavis.errors import InputError
from visavis.training.initial import fetched, load_exactly, stored

YEARS = 101
"""Ages from 0 to 100; who is older is taken for 100."""
HEADS = {"mask": len(MASKS), "age": YEARS, "gender": len(GENDERS)}
"""Name -> how many numbers it gives."""
SIDE = 96
"""Pixels of the square that the network is shown."""
MARGIN = 1.05
"""How many times as wide as the face's box that square is."""
UNKNOWN = -1
"""What stands in a target where nobody said."""
MASK_WEIGHTS = (2.0, 4.0, 1.0)
"""Of worn, wrong and none in the loss: the first two are rare in every set."""
SPREAD = 2.5
"""Years by which labels of age are taken to be off (standard deviation)."""
PER_YEAR = 0.1
"""What a year that the answer is off costs, beside the distribution's own loss."""
AGE_WEIGHT = 0.5
"""Of the loss of age beside the others, which start at 1 and 0.7, and this one at 7."""


class FaceAttributes(nn.Module):
    """Training: `model(images, targets)` is a dict of losses, as torchvision's detectors have it. Evaluation: a dict of
    probabilities, (N, classes) each.

    images: (3, side, side) uint8 each, or all as (N, 3, side, side). targets: mask and gender, the number of the class,
    and age_low and age_high, years; UNKNOWN where nobody said.
    """

    def __init__(self, body: nn.Module, features: int, side: int, margin: float, dropout: float) -> None:
        super().__init__()
        self.side, self.margin = side, margin
        self.backbone: Any = body
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.Linear(features, sum(HEADS.values()))
        # Constants of the architecture, which no checkpoint holds.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None] * 255, persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None] * 255, persistent=False)

    def logits(self, images: Sequence[Tensor] | Tensor) -> dict[str, Tensor]:
        """(N, classes) each."""
        batch = images if isinstance(images, Tensor) else torch.stack([image.as_subclass(Tensor) for image in images])
        normal = (batch.float() - self.mean) / self.deviation  # type: ignore[operator]
        seen = self.backbone(normal.contiguous(memory_format=torch.channels_last)).mean(dim=(2, 3))
        return dict(zip(HEADS, self.heads(self.dropout(seen)).split(list(HEADS.values()), dim=1), strict=True))

    def forward(self, images: Sequence[Tensor] | Tensor, targets: Sequence[dict[str, Any]] | None = None) -> Any:
        logits = self.logits(images)
        if not self.training:
            return {name: some.softmax(dim=1) for name, some in logits.items()}
        assert targets is not None
        names = ("mask", "gender", "age_low", "age_high")
        return losses(logits, {name: torch.stack([target[name] for target in targets]) for name in names})


def losses(logits: dict[str, Tensor], truth: dict[str, Tensor]) -> dict[str, Tensor]:
    """What each head is wrong by: a mean over all pictures, of which those without a label count as nothing."""
    count = len(logits["age"])
    weights = torch.tensor(MASK_WEIGHTS, device=logits["mask"].device)
    mask = functional.cross_entropy(
        logits["mask"].float(), truth["mask"], weights, ignore_index=UNKNOWN, reduction="sum"
    )
    gender = functional.cross_entropy(logits["gender"].float(), truth["gender"], ignore_index=UNKNOWN, reduction="sum")
    known = truth["age_low"] >= 0
    age = age_loss(logits["age"].float()[known], truth["age_low"][known], truth["age_high"][known]).sum()
    return {"loss_mask": mask / count, "loss_age": AGE_WEIGHT * age / count, "loss_gender": gender / count}


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


STAGES = (0, 2, 4, 7, 14)
"""Modules of MobileNetV2 at which its stages begin, each but the last at half the resolution of the one before."""


def build(init: str, trainable_layers: int = 3, side: int = SIDE, margin: float = MARGIN) -> FaceAttributes:
    """init: `imagenet` (torchvision's MobileNetV2), `none` (random), or a path: a checkpoint of ours, or torchvision's
    .pth. trainable_layers: stages that learn, counted from the output.

    Of weights that were trained before, the batch norms are folded into the convolutions: that is a third less work in
    training, and what a picture teaches does not depend on those beside it. From random weights all stages learn, with
    their norms. Raises InputError for weights that are not to be had or do not fit.
    """
    if init.endswith(".safetensors"):
        model = of_checkpoint(*checkpoint.load(Path(init)), init)
    else:
        net = mobilenet_v2()
        model = FaceAttributes(net.features, net.last_channel, side, margin, dropout=0.2)
        if init == "none":
            return model
        source = MobileNet_V2_Weights.IMAGENET1K_V1
        weights = fetched(source) if init == "imagenet" else stored(Path(init))
        # A classifier's last layer tells other things.
        load_exactly(model.backbone, {name.removeprefix("features."): value for name, value in weights.items()
                                      if name.startswith("features.")}, init)  # fmt: skip
        model.backbone = folded(model.backbone)
    model.requires_grad_(True).train()
    for module in list(model.backbone)[: (*STAGES, len(model.backbone))[max(0, len(STAGES) - trainable_layers)]]:
        module.requires_grad_(False)
    return model


def has_norms(model: nn.Module) -> bool:
    """Whether batch norms are left in it, which are folded into the convolutions otherwise."""
    return any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def of_checkpoint(weights: dict[str, Tensor], metadata: dict[str, Any], source: str) -> FaceAttributes:
    """The network of a checkpoint as it was read. Raises InputError where it is of another kind or does not fit."""
    if metadata.get("kind") != "face_attributes":
        raise InputError(f"{source} holds a {metadata.get('arch')}, not a face_attributes; give another file")
    model = build("none", 0, metadata["side"], metadata["margin"])
    if not metadata["norms"]:
        model.backbone = folded(model.backbone)
    load_exactly(model, weights, source)
    return model.requires_grad_(False).eval()
