"""Whether a score of 0.9 is right nine times in ten, and the temperature and shift that make it so.

Guo et al., "On Calibration of Modern Neural Networks" (2017): the expected calibration error, and temperature
scaling, which divides each score's logit by one number that is fitted on photos kept aside. A detector needs the
shift of Platt scaling (Platt, "Probabilistic Outputs for Support Vector Machines", 1999) beside it: of the regions
that it is trained on, many more are faces than of those that it sees in use, so that all its logits are too high by
the same amount. The order of the finds stays the same, and so does AP.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import checkpoint
from visavis.errors import InputError
from visavis.messages import counted

BINS = 15
"""As in the paper."""

FEWEST = 20
"""Right finds, and false ones, that a calibration is fitted to at least: fewer are parted by their scores too easily,
and then every score is taken for certain."""

MANY = 100
"""So many sure faces raise the score of another one as far as more of them would."""

STEEPNESS, SHIFT = (0.05, 20.0), 20.0
"""Least and greatest 1 / temperature, and the greatest shift up or down, that a fit may come to."""

THRESHOLD = 0.5
"""The lowest score of a face that is returned, if a checkpoint has no threshold."""

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


@dataclass(frozen=True)
class Calibration:
    """What becomes of a score: the logit is divided by `temperature` (above 1 it moves towards 0.5, below 1 away from
    it), and `shift` is added. The default leaves scores bit for bit.

    company: by how much the logit of the network's own score rises for each e-fold of 1 + the number of other sure
    faces in the photo, up to `MANY`. Where there are many faces, a doubtful detection is more likely to be one, too,
    than in a landscape (contextual rescoring: Felzenszwalb et al., "Object Detection with Discriminatively Trained
    Part-Based Models", 2010). sure: the network's own score from which on a face counts for that. `apply` is of a
    detection alone; `in_company` adds what the others say."""

    temperature: float = 1.0
    shift: float = 0.0
    company: float = 0.0
    sure: float = 0.96

    def apply(self, scores: NDArray[Any]) -> NDArray[Any]:
        """The network's scores, 0..1, of any shape and float type, as they should be believed."""
        return _of_logits(scores, lambda logits: logits / self.temperature + self.shift) if self else scores

    def undo(self, scores: NDArray[Any]) -> NDArray[Any]:
        """From what `apply` gave to the network's scores."""
        return _of_logits(scores, lambda logits: (logits - self.shift) * self.temperature) if self else scores

    def in_company(self, scores: NDArray[Any]) -> NDArray[Any]:
        """The calibrated scores, (N,), of all detections of one photo, as they should be believed beside each other."""
        if not self.company:
            return scores
        sure = scores >= self.apply(np.array(self.sure))
        others = np.minimum(sure.sum() - sure, MANY)
        return _of_logits(scores, lambda logits: logits + self._gain(others))

    def lowest(self, threshold: float) -> float:
        """The lowest score of a detection alone that the others of a photo can raise to `threshold`."""
        if not self.company:
            return threshold
        return float(_of_logits(np.array(threshold), lambda logits: logits - self._gain(np.array(MANY))))

    def _gain(self, others: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.company / self.temperature * np.log1p(others)

    def __bool__(self) -> bool:
        """Whether it changes the score of a detection alone."""
        return (self.temperature, self.shift) != (1.0, 0.0)


def of_checkpoint(metadata: dict[str, Any]) -> Calibration:
    """What a checkpoint's metadata say; none where they say nothing."""
    default = asdict(Calibration())
    return Calibration(**{name: metadata.get(name, value) for name, value in default.items()})


def scoring(metadata: dict[str, Any], threshold: float | None = None) -> tuple[float, Calibration, float | None]:
    """What a checkpoint's metadata say of its detector's scores: the threshold, or the one that is given; the
    calibration; and the lowest score of what redaction covers, if it has one."""
    own = metadata.get("threshold", THRESHOLD)
    return own if threshold is None else threshold, of_checkpoint(metadata), metadata.get("covering_threshold")


def trusted(finds: NDArray[np.bool_], fitted: Calibration) -> str | None:
    """Why the calibration that was fitted to finds, (K,) right or not, should not be stored; None if it can be."""
    for what, count in (("right", int(finds.sum())), ("false", int((~finds).sum()))):
        if count < FEWEST:
            return (
                f"{counted(count, f'{what} find is', f'{what} finds are')} too few to fit it ({FEWEST} or more are "
                "needed)"
            )
    if np.isclose(1 / fitted.temperature, STEEPNESS).any() or np.isclose(abs(fitted.shift), SHIFT):
        return f"the fit ended at its limit (temperature {fitted.temperature:.3g}, shift {fitted.shift:+.3g})"
    return None


def fit(scores: NDArray[Any], right: NDArray[np.bool_]) -> Calibration | None:
    """What makes it most likely that the finds are right and wrong as they are (least negative log-likelihood).

    scores: (K,) in 0..1, the network's own. right: (K,). None where there is not at least one find of each kind.
    """
    from scipy.optimize import minimize

    if right.all() or not right.any():
        return None
    exact = np.clip(np.asarray(scores, np.float64), SURE, 1 - SURE)
    logits, kind = np.log(exact) - np.log1p(-exact), np.where(right, 1.0, -1.0)

    def loss(of: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """At (1 / temperature, shift), and its slope: this is logistic regression, and has one minimum."""
        speaks = kind * (logits * of[0] + of[1])  # how much is said for what happened
        slope = -kind / (1 + np.exp(np.clip(speaks, -700, 700)))
        return float(np.logaddexp(0, -speaks).mean()), np.array([(slope * logits).mean(), slope.mean()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[STEEPNESS, (-SHIFT, SHIFT)])
    return Calibration(float(1 / found.x[0]), float(found.x[1]))


def fitted_elsewhere(scores: NDArray[Any], right: NDArray[np.bool_], photo: NDArray[np.int64]) -> NDArray[Any] | None:
    """The scores (K,), each calibrated by what the other half of the photos fits; None where a half cannot be fitted.

    photo: (K,) the number of each find's photo. What a calibration is worth shows where it was not fitted.
    """
    result = np.empty_like(scores)
    for half in (0, 1):
        here = photo % 2 == half
        fitted = fit(scores[~here], right[~here])
        if fitted is None:
            return None
        result[here] = fitted.apply(scores[here])
    return result


def store(
    path: Path,
    calibration: Calibration,
    record: dict[str, Any],
    threshold: float | None = None,
    covering: float | None = None,
) -> float:
    """Write a calibration into the checkpoint at `path`, in place of what it had; its weights stay bit for bit.

    calibration: of the network's own scores; without a `company`, that of the checkpoint stays. The thresholds that the
    checkpoint holds, which are of the scores as they were, move along, so that they choose the same finds. record: what
    else to remember of the fit. threshold: a new one in place of the detector's, of the scores as they were. covering:
    likewise, the score from which on redaction covers a find.
    Returns the threshold that it has now. Raises InputError where the file is no checkpoint.
    """
    if not calibration.temperature > 0:
        raise InputError(f"a temperature of {calibration.temperature:g}: give a number above 0")
    metadata = checkpoint.metadata(path)
    own, before, kept_covering = scoring(metadata, threshold)

    def moved(threshold: float) -> float:
        return float(calibration.apply(before.undo(np.array(threshold))))

    metadata["threshold"] = moved(own)
    if covering is None:
        covering = kept_covering
    if covering is not None:
        metadata["covering_threshold"] = min(moved(covering), metadata["threshold"])
    for name in ("best_threshold", "best_f2_threshold"):
        if name in metadata.get("validation", {}):
            metadata["validation"][name] = moved(metadata["validation"][name])
    kept = calibration if calibration.company else replace(calibration, company=before.company, sure=before.sure)
    checkpoint.relabel(path, metadata | asdict(kept) | {"calibration": record})
    return metadata["threshold"]


def _of_logits(scores: NDArray[Any], change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[Any]:
    """Scores whose logits `change` has changed; 0 and 1 stay what they are, by way of infinity."""
    exact = np.asarray(scores, np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        changed = 1 / (1 + np.exp(-change(np.log(exact) - np.log1p(-exact))))
    return changed.astype(np.asarray(scores).dtype)
