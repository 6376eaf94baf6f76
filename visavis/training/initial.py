"""Weights to begin with, from torchvision or from a file, put into a network: every name and shape has to be right."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from visavis import checkpoint
from visavis.errors import InputError

Weights = dict[str, Tensor]


def fetched(weights: Any) -> Weights:
    """torchvision's weights from its cache or the web. Raises InputError if they cannot be fetched."""
    name = Path(urlparse(weights.url).path).name
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        state: Weights = weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError, UnpicklingError) as error:  # no network, a wrong hash, a damaged file
        reason = str(error).strip().split("\n")[0]
        shipped = checkpoint.metadata(checkpoint.SHIPPED)["arch"]
        raise InputError(
            f"cannot get {name} ({reason}); start from the weights that come with visavis, which need no network: "
            f"`arch` {shipped} with `init` shipped. Or put {name} into {folder} (it is at {weights.url}), or pass the "
            "path of another file of weights, or none, as `init`"
        ) from None
    return state


def stored(path: Path) -> Weights:
    """The weights of a .pth file, read without running any code of the file's. Raises InputError."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(
            f"no weights at {path}, nor are there any of that name for this architecture; give another `init`"
        ) from None
    except (OSError, RuntimeError, UnpicklingError, EOFError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"{path} is no file of weights that can be loaded safely: {reason}") from None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise InputError(f"{path} holds no table of weights (a state dict)")
    return weights


def load_exactly(module: nn.Module, weights: Weights, source: str, assign: bool = False) -> None:
    """Load with every name and shape right, but for the batch counters of norms that are frozen here. Weights that are
    not finite are refused: such a network finds nothing, and says nothing.

    assign: the module takes the tensors themselves, not their values."""
    known = module.state_dict().keys()
    weights = {name: value for name, value in weights.items() if name in known or "num_batches_tracked" not in name}
    broken = next((name for name, value in weights.items() if not value.isfinite().all()), None)
    if broken is not None:
        raise InputError(f"{source} is damaged: {broken} holds values that are no finite numbers; take another")
    try:
        module.load_state_dict(weights, assign=assign)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).split("\n") if line.strip()]
        raise InputError(f"{source} does not fit this architecture: {' '.join(lines[1:3])[:300]}") from None
