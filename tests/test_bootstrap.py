"""Intervals by drawing photos again, held against what is known of binomial shares."""

import numpy as np
import pytest

from visavis import metrics
from visavis.evaluation import bootstrap
from visavis.faces import Faces

FACE = [[10.0, 10.0, 50.0, 60.0]]


def scored(found_in: int, photos: int) -> tuple[metrics.Judged, list[Faces]]:
    """One face a photo, found surely in the first `found_in` photos, and nothing false."""
    truth = [Faces(FACE)] * photos
    found = [Faces(FACE, [0.9]) if number < found_in else Faces() for number in range(photos)]
    return metrics.judge(truth, found), truth


def test_the_interval_of_a_share_is_the_binomials():
    judged, truth = scored(80, 100)
    drawn = bootstrap.draw(judged, truth)
    assert drawn.ap.mean() == pytest.approx(0.8, abs=0.02)
    low, high = bootstrap.interval(drawn.ap) or (0, 0)
    # AP is the share of faces found here; its standard deviation is sqrt(0.8 * 0.2 / 100) = 0.04
    assert (low, high) == (pytest.approx(0.8 - 1.96 * 0.04, abs=0.02), pytest.approx(0.8 + 1.96 * 0.04, abs=0.02))
    share = 2 * 0.8 / (0.8 + 1)
    assert np.median(drawn.f1) == pytest.approx(share, abs=0.01)


def test_nothing_drawn_twice_gives_the_figure_itself(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(3)
    truth = [Faces(FACE), Faces(), Faces(FACE), Faces(FACE)]
    found = [Faces(FACE * 2, [0.5, 0.4]), Faces(FACE, [0.45]), Faces(FACE, [0.3]), Faces()]
    judged = metrics.judge(truth, found)

    class Once:
        def integers(self, count: int, size: int) -> np.ndarray:
            return rng.permutation(count)[:size]

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Once())
    drawn = bootstrap.draw(judged, truth, draws=2)
    assert drawn.ap.tolist() == [pytest.approx(metrics.average_precision(judged))] * 2
    assert drawn.f1.tolist() == [pytest.approx(metrics.best_threshold(judged)[1])] * 2


def test_two_detectors_are_drawn_the_same_photos():
    (one, truth), (two, _) = scored(80, 100), scored(70, 100)
    apart = bootstrap.draw(one, truth).ap - bootstrap.draw(two, truth).ap
    low, high = bootstrap.interval(apart) or (0, 0)
    assert 0.03 < low < 0.1 < high < 0.17  # ten photos differ; drawn apart it would reach below 0


def test_without_photos_faces_or_finds():
    nothing = bootstrap.draw(metrics.judge([], []), [])
    assert bootstrap.interval(nothing.ap) is None
    faceless = [Faces()] * 3
    assert bootstrap.interval(bootstrap.draw(metrics.judge(faceless, faceless), faceless).ap) is None
    blind = bootstrap.draw(metrics.judge([Faces(FACE)] * 3, faceless), [Faces(FACE)] * 3)
    assert bootstrap.interval(blind.ap) == bootstrap.interval(blind.f1) == (0, 0)
