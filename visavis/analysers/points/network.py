"""The network of the 68 points: MobileNetV2 (Sandler et al. 2018) on a square around a face, and a map for each point.

From the features at a sixteenth of the crop's resolution, maps of a quarter of it are built with those of an eighth and
a quarter beside them (Lin et al., "Feature Pyramid Networks", 2017). Each point is the mean place of its map, which is
finer than the map's cells (Sun et al., "Integral Human Pose Regression", 2018; Nibali et al., "Numerical Coordinate
Regression with Convolutional Neural Networks", 2018). How far it may be off is estimated from the features where it
was found, as the scale of a Laplace distribution (Kumar et al., "LUVLi Face Alignment", 2020, has the likelihood).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from visavis import checkpoint
from visavis.analysers.points.keypoints_cnn import BLOCKS, DROPOUT, KeypointsCnn
from visavis.detectors.faster_rcnn.folding import folded
from visavis.errors import InputError
from visavis.training.initial import fetched, load_exactly, stored

POINTS = 68
SIDE = 112
"""Pixels of the square that the network is shown."""
MARGIN = 1.3
"""How many times as wide as the longer side of the face's box that square is: jaws and turned heads reach beyond it."""
CELL = 4
"""Pixels of the crop that a cell of the maps is wide."""
STAGES = (0, 2, 4, 7)
"""Modules of MobileNetV2 at which the stages begin that are used, up to `END`."""
END = 14
TAKEN = {"quarter": (3, 24), "eighth": (6, 32), "sixteenth": (13, 96)}
"""Whose features the maps are built of: the module after which they are taken, and their channels."""
WIDTH = 64
"""Channels of what the maps are built of."""
BELL = 0.9
"""Cells of the bell that a map should be around its point (standard deviation)."""
MAP_WEIGHT, SPREAD_WEIGHT = 0.5, 0.1
"""Of the loss of the maps' shapes and of the likelihood, beside that of the places, in cells."""
SHARPEST = 0.02
"""Cells: the smallest scale that it gives."""


class FacePoints(nn.Module):
    """Training: `model(images, targets)` is a dict of losses. Evaluation: a dict of points (N, 68, 2), x y in shares of
    the crop's side, and spreads (N, 68), how far off along an axis each is taken to be in the mean, in the same unit.

    images: (3, side, side) uint8 each, or all as (N, 3, side, side). targets: points (68, 2), NaN where nobody said.
    """

    outputs = ("points", "spreads")

    def __init__(self, body: nn.Module, side: int = SIDE, margin: float = MARGIN) -> None:
        super().__init__()
        self.side, self.margin, self.count = side, margin, POINTS
        self.design: dict[str, Any] = {}
        self.backbone: Any = body
        self.beside = nn.ModuleDict({name: nn.Conv2d(channels, WIDTH, 1) for name, (_, channels) in TAKEN.items()})
        self.mixed = nn.ModuleDict({name: _mix() for name in TAKEN})
        self.maps = nn.Conv2d(WIDTH, POINTS, 1)
        self.spreads = nn.Parameter(torch.zeros(POINTS, WIDTH + 1))
        for name, (_, channels) in TAKEN.items():
            nn.init.normal_(self.beside.get_parameter(f"{name}.weight"), std=channels**-0.5)
            nn.init.zeros_(self.beside.get_parameter(f"{name}.bias"))
        # Constants of the architecture, which no checkpoint holds.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None] * 255, persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None] * 255, persistent=False)

    def features(self, batch: Tensor) -> Tensor:
        """(N, WIDTH, side / 4, side / 4) of (N, 3, side, side) bytes."""
        seen = ((batch.float() - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)  # type: ignore[operator]
        taken: dict[str, Tensor] = {}
        for number, module in enumerate(self.backbone):
            seen = module(seen)
            taken |= {name: seen for name, (after, _) in TAKEN.items() if after == number}
        built = self.mixed["sixteenth"](self.beside["sixteenth"](taken["sixteenth"]))
        for name in ("eighth", "quarter"):
            larger = functional.interpolate(built, scale_factor=2.0, mode="nearest")
            built = self.mixed[name](larger + self.beside[name](taken[name]))
        return built

    def look(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log (N, 68, cells), logarithms of the maps; points (N, 68, 2) and scales (N, 68) in cells."""
        features = self.features(batch)
        log = self.maps(features).flatten(2).float().log_softmax(dim=2)
        maps = log.exp()
        grid = _grid(self.side // CELL, log.device)
        points = maps @ grid
        there = torch.einsum("nkp,nfp->nkf", maps, features.flatten(2).float())
        scales = (there * self.spreads[:, :-1]).sum(dim=2) + self.spreads[:, -1]
        return log, points, functional.softplus(scales) + SHARPEST

    def forward(self, images: Sequence[Tensor] | Tensor, targets: Sequence[dict[str, Any]] | None = None) -> Any:
        batch = images if isinstance(images, Tensor) else torch.stack([image.as_subclass(Tensor) for image in images])
        cells = self.side / CELL
        log, points, scales = self.look(batch)
        if not self.training:
            return {"points": points / cells, "spreads": scales / cells}
        assert targets is not None
        return losses(log, points, scales, torch.stack([target["points"] for target in targets]) * cells)


def losses(log: Tensor, points: Tensor, scales: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """log (N, K, cells): logarithms of the maps; points, truth (N, K, 2) and scales (N, K): in cells. Means over all
    points that are known and lie in the crop."""
    side = round(log.shape[2] ** 0.5)
    known = ((truth > 0) & (truth < side)).all(dim=2)  # NaN is neither
    truth = truth.where(known[..., None], torch.zeros_like(truth))
    count = known.sum().clamp(min=1)
    ticks = torch.arange(side, device=log.device) + 0.5
    across, down = (
        torch.exp(-((truth[..., axis, None] - ticks) ** 2) / (2 * BELL**2)) for axis in (0, 1)
    )  # each (N, K, side)
    across, down = (bell / bell.sum(dim=2, keepdim=True).clamp(min=1e-6) for bell in (across, down))
    square = log.unflatten(2, (side, side))
    unlike = -torch.einsum("nkyx,nky,nkx->nk", square, down, across)
    off = (points - truth).abs().sum(dim=2)
    likely = off.detach() / scales + 2 * scales.log()  # of two axes, each of the same scale
    means = {
        "loss_place": (off * known).sum() / count,
        "loss_map": MAP_WEIGHT * (unlike * known).sum() / count,
        "loss_spread": SPREAD_WEIGHT * (likely * known).sum() / count,
    }
    return means


def _grid(side: int, device: torch.device) -> Tensor:
    """(side * side, 2): x y of the cells' middles, row by row."""
    ticks = torch.arange(side, device=device, dtype=torch.float32) + 0.5
    return torch.stack([ticks.repeat(side), ticks.repeat_interleave(side)], dim=1)


def _mix() -> nn.Sequential:
    """A convolution in each channel, and one across them."""
    depthwise, across = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH), nn.Conv2d(WIDTH, WIDTH, 1)
    for layer in (depthwise, across):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)  # type: ignore[bad-argument-type]
    return nn.Sequential(depthwise, nn.ReLU6(inplace=True), across, nn.ReLU6(inplace=True))


def build_face_points(init: str, trainable_layers: int = 3, side: int = SIDE, margin: float = MARGIN) -> FacePoints:
    """init: `imagenet` (torchvision's MobileNetV2), `none` (random), or a path: a checkpoint of ours, or torchvision's
    .pth. trainable_layers: stages of the backbone that learn, counted from the output.

    Of weights that were trained before, the batch norms are folded into the convolutions. From random weights all
    stages learn, with their norms. Raises InputError for weights that are not to be had or do not fit.
    """
    if init.endswith(".safetensors"):
        model = of_checkpoint(*checkpoint.load(Path(init)), init)
        if not isinstance(model, FacePoints):
            raise InputError(f"{init} holds another network than face_points; give other weights")
    else:
        model = FacePoints(mobilenet_v2().features[:END], side, margin)
        if init == "none":
            return model
        weights = fetched(MobileNet_V2_Weights.IMAGENET1K_V1) if init == "imagenet" else stored(Path(init))
        used = tuple(f"features.{number}." for number in range(END))
        body = {name.removeprefix("features."): value for name, value in weights.items() if name.startswith(used)}
        load_exactly(model.backbone, body, init)
        model.backbone = folded(model.backbone)
    model.requires_grad_(True).train()
    for module in list(model.backbone)[: (*STAGES, END)[max(0, len(STAGES) - trainable_layers)]]:
        module.requires_grad_(False)
    return model


def build_keypoints_cnn(init: str, blocks: int | None = None, dropout: float | None = None) -> KeypointsCnn:
    """init: `none` (random), or the path of a checkpoint of ours. blocks, dropout: see KeypointsCnn; where None, its
    defaults. Raises InputError for weights that are not to be had or do not fit, and for another design than theirs."""
    if init == "none":
        return KeypointsCnn(BLOCKS if blocks is None else blocks, DROPOUT if dropout is None else dropout)
    if not init.endswith(".safetensors"):
        raise InputError(f"`init` {init}: keypoints_cnn starts from none or a .safetensors file that train.py wrote")
    model = of_checkpoint(*checkpoint.load(Path(init)), init)
    if not isinstance(model, KeypointsCnn) or blocks not in (None, model.design["blocks"]):
        raise InputError(f"{init} holds another network than the keypoints_cnn that is asked for; give other weights")
    if dropout is not None:
        again = KeypointsCnn(model.design["blocks"], dropout)
        again.load_state_dict(model.state_dict())
        model = again
    return model.requires_grad_(True).train()


def has_norms(model: nn.Module) -> bool:
    """Whether batch norms are left in it, which are folded into the convolutions otherwise."""
    return any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def of_checkpoint(weights: dict[str, Tensor], metadata: dict[str, Any], source: str) -> Any:
    """The network of a checkpoint as it was read. Raises InputError where it is of another kind or does not fit."""
    if metadata.get("kind") != "face_points":
        raise InputError(f"{source} holds a {metadata.get('arch')}, which finds no points of faces; give another file")
    if metadata["arch"] == "keypoints_cnn":
        model: Any = KeypointsCnn(**metadata["design"])
    else:
        model = FacePoints(mobilenet_v2().features[:END], metadata["side"], metadata["margin"])
        if not metadata["norms"]:
            model.backbone = folded(model.backbone)
    load_exactly(model, weights, source)
    return model.requires_grad_(False).eval()
