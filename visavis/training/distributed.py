"""Several processes, started by torchrun, one per GPU, that train one network.

Each takes its share of every batch. Three things make the result the same as with one process: losses are weighted by
the number of regions or pictures that they average (`World.weigh`), pictures are padded to the largest of all shares
(`pad_alike`), and the network's random choices come from seeds of the pictures (visavis.training.draws).
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
"""How long to wait for the other processes: longer than a validation by one process takes."""

LOSSES = {"loss_objectness": "rpn", "loss_rpn_box_reg": "rpn", "loss_classifier": "roi", "loss_box_reg": "roi"}
"""Each of torchvision's losses is a mean over the regions drawn by that part; all others are means over pictures."""


class PeerLost(RuntimeError):
    """Another process of the run is gone."""


@dataclass(frozen=True)
class World:
    """The processes of a training: this one's number, how many there are, and its number on this machine."""

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and messages."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """The device for this process: each process on a machine takes a GPU of its own."""
        if self.size > 1 and name in ("auto", "cuda") and torch.cuda.is_available():
            if self.local >= torch.cuda.device_count():
                raise InputError(f"there is no GPU for process {self.local} of this machine; start fewer processes")
            return f"cuda:{self.local}"
        return name

    def cores(self) -> int:
        """This process's share of the usable cores, at most 16: the number of processes that load photos for it."""
        return min(cores() // int(os.environ.get("LOCAL_WORLD_SIZE", self.size)), 16)

    def sum(self, values: Tensor) -> Tensor:
        """Sum `values` over all processes, in place."""
        if self.size > 1:
            with watched():
                dist.all_reduce(values)
        return values

    def weigh(self, losses: dict[str, Tensor], counts: dict[str, Tensor], totals: dict[str, Tensor]) -> dict[str, Any]:
        """Weight the losses so that their mean over the processes is the mean over all regions, or all pictures.

        counts, totals: the number of these in this process and in all."""
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
    """The processes that torchrun started, according to the environment; without torchrun, this one alone."""
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
    """The network as each process calls it, with gradients averaged over all processes."""
    with watched():
        return torch.nn.parallel.DistributedDataParallel(model, device_ids=[on.index] if on.type == "cuda" else None)


def pad_alike(model: FasterRCNN, on: torch.device) -> None:
    """Pad training pictures to the largest of all processes, because anchors lie on the padding, too."""
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
    """Raise PeerLost for the various errors by which torch reports that another process is gone."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        if not isinstance(error, dist.DistError) and not any(sign in reason.lower() for sign in _SIGNS):
            raise
        raise PeerLost(f"another process of this run is gone or cannot be reached ({reason[:200]})") from error


_SIGNS = ("gloo", "nccl", "connection", "peer", "socket", "timed out")
