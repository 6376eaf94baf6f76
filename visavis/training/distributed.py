"""Several processes, one a GPU, that train one network: as torchrun starts them.

Each has its share of every batch. That the outcome is the same as with one process takes three things: losses are
weighted by the regions, or pictures, that they are the mean of (`World.weigh`), pictures are padded to the largest of
all shares (`pad_alike`), and what the network draws comes from seeds of the pictures (visavis.training.draws).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from visavis.cores import cores
from visavis.errors import InputError

PATIENCE = timedelta(minutes=30)
"""How long the others are waited for: longer than any validation by one process takes."""

LOSSES = {"loss_objectness": "rpn", "loss_rpn_box_reg": "rpn", "loss_classifier": "roi", "loss_box_reg": "roi"}
"""Each of torchvision's losses is a mean over the regions drawn by that part; all others are means over pictures."""


class PeerLost(RuntimeError):
    """Another process of the run is gone."""


@dataclass(frozen=True)
class World:
    """This process's number, how many there are, and its number on this machine."""

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """The device asked for, in this process: of several GPUs, each process on a machine takes its own."""
        if self.size > 1 and name in ("auto", "cuda") and torch.cuda.is_available():
            if self.local >= torch.cuda.device_count():
                raise InputError(f"process {self.local} of this machine has no GPU of its own; start fewer processes")
            return f"cuda:{self.local}"
        return name

    def cores(self) -> int:
        """This process's share of the cores that may be used, at most 16: so many others may load photos for it."""
        return min(cores() // int(os.environ.get("LOCAL_WORLD_SIZE", self.size)), 16)

    def sum(self, values: Tensor) -> Tensor:
        """`values` added up over all processes, in place."""
        if self.size > 1:
            with watched():
                dist.all_reduce(values)
        return values

    def weigh(self, losses: dict[str, Tensor], counts: dict[str, Tensor], totals: dict[str, Tensor]) -> dict[str, Any]:
        """Losses whose mean over the processes is the mean over all regions, or over all pictures. counts, totals: this
        process's, all."""
        if self.size == 1:
            return losses
        factors = {name: self.size * counts[name] / totals[name].clamp(min=1) for name in counts}
        return {name: loss * factors[LOSSES.get(name, "pictures")] for name, loss in losses.items()}

    def gather(self, value: Any) -> list[Any]:
        """`value` of every process, by rank."""
        if self.size == 1:
            return [value]
        gathered: list[Any] = [None] * self.size
        with watched():
            dist.all_gather_object(gathered, value)
        return gathered


@contextmanager
def joined() -> Iterator[World]:
    """The world that this process is part of: torchrun says so in the environment; without it, a world of one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with watched():
        dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield World(dist.get_rank(), size, int(os.environ.get("LOCAL_RANK", "0")))
    finally:
        dist.destroy_process_group()


def spread(model: FasterRCNN, on: torch.device) -> Any:
    """The network as each process calls it: gradients are averaged over all."""
    with watched():
        return torch.nn.parallel.DistributedDataParallel(model, device_ids=[on.index] if on.type == "cuda" else None)


def pad_alike(model: FasterRCNN, on: torch.device) -> None:
    """Pad training pictures to the largest of all processes': anchors lie on what is padded, too."""
    batch_images = model.transform.batch_images

    def together(images: list[Tensor], size_divisible: int = 32) -> Tensor:
        if not model.training:
            return batch_images(images, size_divisible)
        largest = torch.tensor([max(image.shape[axis] for image in images) for axis in (1, 2)], device=on)
        dist.all_reduce(largest, dist.ReduceOp.MAX)
        batch = batch_images([*images, images[0].new_zeros(3, *largest.tolist())], size_divisible)
        return batch[:-1]

    model.transform.batch_images = together


@contextmanager
def watched() -> Iterator[None]:
    """Around what talks to the other processes: torch's many ways of saying that one is gone, as PeerLost."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        if not isinstance(error, dist.DistError) and not any(sign in reason.lower() for sign in _SIGNS):
            raise
        raise PeerLost(f"another process of this run is gone or cannot be reached ({reason[:200]})") from error


_SIGNS = ("gloo", "nccl", "connection", "peer", "socket", "timed out")
