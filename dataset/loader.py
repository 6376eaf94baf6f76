"""Batches of a FaceDataset, made by other processes and sent to the one that trains."""

import multiprocessing
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info
from torchvision import tv_tensors

from dataset.faces import FaceDataset
from dataset.samplers import Key

Batch = tuple[list[Tensor], list[dict[str, Any]]]


def loader(
    dataset: FaceDataset, batches: Iterable[list[Key]], workers: int = 0, begin: Any = None, start: str | None = None
) -> Any:
    """A DataLoader of batches (images, targets). It may be iterated again for each epoch that `batches` is started on.

    workers: the number of processes that decode and augment; with 0, this process does. begin: is called with its
    number in each of them. start: their start method; by default they are forked if possible, which shares the tables'
    memory and takes no time.
    """
    if start is None and "fork" in multiprocessing.get_all_start_methods():
        start = "fork"
    return DataLoader(
        dataset,  # type: ignore[bad-argument-type]  # map-style by its methods
        batch_sampler=batches,  # type: ignore[bad-argument-type]  # an iterable of lists
        num_workers=workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
        worker_init_fn=begin,
        multiprocessing_context=start if workers else None,
        generator=torch.Generator(),  # so that the process's own generator stays untouched; its seed is not used
    )


def collate(items: list[Any]) -> Any:
    """A batch as two lists, because pictures differ in size and targets in length."""
    images, targets = zip(*items, strict=True)
    if get_worker_info() is not None:
        return _Sent(images, targets)
    return list(images), list(targets)


class _Sent:
    """A batch that is sent to another process, where it is unpickled as two lists.

    Each tensor takes a file descriptor, a connection and a mapping, and more time if it is of a subclass. That is worth
    it for pictures, as plain tensors; everything smaller is sent as arrays.
    """

    def __init__(self, images: tuple[Tensor, ...], targets: tuple[dict[str, Any], ...]) -> None:
        self.images, self.targets = images, targets

    def __reduce__(self) -> Any:
        targets = [{name: _packed(value) for name, value in target.items()} for target in self.targets]
        return _arrived, ([image.as_subclass(Tensor) for image in self.images], targets)


def _arrived(images: list[Tensor], targets: list[dict[str, Any]]) -> Batch:
    return [tv_tensors.Image(image) for image in images], [
        {name: _unpacked(value) for name, value in target.items()} for target in targets
    ]


def _packed(value: Any) -> Any:
    """Boxes as (array, size of the picture), other tensors as arrays, the rest unchanged."""
    if isinstance(value, tv_tensors.BoundingBoxes):
        return value.as_subclass(Tensor).numpy(), value.canvas_size
    return value.numpy() if isinstance(value, Tensor) else value


def _unpacked(value: Any) -> Any:
    if isinstance(value, tuple):
        boxes, size = value
        return tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=size)
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value
