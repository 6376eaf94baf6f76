"""Which photo comes when, and with which random numbers: by seed, epoch and place, and by nothing else.

So it does not matter how many workers or processes share the photos, nor whether the run was stopped and resumed.
"""

import random
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch

Key = tuple[int, int, int]
"""Epoch, from 1 on; place in the epoch's order, from 0 on; number of the photo."""


def seed_of(*numbers: int) -> int:
    """One seed of 63 bits from several numbers of at least 0: near ones give seeds that have nothing in common."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


class Batches:
    """The batches of an epoch as lists of keys, this process's share of each: a batch sampler for a DataLoader.

    count: photos in all. batch_size: photos a step, in all processes together. An epoch's last batch is filled up with
    photos from its beginning, so that all have one size. parts: a batch is shared out into this many parts, which go
    through the network one after the other; `sizes` has how many photos of each are this process's, and which share
    of the batch the part is.

    Raises ValueError where a part would leave a process without a photo.
    """

    def __init__(self, count: int, batch_size: int, seed: int, parts: int = 1, rank: int = 0, world: int = 1) -> None:
        if batch_size < parts * world:
            raise ValueError(f"{batch_size} photos a step are too few for {parts} parts in each of {world} processes")
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self.places = [list(range(part, batch_size, parts)[rank::world]) for part in range(parts)]
        self.sizes = [
            (len(self.places[part]), len(range(part, batch_size, parts)) / batch_size) for part in range(parts)
        ]
        self.steps = -(-count // batch_size)
        self.epoch, self.first = 1, 0

    def start(self, epoch: int, step: int) -> None:
        """What is iterated over next is this epoch, from 1 on, without its first `step` batches."""
        self.epoch, self.first = epoch, step

    def __len__(self) -> int:
        return self.steps - self.first

    def __iter__(self) -> Iterator[list[Key]]:
        generator = torch.Generator().manual_seed(seed_of(self.seed, self.epoch))
        order = torch.randperm(self.count, generator=generator).tolist()
        for step in range(self.first, self.steps):
            places = [step * self.batch_size + place for part in self.places for place in part]
            yield [(self.epoch, place, order[place % self.count]) for place in places]


class Numbered(Protocol):
    """What torch calls a map-style dataset of (image, target)."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> tuple[torch.Tensor, dict[str, Any]]: ...


class Drawn:
    """A dataset whose item is drawn from its key alone: `draws[key]` is (image, target) of photo key[2].

    Whatever random numbers the dataset takes from torch, numpy or random while it makes the item come from the seed,
    the epoch and the place; those of the process are afterwards as they were. The target gains `draw`, the seed of
    what the network draws for this picture (visavis.training.draws).
    """

    def __init__(self, dataset: Numbered, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Key) -> tuple[torch.Tensor, dict[str, Any]]:
        epoch, place, index = key
        seed = seed_of(self.seed, epoch, place)
        before = random.getstate(), np.random.get_state()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)
            try:
                image, target = self.dataset[index]
            finally:
                random.setstate(before[0])
                np.random.set_state(before[1])
        return image, target | {"draw": seed_of(self.seed, epoch, place, 1)}
