"""The precision and speed of the arithmetic: 16 or 32 bits, compiled or not, deterministic or not."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from visavis.errors import InputError
from visavis.options import TrainingPrecision


def choose(name: TrainingPrecision, on: torch.device) -> tuple[str, str]:
    """The precision that `name` means on that device, and why. Raises InputError if the device does not have it."""
    if name == "auto":
        if on.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", "bf16 where torch's autocast considers it safe; the weights stay fp32"
        return "fp32", f"fp32 (auto uses bf16 only on a CUDA GPU that supports it; this is {on})"
    if name == "fp16" and on.type != "cuda":
        raise InputError(f"`precision` fp16 needs a CUDA GPU, because it needs loss scaling; give bf16 on {on}")
    if name == "bf16" and on.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError(f"`precision` bf16: {torch.cuda.get_device_name(on)} does not support it; give fp16 or fp32")
    return name, f"{name} (as asked)"


def autocast(precision: str, on: torch.device) -> AbstractContextManager[object]:
    """The context in which a network runs at that precision."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(on.type, torch.bfloat16 if precision == "bf16" else torch.float16)


def compile_backbone(backbone: nn.Module, on: torch.device) -> None:
    """Have torch compile the part of the network whose shapes depend on the input's shape alone.

    Raises InputError if torch cannot compile here: now, rather than at the first step.
    """
    backbone.compile()
    training = backbone.training
    backbone.eval()  # its norms must not learn from this
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            backbone(torch.zeros(1, 3, 64, 64, device=on))
    except (RuntimeError, OSError) as error:  # no C++ compiler, no Triton, a graph that breaks its back end
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"`compile`: torch cannot compile here ({reason}); leave it out") from None
    backbone.train(training)


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """A context in which torch, if `wanted`, uses only deterministic operations, and raises for any other."""
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it is first used
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
