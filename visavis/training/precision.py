"""How exact and how fast the arithmetic is: 16 or 32 bits, compiled or not, the same each time or not."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch
from torch import nn

from visavis.errors import InputError

Precision = Literal["auto", "fp32", "bf16", "fp16"]


def choose(name: Precision, on: torch.device) -> tuple[str, str]:
    """The precision that `name` asks for on that device, and why. Raises InputError where it is not to be had."""
    if name == "auto":
        if on.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", "bf16 where torch's autocast holds it safe; the weights stay fp32"
        return "fp32", f"fp32 (auto takes bf16 only on a CUDA GPU that has it; this is {on})"
    if name == "fp16" and on.type != "cuda":
        raise InputError(f"`precision` fp16 needs a CUDA GPU, for its small numbers need loss scaling; {on} has bf16")
    if name == "bf16" and on.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError(f"`precision` bf16: {torch.cuda.get_device_name(on)} has none; give fp16 or fp32")
    return name, f"{name} (as asked)"


def autocast(precision: str, on: torch.device) -> AbstractContextManager[object]:
    """The context in which a network is run at that precision."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(on.type, torch.bfloat16 if precision == "bf16" else torch.float16)


def compile_backbone(backbone: nn.Module, on: torch.device) -> None:
    """Have torch compile the part of the network whose shapes are its input's alone; the rest runs as it is.

    Raises InputError where torch cannot compile here, at once rather than at the first step.
    """
    backbone.compile()
    training = backbone.training
    backbone.eval()  # its norms are to learn nothing from this
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            backbone(torch.zeros(1, 3, 64, 64, device=on))
    except (RuntimeError, OSError) as error:  # no C++ compiler, no Triton, a graph that breaks its back end
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"`compile`: torch cannot compile here ({reason}); leave it out") from None
    backbone.train(training)


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Within, where wanted, torch uses only what gives the same bits each time, and raises for what does not."""
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
