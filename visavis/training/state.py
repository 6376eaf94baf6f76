"""The training state on disk, with the state of this process's random number generators."""

import io
import random
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from visavis.errors import InputError
from visavis.files import replaced

NAME = "state.pt"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a training state atomically (temporary file, fsync, rename)."""
    stream = io.BytesIO()  # torch.save needs to seek; and a full disk is noticed before the old state is replaced
    torch.save(state | {"random": _random()}, stream)
    with replaced(path, "wb") as file:
        file.write(stream.getbuffer())


def load(path: Path) -> dict[str, Any]:
    """Read a training state onto the CPU, without running code from the file, and restore the random generators.

    Raises InputError for any other file.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError, EOFError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"{path} is not a training state that can be loaded safely: {reason}") from None
    if not isinstance(state, dict) or "random" not in state:
        raise InputError(f"{path} is not a training state; start a new run with another `out`")
    _put_back(state.pop("random"))
    return state


def clear_torn(folder: Path) -> None:
    """Remove the temporary files in `folder` of a process that was killed while it wrote."""
    for path in folder.glob(".visavis-*.tmp"):
        path.unlink()


def _random() -> dict[str, Any]:
    version, numbers, gauss = random.getstate()
    name, keys, place, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [name, torch.from_numpy(np.asarray(keys, np.int64)), place, has_gauss, cached],
        "python": [version, list(numbers), gauss],
    }


def _put_back(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
