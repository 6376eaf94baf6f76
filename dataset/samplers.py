"""The order of photos, and the seeds of their random numbers: from seed, epoch and position alone.

So the number of workers or processes does not matter, nor whether a run was stopped and resumed.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from visavis.errors import InputError

Key = tuple[int, int, int]
"""Epoch, from 1 on; position in the epoch's order, from 0 on; index of the photo."""

POOL = 50
"""The number of batches whose photos are sorted by shape together."""


class Batches:
    """A batch sampler for a DataLoader: this process's share of each batch of an epoch, as a list of keys.

        batches = Batches(len(photos), 8, ratios=photos.ratios())
        batches.start(epoch=3, step=120)      # continues in the middle of the third epoch

    count: photos in all. batch_size: photos per step, in all processes together. An epoch's last batch is filled up
    with photos from its beginning, so that all batches have the same size.
    ratios: (count,) width over height. Photos are shuffled, sorted by ratio within groups of `POOL` batches and cut
    into batches, which are shuffled: so there is little padding, and batches differ in every epoch.
    parts: a batch is divided into this many parts, which go through the network one after the other; `sizes` has, for
    each part, the number of this process's photos, and the part's share of the batch.

    Raises InputError if a part would leave a process without a photo, and ValueError for ratios of another length.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int = 0,
        ratios: ArrayLike | None = None,
        parts: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch_size < parts * world:
            raise InputError(
                f"{batch_size} photos per step are too few for {parts} parts in each of {world} processes; raise "
                "`batch_size` or lower `accumulate`"
            )
        self.ratios = None if ratios is None else np.asarray(ratios, np.float64)
        if self.ratios is not None and self.ratios.shape != (count,):
            raise ValueError(f"ratios have the shape {self.ratios.shape}, not ({count},)")
        self.count, self.batch_size, self.seed, self.parts = count, batch_size, seed, parts
        self.places = [list(range(part, batch_size, parts)[rank::world]) for part in range(parts)]
        self.sizes = [
            (len(self.places[part]), len(range(part, batch_size, parts)) / batch_size) for part in range(parts)
        ]
        self.steps = -(-count // batch_size)
        self.epoch, self.first = 1, 0

    def start(self, epoch: int, step: int = 0) -> None:
        """Make the next iteration that of this epoch, from 1 on, without its first `step` batches."""
        self.epoch, self.first = epoch, step

    def whole(self) -> "Batches":
        """The same for all processes together."""
        return Batches(self.count, self.batch_size, self.seed, self.ratios, self.parts)

    def __len__(self) -> int:
        return self.steps - self.first

    def __iter__(self) -> Iterator[list[Key]]:
        order = self._order()
        for step in range(self.first, self.steps):
            places = [step * self.batch_size + place for part in self.places for place in part]
            yield [(self.epoch, place, int(order[place])) for place in places]

    def _order(self) -> NDArray[np.int64]:
        """(steps * batch_size,): the indices of the epoch's photos, in all processes."""
        chance = np.random.default_rng([self.seed, self.epoch])
        order = np.resize(chance.permutation(self.count), self.steps * self.batch_size)
        if self.ratios is None:
            return order
        size = POOL * self.batch_size
        pools = [order[start : start + size] for start in range(0, len(order), size)]
        for pool in pools:
            pool[:] = pool[np.argsort(self.ratios[pool], kind="stable")]
        return chance.permutation(order.reshape(self.steps, self.batch_size)).ravel()


class Share:
    """A sampler for evaluation by several processes: each photo goes to exactly one of them.

    (torch's DistributedSampler repeats some photos, so that all processes have as many, and these count twice.)
    """

    def __init__(self, photos: int, rank: int = 0, ranks: int = 1) -> None:
        if ranks < 1 or not 0 <= rank < ranks:
            raise ValueError(f"rank must lie between 0 and {ranks - 1}, not be {rank}")
        self.numbers = range(rank, photos, ranks)

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)


def seed_of(*numbers: int) -> int:
    """A seed of 63 bits from several numbers of at least 0. Similar numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """A context in which torch, numpy and random are seeded with `seed`; afterwards their states are restored."""
    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])
