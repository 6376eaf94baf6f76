"""95 % confidence intervals of the figures, by the bootstrap over photos (Efron, "Bootstrap Methods", 1979).

Photos are drawn with replacement, each with its detections and labels. All detectors get the same draws, so that the
difference of two has an interval of its own, narrower than theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.faces import Faces
from visavis.metrics import Judged

DRAWS = 1000


@dataclass(frozen=True)
class Resamples:
    """AP, at the IoU of the judging, and best F1 of each draw: (S,); NaN for a draw without a face."""

    ap: NDArray[np.float64]
    f1: NDArray[np.float64]


def draw(judged: Judged, truth: Sequence[Faces], draws: int = DRAWS, seed: int = 0) -> Resamples:
    """Score `draws` sets of photos drawn from those of `judged`. The same seed draws the same photos.

    judged: from `metrics.judge`. truth: its labels, one entry per photo.
    """
    rng = np.random.default_rng(seed)
    labels = np.array([len(faces) for faces in truth], np.int64)
    ap, f1 = np.full(draws, np.nan), np.full(draws, np.nan)
    for number in range(draws if len(labels) else 0):
        times = np.bincount(rng.integers(len(labels), size=len(labels)), minlength=len(labels))
        truths = int(times @ labels)
        if truths == 0:
            continue
        weights = times[judged.photo]
        finds, right = np.cumsum(weights), np.cumsum(weights * judged.right)
        precision = np.maximum.accumulate((right / np.maximum(finds, 1))[::-1])[::-1]
        at = np.searchsorted(right / truths, np.linspace(0, 1, 101))
        ap[number] = np.append(precision, 0.0)[at].mean()  # by the rule of metrics.average_precision
        # No threshold lies between detections of equal score, so the F1 there does not count.
        last = np.flatnonzero(np.diff(judged.scores, append=np.float32(-np.inf)))
        f1[number] = (2 * right[last] / (finds[last] + truths)).max(initial=0)
    return Resamples(ap, f1)


def interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """The middle 95 % of the draws that have a face, or None if at most half of them have one."""
    known = values[~np.isnan(values)]
    if len(known) <= len(values) / 2:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def of_mean(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float] | None:
    """The 95 % interval of the mean of (N,) values, which are drawn with replacement; None if there are none."""
    if not len(values):
        return None
    rng = np.random.default_rng(seed)
    return interval(np.array([values[rng.integers(len(values), size=len(values))].mean() for _ in range(DRAWS)]))


def of_figure(values: NDArray[np.float64], faces: int) -> tuple[float, float] | None:
    """As `interval`, for an AP or F1 over that many faces. If all draws agree, the interval of a share, see `share`.

    If all photos are right, or all wrong, so is every draw, and the bootstrap's interval, 1 to 1, would say that no
    photo can ever be wrong.
    """
    drawn = interval(values)
    if drawn is None or drawn[0] < drawn[1]:
        return drawn
    return share(round(drawn[0] * faces), faces)


def share(right: int, count: int) -> tuple[float, float] | None:
    """The 95 % interval of a share, `right` of `count`: Wilson's, which also holds near 0 and 1 (Wilson, "Probable
    Inference, the Law of Succession, and Statistical Inference", 1927). None if `count` is 0."""
    from scipy.stats import binomtest

    if count == 0:
        return None
    within = binomtest(right, count).proportion_ci(0.95, method="wilson")
    return float(within.low), float(within.high)
