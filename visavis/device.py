"""Which processor the network runs on."""

import os
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from visavis.errors import InputError
from visavis.extras import needed
from visavis.messages import say

if TYPE_CHECKING:
    import torch


def choose(name: str = "auto") -> tuple["torch.device", str]:
    """The device that `name` asks for, and the reason in a sentence.

    name: `auto` (a CUDA GPU where torch sees one, else the CPU), or any torch device such as `cuda:1`, `mps`.
    Raises InputError if it is not available.
    """
    torch: Any = needed("torch", f"device {name}", "pip install 'visavis[train]'")
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda"), f"cuda ({torch.cuda.get_device_name()})"
        if shutil.which("nvidia-smi"):
            return torch.device("cpu"), "cpu (nvidia-smi is here but torch sees no GPU: is the driver too old for it?)"
        if torch.backends.mps.is_available():
            return torch.device("cpu"), "cpu (no CUDA GPU; try --device mps for this Mac's)"
        return torch.device("cpu"), "cpu (torch sees no GPU)"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch raises either for a device that is not there
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise InputError(f"`device` {name}: {reason}; try `device` auto") from None
    return device, f"{device} (as asked)"


def named(name: str = "auto") -> tuple[str, str]:
    """The device that `name` asks for, and the reason in a sentence; without torch, that is the CPU. For the CPU, torch
    is not loaded.

    Raises InputError if it is not available.
    """
    if name == "cpu":
        return "cpu", "cpu (as asked)"
    if name == "auto" and find_spec("torch") is None:
        return "cpu", "cpu (torch is not installed)"
    device, why = choose(name)
    return str(device), why


def gpu() -> bool:
    """Whether a CUDA GPU may be here: if not, torch need not be loaded to be asked."""
    return shutil.which("nvidia-smi") is not None or any(map(os.path.exists, ("/dev/nvidiactl", "/dev/kfd")))


def only_cpu(detector: str, name: str) -> None:
    """Say, if another device is given by name, that this detector runs on the CPU all the same."""
    if name not in ("auto", "cpu"):
        say(f"{detector} runs on the CPU only, not on {name}")
