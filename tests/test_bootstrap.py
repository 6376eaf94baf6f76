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
    assert bootstrap.of_figure(nothing.ap, 0) is None
    assert bootstrap.interval(bootstrap.draw(*scored(1, 1)).ap) == (1, 1)  # a single face is one


def test_a_share_has_wilsons_interval():
    # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3
    for right, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        assert bootstrap.share(right, count) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert bootstrap.share(11, 11) == (pytest.approx(0.7412, abs=5e-5), 1)
    assert bootstrap.share(0, 0) is None


def test_photos_that_are_all_right_do_not_promise_that_none_is_ever_wrong():
    judged, truth = scored(11, 11)
    drawn = bootstrap.draw(judged, truth)
    assert bootstrap.interval(drawn.ap) == (1, 1)
    assert bootstrap.of_figure(drawn.ap, 11) == bootstrap.of_figure(drawn.f1, 11) == bootstrap.share(11, 11)
    judged, truth = scored(0, 11)
    blind = bootstrap.draw(judged, truth)
    assert bootstrap.of_figure(blind.ap, 11) == (0, pytest.approx(0.2588, abs=5e-5))
    judged, truth = scored(80, 100)
    some = bootstrap.draw(judged, truth).ap
    assert bootstrap.of_figure(some, 100) == bootstrap.interval(some)


def test_the_interval_holds_the_middle_95_of_100_draws():
    values = np.random.default_rng(5).permutation(np.arange(1001.0))
    assert bootstrap.interval(values) == (25, 975)
    assert bootstrap.interval(np.append(values, np.full(1000, np.nan))) == (25, 975)
    assert bootstrap.interval(np.append(values, np.full(1001, np.nan))) is None


def test_the_interval_of_a_mean_is_two_standard_errors_wide():
    values = np.arange(100.0)  # their standard deviation is 28.87: the mean's standard error is 2.887
    low, high = bootstrap.of_mean(values) or (0, 0)
    assert (low, high) == (pytest.approx(49.5 - 1.96 * 2.887, abs=0.4), pytest.approx(49.5 + 1.96 * 2.887, abs=0.4))
    assert bootstrap.of_mean(values) == (low, high)
    assert bootstrap.of_mean(np.array([])) is None
