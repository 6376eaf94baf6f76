"""Weights on disk: a .safetensors file that carries all that is needed to use them.

The header holds the metadata as JSON under one key; reading a checkpoint runs no code of the file's.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.errors import InputError
from visavis.files import replaced

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

SHIPPED = Path(__file__).with_name("weights") / "mobilenet_v2_slim_fpnlite.safetensors"
"""The checkpoint of the detector that comes with visavis."""

KEY = "visavis"
"""The safetensors metadata entry (strings only) that our JSON lies under."""


def save(path: Path, weights: "dict[str, torch.Tensor]", metadata: dict[str, Any], half: bool = False) -> None:
    """Write a checkpoint; under its name it is always whole (temporary file, fsync, rename).

    metadata: at least `arch`; see docs/checkpoints.md for the rest. half: store floats in 16 bit.
    """
    import torch
    from safetensors.torch import save as to_bytes

    def stored(tensor: torch.Tensor) -> torch.Tensor:
        small = tensor.half() if half and tensor.is_floating_point() else tensor
        return small.detach().cpu().contiguous()

    data = to_bytes({name: stored(tensor) for name, tensor in weights.items()}, {KEY: json.dumps(metadata)})
    with replaced(path, "wb") as file:
        file.write(data)


def load(path: Path) -> "tuple[dict[str, torch.Tensor], dict[str, Any]]":
    """The weights (floats as float32) and the metadata. Raises InputError unless it is one of our checkpoints."""
    from safetensors import safe_open

    known = metadata(path)
    with safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}, known


def arrays(path: Path) -> "dict[str, NDArray[Any]]":
    """The tensors as they are stored, without torch. Raises InputError unless it is one of our checkpoints."""
    from safetensors import safe_open

    metadata(path)
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)


def metadata(path: Path) -> dict[str, Any]:
    """The metadata alone, without torch. Raises InputError unless it is one of our checkpoints."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InputError(f"no weights at {path}; give the path of a .safetensors file that train.py wrote")
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get(KEY)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a checkpoint (.safetensors): {error}") from None
    if text is None:
        raise InputError(f"{path} is a .safetensors file without visavis metadata; give one that train.py wrote")
    return json.loads(text)


def fingerprint(path: Path) -> str:
    """The SHA-256 of the file: files that are made of a checkpoint bear it, and are made anew when it changes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def relabel(path: Path, metadata: dict[str, Any]) -> None:
    """Give the checkpoint at `path` other metadata; its tensors stay as they are stored, 16 bit or 32."""
    save_arrays(path, arrays(path), metadata)


def save_arrays(path: Path, weights: "dict[str, NDArray[Any]]", metadata: dict[str, Any]) -> None:
    """As `save`, of numpy arrays, as they are."""
    from safetensors.numpy import save as to_bytes

    data = to_bytes(weights, {KEY: json.dumps(metadata)})
    with replaced(path, "wb") as file:
        file.write(data)
