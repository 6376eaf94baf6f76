"""Whether two photos show one person: accuracy by the rule of LFW, ROC and thresholds, all from the distances of pairs.

The rule (Huang et al., "Labeled Faces in the Wild", 2007, "image-restricted"): pairs lie in folds, nobody is in two of
them; the threshold for a fold is the one that is best on all others, and the accuracy is the mean over the folds.
A pair in which a face was not found is an error at every threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.evaluation import bootstrap

FOLD = 600
"""Pairs in a fold of LFW: 300 of one person, then 300 of two."""
FOLDS = 10
RATES = (0.01, 0.001)
"""Shares of the pairs of two people that are taken for one, at which the share of right matches is given."""


@dataclass(frozen=True)
class Roc:
    """The points at which one more pair is accepted, (K,) each: distance up to which pairs are, share of the pairs of
    two people that are accepted (false), and of those of one (right)."""

    distance: NDArray[np.float64]
    false: NDArray[np.float64]
    right: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area under the curve, 0 to 1."""
        return float(np.trapezoid(np.append(self.right, 1), np.append(self.false, 1)))

    @property
    def equal_error(self) -> float:
        """The rate at which as many pairs of one person are refused as pairs of two are accepted."""
        worst = np.maximum(self.false, 1 - self.right)
        return float(worst.min())

    def right_at(self, false: float) -> float:
        """The share of right matches while at most `false` of the pairs of two people are accepted."""
        within = self.right[self.false <= false]
        return float(within.max()) if len(within) else 0.0


def folds(same: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(P,): the fold of each pair, in their order. same: (P,).

    Pairs in LFW's order, 600 a fold, keep its folds; others are dealt to ten, each with its share of both kinds.
    """
    blocks = same.reshape(-1, FOLD) if len(same) and len(same) % FOLD == 0 else None
    if blocks is not None and len(blocks) > 1 and (blocks[:, : FOLD // 2].all() and not blocks[:, FOLD // 2 :].any()):
        return np.arange(len(same)) // FOLD
    fold = np.empty(len(same), np.int64)
    for kind in (True, False):
        fold[same == kind] = np.arange((same == kind).sum()) % FOLDS
    return fold


def errors_where_unfound(distance: NDArray[Any], same: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(P,) distances, NaN replaced by one that is wrong at every threshold: infinite of one person's pair, and below
    all others of two people's."""
    distance = np.asarray(distance, np.float64)
    return np.where(np.isnan(distance), np.where(same, np.inf, -np.inf), distance)


def best_threshold(distance: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """The distance up to which to accept pairs for the most right answers, halfway between two pairs. Of several that
    are as good, the middle one. distance: (P,), as `errors_where_unfound` has it."""
    order = np.argsort(distance, kind="stable")
    distance, same = distance[order], same[order]
    right = np.concatenate([[0], np.cumsum(np.where(same, 1, -1))])  # but for a constant, if the first k are accepted
    low, high = np.searchsorted(distance, [-np.inf, np.inf], side="right")[0], np.searchsorted(distance, np.inf)
    finite = distance[low:high]
    if not len(finite):
        raise InputError("in none of the pairs are both faces found, so there is no threshold to choose")
    between = np.concatenate([[finite[0] - 1e-6], (finite[:-1] + finite[1:]) / 2, [finite[-1] + 1e-6]])
    apart = np.concatenate([[True], finite[:-1] < finite[1:], [True]])
    values = np.where(apart, right[low : high + 1], -np.inf)
    best = np.flatnonzero(values == values.max())
    return float(between[best[len(best) // 2]])


def answers(distance: NDArray[np.float64], same: NDArray[np.bool_], threshold: float) -> NDArray[np.bool_]:
    """(P,) whether each pair is judged rightly."""
    return (distance <= threshold) == same


def roc(distance: NDArray[np.float64], same: NDArray[np.bool_]) -> Roc:
    """Of (P,) distances as `errors_where_unfound` has them."""
    order = np.argsort(distance, kind="stable")
    distance, same = distance[order], same[order]
    last = np.flatnonzero(np.append(distance[:-1] < distance[1:], True) & np.isfinite(distance))
    false = np.cumsum(~same)[last] / max(1, (~same).sum())
    right = np.cumsum(same)[last] / max(1, same.sum())
    start = np.searchsorted(distance, -np.inf, side="right")
    first = start / max(1, (~same).sum())
    return Roc(np.append(-np.inf, distance[last]), np.append(first, false), np.append(0, right))


def figures(distance: NDArray[Any], same: NDArray[np.bool_], fold: NDArray[np.int64]) -> dict[str, Any]:
    """All figures of one contender. distance: (P,), NaN where a face was not found. fold: (P,), of each pair."""
    numbers = np.unique(fold)
    if len(numbers) < 2:
        raise InputError("pairs.csv has one fold, and the threshold of each is chosen on the others; give two or more")
    unfound = np.isnan(np.asarray(distance, np.float64))
    distance = errors_where_unfound(distance, same)
    right, thresholds = np.zeros(len(same), bool), []
    for number in numbers:
        here = fold == number
        thresholds.append(best_threshold(distance[~here], same[~here]))
        right[here] = answers(distance[here], same[here], thresholds[-1])
    accuracies = [float(right[fold == number].mean()) for number in numbers]
    curve = roc(distance, same)
    return {
        "pairs": len(same),
        "folds": len(numbers),
        "accuracy": float(np.mean(accuracies)),
        "accuracy_error": float(np.std(accuracies, ddof=1) / np.sqrt(len(numbers))),
        "accuracy_interval": bootstrap.share(int(right.sum()), len(same)),
        "accuracies": accuracies,
        "unfound": int(unfound.sum()),
        "unfound_share": float(unfound.mean()),
        "threshold": best_threshold(distance, same),
        "thresholds": thresholds,
        "auc": curve.area,
        "equal_error": curve.equal_error,
        **{f"right_at_{rate:g}": curve.right_at(rate) for rate in RATES},
    }


def corners(curve: Roc) -> Sequence[dict[str, float]]:
    """The points of the curve at which it turns: as few as draw it."""
    moves = np.diff(np.stack([curve.false, curve.right]), axis=1, append=np.nan) > 0
    turns = np.append(True, (moves[:, 1:] != moves[:, :-1]).any(axis=0))
    return [
        {"distance": round(float(d), 5), "false": round(float(f), 6), "right": round(float(r), 6)}
        for d, f, r in zip(curve.distance[turns], curve.false[turns], curve.right[turns], strict=True)
        if np.isfinite(d)
    ]
