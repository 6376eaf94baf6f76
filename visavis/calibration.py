"""Whether a score of 0.9 is right nine times in ten, and the temperature that makes it so.

Guo et al., "On Calibration of Modern Neural Networks" (2017): the expected calibration error, and temperature
scaling: each score's logit is divided by one number that is fitted on photos kept aside. Order is kept, so AP is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import checkpoint
from visavis.command import InputError

BINS = 15
"""As in the paper."""

SURE = 1e-7
"""How near to 0 and 1 a score may come in fitting: a float32 of exactly 1 that is wrong would decide alone."""


@dataclass(frozen=True)
class Reliability:
    """Finds by ranges of score of equal width, lowest first, all (B,); NaN where a range has no find."""

    finds: NDArray[np.int64]
    score: NDArray[np.float64]
    """Mean score."""
    right: NDArray[np.float64]
    """Share that is right."""

    @property
    def error(self) -> float:
        """Expected calibration error, 0..1: how far score and share lie apart, a find's mean; NaN without a find."""
        if not self.finds.any():
            return float("nan")
        apart = np.abs(self.score - self.right)
        return float(np.nansum(apart * self.finds) / self.finds.sum())


def reliability(scores: NDArray[Any], right: NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """scores: (K,) in 0..1. right: (K,) whether each find is one. A score on an edge belongs to the lower range."""
    place = np.clip(np.ceil(np.asarray(scores, np.float64) * bins).astype(np.int64) - 1, 0, bins - 1)
    finds = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, scores, bins) / finds
        share = np.bincount(place, right, bins) / finds
    return Reliability(finds, mean, share)


def scaled(scores: NDArray[Any], temperature: float) -> NDArray[Any]:
    """Scores of any shape, 0..1, with their logits divided by `temperature`; 1 leaves them bit for bit.

    Above 1 they move towards 0.5, below 1 away from it; 1 / temperature takes them back.
    """
    if temperature == 1:
        return scores
    exact = np.asarray(scores, np.float64)
    with np.errstate(divide="ignore", over="ignore"):  # 0 and 1 stay what they are, by way of infinity
        logits = np.log(exact) - np.log1p(-exact)
        return (1 / (1 + np.exp(-logits / temperature))).astype(np.asarray(scores).dtype)


def fit(scores: NDArray[Any], right: NDArray[np.bool_]) -> float | None:
    """The temperature under which the scores make what happened most likely (least negative log-likelihood).

    scores: (K,) in 0..1, not scaled before. right: (K,). None where there is not at least one find of each kind.
    """
    from scipy.optimize import minimize_scalar

    if right.all() or not right.any():
        return None
    exact = np.clip(np.asarray(scores, np.float64), SURE, 1 - SURE)
    # How much speaks for what happened; the loss of a find is log(1 + exp(-that / temperature)).
    speaks = np.where(right, 1, -1) * (np.log(exact) - np.log1p(-exact))

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, -speaks / np.exp(log_temperature)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


def fitted_elsewhere(scores: NDArray[Any], right: NDArray[np.bool_], photo: NDArray[np.int64]) -> NDArray[Any] | None:
    """The scores (K,), each scaled by what the other half of the photos fits; None where a half cannot be fitted.

    photo: (K,) the number of each find's photo. What a temperature is worth shows where it was not fitted.
    """
    result = np.empty_like(scores)
    for half in (0, 1):
        here = photo % 2 == half
        temperature = fit(scores[~here], right[~here])
        if temperature is None:
            return None
        result[here] = scaled(scores[here], temperature)
    return result


def store(path: Path, temperature: float, record: dict[str, Any]) -> float:
    """Write a temperature into the checkpoint at `path`, in place of what it had; its weights stay bit for bit.

    temperature: of the network's own scores. The thresholds that the checkpoint holds, which were of the scores as
    they were, move along, so that they choose the same finds. record: what else to remember of the fit.
    Returns the threshold that it has now. Raises InputError where the file is no checkpoint.
    """
    if not temperature > 0:
        raise InputError(f"a temperature of {temperature:g}: give a number above 0")
    _, metadata = checkpoint.load(path)
    change = temperature / metadata.get("temperature", 1.0)

    def moved(threshold: float) -> float:
        return round(float(scaled(np.array(threshold), change)), 6)

    metadata["threshold"] = moved(metadata.get("threshold", 0.5))
    best = "best_threshold"
    if best in metadata.get("validation", {}):
        metadata["validation"][best] = moved(metadata["validation"][best])
    checkpoint.relabel(path, metadata | {"temperature": temperature, "calibration": record})
    return metadata["threshold"]
