"""Time and memory of a training step on a CPU, measured on one item of a batch before the training begins."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visavis.messages import counted, say
from visavis.training.draws import Draws

SLOW = 10.0
"""If a step takes more seconds than this, a lighter network is suggested."""
LONG = 3.0
"""If one item takes more seconds than this, the time to compile kernels is negligible."""
COPIES = 5
"""Copies of a weight that training holds: the weight, its gradient, AdamW's two moments, and the running mean."""

Item = tuple[Tensor, dict[str, Any]]
"""What a network receives of one photo in training: the picture, and its target."""


@dataclass(frozen=True)
class Cost:
    """The least that a step takes. memory: in bytes."""

    seconds: float
    memory: int


def photo(model: Any, square: bool) -> Item:
    """A photo of the largest training size, with a face. square: whether it is square, as mosaics are; if not, it is 4
    by 3."""
    side = model.transform.largest
    wide = side if square else side * 4 // 3
    box = torch.tensor([[0.25 * wide, 0.25 * side, 0.75 * wide, 0.75 * side]])
    labels = torch.ones(1, dtype=torch.int64)
    return torch.zeros(3, side, wide), {"boxes": box, "labels": labels, "ignore": torch.zeros(0, 4)}


def say_what_a_step_takes(
    model: Any,
    draws: Callable[[Any], Draws],
    arch: str,
    parts: list[tuple[int, float]],
    item: Item,
    lighter: str,
) -> None:
    """Measure a step and report its cost, and what to do if that is too much.

    draws: makes a network draw from seeds. parts: for each part of a batch, the number of items that go through the
    network together and their share of the batch. item: one of these, with its target. lighter: what to do for a
    lighter network.
    """
    say(f"measuring how long a step of {arch} takes on this CPU")
    counts = [count for count, _ in parts]
    cost, free = of_a_step(model, draws, sum(counts), max(counts), item), free_memory()
    left = "" if free is None else f"; {free / 1e9:.1f} GB are free"
    say(
        f"{arch} on a CPU: a step of {counted(sum(counts), 'photo')} takes about {cost.seconds:.0f} seconds and "
        f"{cost.memory / 1e9:.1f} GB of memory{left}"
    )
    if free is not None and cost.memory > free:
        say(
            "this is more memory than is free, so the system will kill the run: raise --accumulate, lower --batch-size "
            f"or --size, or {lighter}"
        )
    elif cost.seconds > SLOW:
        say(f"{lighter}, which is made for a CPU")


def of_a_step(model: Any, draws: Callable[[Any], Draws], count: int, at_once: int, item: Item) -> Cost:
    """Pass an item forwards and backwards through a copy of `model`. If that is quick, pass it a second time, because
    the first time includes the compilation of kernels.

    count: items per step. at_once: how many of them go through the network together. draws, item: see
    `say_what_a_step_takes`.
    """
    network = copy.deepcopy(model).train()
    drawn = draws(network)
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.random.fork_rng(devices=[]):
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            spent = _seconds(network, drawn, item)
        if spent < LONG:
            spent = _seconds(network, drawn, item)
    held = sum(parameter.nbytes for parameter in network.parameters())
    return Cost(spent * count, sum(kept.values()) * at_once + held * COPIES)


def _seconds(network: Any, drawn: Draws, item: Item) -> float:
    began = time.perf_counter()
    drawn.begin([0])
    losses = network([item[0]], [dict(item[1])])
    torch.stack(list(losses.values())).sum().backward()
    return time.perf_counter() - began


def free_memory() -> int | None:
    """Bytes of main memory that this process may still take, according to Linux and the container; None elsewhere."""
    left = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                left.append(int(line.split()[1]) * 1024)
    except OSError:  # not Linux
        return None
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limits = [int((Path("/sys/fs/cgroup") / name).read_text()) for name in (most, used)]
        except (OSError, ValueError):  # another version of control groups, or no limit ("max")
            continue
        left.append(max(0, limits[0] - limits[1]))
    return min(left, default=None)
