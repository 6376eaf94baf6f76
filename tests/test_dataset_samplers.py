"""Batches that can be taken up again, and shares that leave nobody out."""

import random
from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataset.samplers import POOL, Batches, Key, Share, seed_of, seeded


def numbers(batches: list[list[Key]]) -> list[list[int]]:
    """The photos' numbers alone."""
    return [[key[2] for key in batch] for batch in batches]


@given(photos=st.integers(1, 900), size=st.integers(1, 9), epoch=st.integers(1, 4), grouped=st.booleans())
def test_every_photo_comes_once_an_epoch_and_a_few_fill_the_last_batch(
    photos: int, size: int, epoch: int, grouped: bool
) -> None:
    ratios = np.random.default_rng(0).uniform(0.5, 2, photos) if grouped else None
    batches = Batches(photos, size, 1, ratios)
    batches.start(epoch)
    seen = list(batches)
    assert all(len(batch) == size for batch in seen) and len(seen) == len(batches) == -(-photos // size)
    counts = Counter(chain.from_iterable(numbers(seen)))
    assert set(counts) == set(range(photos)) and counts.total() - photos < size
    assert [key[:2] for key in chain.from_iterable(seen)] == [(epoch, place) for place in range(len(seen) * size)]


@given(photos=st.integers(1, 200), size=st.integers(4, 9), ranks=st.integers(1, 4), share=st.floats(0, 1))
def test_an_epoch_is_taken_up_in_its_middle(photos: int, size: int, ranks: int, share: float) -> None:
    ratios = np.linspace(0.3, 3, photos)
    for rank in range(ranks):
        batches, again = (Batches(photos, size, 5, ratios, rank=rank, world=ranks) for _ in range(2))
        batches.start(2)
        whole = list(batches)
        done = int(share * len(whole))
        again.start(2, done)
        assert list(again) == whole[done:] and len(again) == len(whole) - done


@given(photos=st.integers(1, 90), parts=st.integers(1, 3), world=st.integers(1, 3), more=st.integers(0, 5))
def test_parts_and_processes_share_out_each_batch(photos: int, parts: int, world: int, more: int) -> None:
    size, ratios = parts * world + more, np.linspace(0.3, 3, photos)
    whole = list(Batches(photos, size, 3, ratios))
    each = [Batches(photos, size, 3, ratios, parts, rank, world) for rank in range(world)]
    for step, shares in zip(whole, zip(*each, strict=True), strict=True):
        assert sorted(chain.from_iterable(shares)) == step
    for batches in each:
        assert len(next(iter(batches))) == sum(count for count, _ in batches.sizes)
        assert sum(share for _, share in batches.sizes) == pytest.approx(1)


def test_epochs_and_seeds_differ_and_groups_waste_less() -> None:
    ratios = np.random.default_rng(0).choice([0.5, 0.75, 1.33, 2.0], 4000)
    first, second, other = (Batches(4000, 8, seed, ratios) for seed in (0, 0, 1))
    second.start(2)
    assert len({str(numbers(list(batches))) for batches in (first, second, other)}) == 3

    def waste(batches: Batches) -> float:
        """The share of padding when all are made equally high: the widest decides."""
        return float(np.mean([1 - ratios[batch].mean() / ratios[batch].max() for batch in numbers(list(batches))]))

    assert waste(first) < 0.02 < 0.3 < waste(Batches(4000, 8, 0))
    widths = [ratios[batch].mean() for batch in numbers(list(first))]
    assert abs(np.corrcoef(widths, range(len(widths)))[0, 1]) < 0.1  # narrow and wide ones come mixed


@given(photos=st.integers(0, 100), ranks=st.integers(1, 12))
def test_shares_drop_and_repeat_nothing(photos: int, ranks: int) -> None:
    shares = [Share(photos, rank, ranks) for rank in range(ranks)]
    assert sorted(chain.from_iterable(shares)) == list(range(photos))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="5 photos per step are too few for 3 parts in each of 2 processes"):
        Batches(9, 5, parts=3, world=2)
    with pytest.raises(ValueError, match="shape"):
        Batches(5, 2, ratios=[1, 2])
    with pytest.raises(ValueError, match="rank must lie between 0 and 0, not be 1"):
        Share(5, 1, 1)
    with pytest.raises(ValueError, match="rank must lie between 0 and 1, not be 2"):
        Share(9, 2, 2)
    with pytest.raises(ValueError, match="rank must lie between 0 and -1"):
        Share(9, 0, 0)
    assert Batches(9, 6, parts=3, world=2).sizes == [(1, 2 / 6)] * 3


def test_an_epochs_order_is_the_same_on_every_machine() -> None:
    assert list(Batches(5, 2, seed=3)) == [[(1, 0, 1), (1, 1, 4)], [(1, 2, 0), (1, 3, 2)], [(1, 4, 3), (1, 5, 1)]]
    shaped = Batches(7, 2, seed=1, ratios=[1, 2, 0.5, 3, 0.7, 1.5, 0.4])
    shaped.start(2)
    assert numbers(list(shaped)) == [[4, 0], [6, 2], [0, 5], [1, 3]]
    second = Batches(7, 5, seed=1, parts=2, rank=1, world=2)
    second.start(3, 1)
    assert list(second) == [[(3, 7, 3), (3, 8, 0)]]
    assert (len(second), second.sizes) == (1, [(1, 0.6), (1, 0.4)])
    whole = second.whole()
    assert (whole.places, len(whole)) == ([[0, 2, 4], [1, 3]], 2)


def test_photos_are_sorted_by_shape_within_fifty_batches() -> None:
    assert POOL == 50
    batches = [sorted(batch) for batch in numbers(list(Batches(300, 2, 0, np.arange(300.0))))]
    # Of 300 photos in two shuffled pools of 100 and one more, neighbours in shape are few numbers apart.
    assert max(last - first for first, last in batches) == 13


def test_seeds_are_of_63_bits_and_similar_numbers_give_others() -> None:
    assert (seed_of(1, 2), seed_of(2, 1)) == (7764949442709860949, 3304656143886516455)
    assert all(0 <= seed_of(number) < 2**63 for number in range(100))


def test_a_seeded_context_draws_the_same_and_leaves_no_trace() -> None:
    def drawn() -> tuple[float, float, float]:
        return torch.rand(1).item(), random.random(), np.random.rand()

    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]
    with seeded(5):
        assert drawn() == pytest.approx((0.8302518725, 0.6229016949, 0.2219931711))
    with seeded(2**40 + 5), pytest.raises(KeyError), seeded(6):
        raise KeyError
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1] and (np.random.get_state()[1] == states[2]).all()


def test_by_default_there_is_one_process_and_the_seed_is_0() -> None:
    assert list(Batches(9, 2)) == list(Batches(9, 2, seed=0)) != list(Batches(9, 2, seed=1))
    assert list(Share(4)) == [0, 1, 2, 3]
