"""Which photos come when: batches of one shape that can be taken up again, and fair shares for evaluation.

Everything is a function of a seed, an epoch and a place in it: nothing is remembered that two numbers do not say.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Batches:
    """A batch sampler for torch's DataLoader: every photo once an epoch, in batches of much the same shape.

        batches = Batches(len(photos), 8, seed=0, ratios=photos.ratios())
        loader = DataLoader(dataset, batch_sampler=batches, ...)
        batches.start(epoch=3, done=120)      # goes on in the middle of the fourth epoch

    ratios: (N,) width over height. Photos are shuffled, then cut into groups of `pool` batches, and each group is
    sorted by ratio before it is cut into batches: those waste little padding, and their photos still are others every
    epoch. Without ratios they are shuffled alone.
    rank, ranks: of several processes that train together, each takes every so-manieth batch; where the last round is
    not whole, batches from the beginning fill it, for each process must take as many steps as the others.
    """

    def __init__(
        self,
        photos: int,
        batch_size: int,
        seed: int = 0,
        ratios: ArrayLike | None = None,
        rank: int = 0,
        ranks: int = 1,
        pool: int = 50,
    ) -> None:
        if batch_size < 1 or ranks < 1 or not 0 <= rank < ranks or pool < 1:
            raise ValueError(f"batches of {batch_size} for rank {rank} of {ranks}, pools of {pool}: no such thing")
        self.photos, self.batch_size, self.seed, self.pool = photos, batch_size, seed, pool
        self.rank, self.ranks = rank, ranks
        self.ratios = None if ratios is None else np.asarray(ratios, np.float64)
        if self.ratios is not None and self.ratios.shape != (photos,):
            raise ValueError(f"ratios have the shape {self.ratios.shape}, not ({photos},)")
        self.epoch, self.done = 0, 0

    def start(self, epoch: int, done: int = 0) -> None:
        """The next iteration is `epoch` (from 0), without the first `done` batches of this process."""
        if not 0 <= done <= self.steps:
            raise ValueError(f"{done} batches done of {self.steps} an epoch")
        self.epoch, self.done = epoch, done

    @property
    def steps(self) -> int:
        """Batches of a whole epoch in this process."""
        batches = -(-self.photos // self.batch_size)
        return -(-batches // self.ranks)

    def __len__(self) -> int:
        """Batches of the next iteration."""
        return self.steps - self.done

    def __iter__(self) -> Iterator[list[int]]:
        every = self._of_all()
        mine = [every[number % len(every)] for number in range(self.rank, self.steps * self.ranks, self.ranks)]
        for batch in mine[self.done :]:
            yield batch.tolist()

    def state_dict(self, done: int) -> dict[str, Any]:
        """What to keep after `done` batches of this epoch are trained on (workers load further ahead than that)."""
        return {"epoch": self.epoch, "done": done, "seed": self.seed, "photos": self.photos, "ranks": self.ranks,
                "batch_size": self.batch_size}  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken. Raises ValueError where the batches would not be the same ones."""
        for name in ("seed", "photos", "ranks", "batch_size"):
            if state[name] != getattr(self, name):
                raise ValueError(f"{name} was {state[name]} and is {getattr(self, name)}: batches would be others")
        self.start(state["epoch"], state["done"])

    def _of_all(self) -> list[NDArray[np.int64]]:
        """The epoch's batches, of all processes."""
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(self.photos)
        if self.ratios is not None:
            size = self.pool * self.batch_size
            pools = [order[start : start + size] for start in range(0, self.photos, size)]
            order = np.concatenate([pool[np.argsort(self.ratios[pool], kind="stable")] for pool in pools] or [order])
        batches = [order[start : start + self.batch_size] for start in range(0, self.photos, self.batch_size)]
        if self.ratios is None:
            return batches
        # The one that is not whole stays last; the others come in any order, not from narrow to wide.
        whole = len(batches) - (self.photos % self.batch_size > 0)
        return [batches[number] for number in random.permutation(whole)] + batches[whole:]


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
