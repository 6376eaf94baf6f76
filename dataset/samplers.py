"""Which photo comes when, and with which random numbers: by seed, epoch and place, and by nothing else.

So it does not matter how many workers or processes share the photos, nor whether a run was stopped and resumed.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from visavis.errors import InputError

Key = tuple[int, int, int]
"""Epoch, from 1 on; place in the epoch's order, from 0 on; number of the photo."""

POOL = 50
"""Batches whose photos are sorted by shape together."""


class Batches:
    """The batches of an epoch as lists of keys, this process's share of each: a batch sampler for a DataLoader.

        batches = Batches(len(photos), 8, ratios=photos.ratios())
        batches.start(epoch=3, step=120)      # goes on in the middle of the third epoch

    count: photos in all. batch_size: photos a step, in all processes together. An epoch's last batch is filled up with
    photos from its beginning, so that all have one size.
    ratios: (count,) width over height. Photos are shuffled, and sorted by ratio within groups of `POOL` batches before
    they are cut into batches, which come in any order: they waste little padding, and are others every epoch.
    parts: a batch is shared out into this many parts, which go through the network one after the other; `sizes` has how
    many photos of each are this process's, and which share of the batch the part is.

    Raises InputError where a part would leave a process without a photo, ValueError for ratios of another length.
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
                f"{batch_size} photos a step are too few for {parts} parts in each of {world} processes; raise "
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
        """What is iterated over next is this epoch, from 1 on, without its first `step` batches."""
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
        """(steps * batch_size,): the numbers of the epoch's photos, in all processes."""
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
    """A sampler for evaluation by several processes: each photo goes to one of them, none is left out or repeated.

    (torch's DistributedSampler repeats some, so that all have as many, and each is counted twice.)
    """

    def __init__(self, photos: int, rank: int = 0, ranks: int = 1) -> None:
        if ranks < 1 or not 0 <= rank < ranks:
            raise ValueError(f"rank {rank} of {ranks}: there is none")
        self.numbers = range(rank, photos, ranks)

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)


def seed_of(*numbers: int) -> int:
    """One seed of 63 bits from several numbers of at least 0: near ones give seeds that have nothing in common."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers of torch, numpy and random come from `seed`; afterwards they go on as they were."""
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
