"""How sure a figure is: 95 % intervals by the bootstrap over photos (Efron, "Bootstrap Methods", 1979).

Photos are drawn with replacement, and the finds and labels of each come along. Two detectors are drawn
the same photos, so that their difference has an interval of its own, narrower than theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.faces import Faces
from visavis.metrics import Judged

DRAWS = 1000


@dataclass(frozen=True)
class Draws:
    """AP at the overlap that was judged by, and best F1, of each draw: (S,); NaN where it has no face."""

    ap: NDArray[np.float64]
    f1: NDArray[np.float64]


def draw(judged: Judged, truth: Sequence[Faces], draws: int = DRAWS, seed: int = 0) -> Draws:
    """Score `draws` sets of photos drawn from those of `judged`. The same seed draws the same photos.

    judged: `metrics.judge`'s, surest first. truth: its labels, an entry a photo.
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
        # Between finds of one score there is no threshold, so the F1 there does not count.
        last = np.flatnonzero(np.diff(judged.scores, append=np.float32(-np.inf)))
        f1[number] = (2 * right[last] / (finds[last] + truths)).max(initial=0)
    return Draws(ap, f1)


def interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """The middle 95 % of the draws that had a face, or None where no more than half had one."""
    known = values[~np.isnan(values)]
    if len(known) <= len(values) / 2:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def of_figure(values: NDArray[np.float64], faces: int) -> tuple[float, float] | None:
    """As `interval`, for the AP or F1 of so many faces. Where all draws agree it is that of a share: see `share`.

    Photos that are all right, or all wrong, are drawn again as the same, and the bootstrap's interval of 1 to 1 would
    say that no photo can ever be wrong.
    """
    drawn = interval(values)
    if drawn is None or drawn[0] < drawn[1]:
        return drawn
    return share(round(drawn[0] * faces), faces)


def share(right: int, count: int) -> tuple[float, float] | None:
    """The 95 % interval of a share, `right` of `count`: Wilson's, which is true near 0 and 1 as well (Wilson, "Probable
    Inference, the Law of Succession, and Statistical Inference", 1927). None without any."""
    from scipy.stats import binomtest

    if count == 0:
        return None
    within = binomtest(right, count).proportion_ci(0.95, method="wilson")
    return float(within.low), float(within.high)
