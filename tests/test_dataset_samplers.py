"""Batches that can be taken up again, and shares that leave nobody out."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.samplers import Batches, Share


@given(
    photos=st.integers(0, 300), size=st.integers(1, 9), epoch=st.integers(0, 3), grouped=st.booleans(),
    pool=st.integers(1, 5),
)  # fmt: skip
def test_every_photo_comes_once_an_epoch(photos: int, size: int, epoch: int, grouped: bool, pool: int) -> None:
    ratios = np.random.default_rng(0).uniform(0.5, 2, photos) if grouped else None
    batches = Batches(photos, size, 1, ratios, pool=pool)
    batches.start(epoch)
    seen = list(batches)
    assert sorted(chain.from_iterable(seen)) == list(range(photos)) and len(seen) == len(batches)
    assert all(len(batch) == size for batch in seen[:-1])


@given(photos=st.integers(1, 200), size=st.integers(1, 9), ranks=st.integers(1, 4), share=st.floats(0, 1))
def test_an_epoch_is_taken_up_in_its_middle(photos: int, size: int, ranks: int, share: float) -> None:
    ratios = np.linspace(0.3, 3, photos)
    for rank in range(ranks):
        batches = Batches(photos, size, 5, ratios, rank, ranks)
        batches.start(2)
        whole = list(batches)
        done = int(share * len(whole))
        state = batches.state_dict(done)
        again = Batches(photos, size, 5, ratios, rank, ranks)
        again.load_state_dict(state)
        assert list(again) == whole[done:] and len(again) == len(whole) - done
    with pytest.raises(ValueError, match="seed was 5 and is 6: batches would be others"):
        Batches(photos, size, 6, ratios, 0, ranks).load_state_dict(state)


@given(photos=st.integers(1, 200), size=st.integers(1, 9), ranks=st.integers(1, 5))
def test_processes_that_train_together_share_out_all_in_as_many_steps(photos: int, size: int, ranks: int) -> None:
    each = [list(Batches(photos, size, 3, rank=rank, ranks=ranks)) for rank in range(ranks)]
    assert len({len(batches) for batches in each}) == 1
    counts = Counter(chain.from_iterable(chain.from_iterable(each)))
    assert set(counts) == set(range(photos))
    repeated = sum(counts.values()) - photos
    assert 0 <= repeated <= (ranks - 1) * size  # those that fill the last round


def test_epochs_and_seeds_differ_and_groups_waste_less() -> None:
    ratios = np.random.default_rng(0).choice([0.5, 0.75, 1.33, 2.0], 4000)
    first, second, other = (Batches(4000, 8, seed, ratios) for seed in (0, 0, 1))
    second.start(1)
    assert len({str(list(batches)) for batches in (first, second, other)}) == 3

    def waste(batches: Batches) -> float:
        """The share of padding when all are made equally high: the widest decides."""
        return float(np.mean([1 - ratios[batch].mean() / ratios[batch].max() for batch in batches]))

    assert waste(first) < 0.02 < 0.3 < waste(Batches(4000, 8, 0))
    widths = [ratios[batch].mean() for batch in first]
    assert abs(np.corrcoef(widths, range(len(widths)))[0, 1]) < 0.1  # narrow and wide ones come mixed


@given(photos=st.integers(0, 100), ranks=st.integers(1, 12))
def test_shares_drop_and_repeat_nothing(photos: int, ranks: int) -> None:
    shares = [Share(photos, rank, ranks) for rank in range(ranks)]
    assert sorted(chain.from_iterable(shares)) == list(range(photos))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_what_cannot_be_is_refused() -> None:
    for wrong in (lambda: Batches(5, 0), lambda: Batches(5, 2, rank=2, ranks=2), lambda: Share(5, 1, 1)):
        with pytest.raises(ValueError, match="of"):
            wrong()
    with pytest.raises(ValueError, match="shape"):
        Batches(5, 2, ratios=[1, 2])
    with pytest.raises(ValueError, match="9 batches done of 3"):
        Batches(5, 2).start(0, 9)
