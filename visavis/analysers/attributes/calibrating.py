"""How far the network's answers can be believed, fitted to labelled faces and stored in its checkpoint.

Classes: the temperature that makes the labels most likely (Guo et al., "On Calibration of Modern Neural Networks",
2017). Age: the one at which the share of faces whose age lies from age_low to age_high is what it should be; of
a network whose age is a number, the years to either side of it between which that share lies.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import checkpoint
from visavis.analysers.attributes.analyser import WITHIN, answers, calibrated
from visavis.metrics import FEW

LIMITS = {"mask": 0.6, "gender": 0.6, "age": 45.0}
"""Scores below which nothing is said, for such answers are little better than a guess; of age, how many years
age_low and age_high may be apart: half of a life says nothing."""
TEMPERATURES = np.geomspace(0.25, 4, 81)
"""Those that are tried."""


def of_classes(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> float | None:
    """The temperature for (N, classes) probabilities of faces of known classes (N,); None where those are too few."""
    if len(truth) < FEW or len(np.unique(truth)) < 2:
        return None
    rows = np.arange(len(truth))
    losses = [-np.log(np.maximum(calibrated(probabilities, one)[rows, truth], 1e-12)).mean() for one in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def of_ages(rows: NDArray[np.float32], ages: NDArray[np.float64]) -> float | None:
    """The temperature for (N, years) probabilities, or (N, 1) years, of faces of known ages (N,); None where those are
    too few."""
    if len(ages) < FEW:
        return None
    if rows.shape[1] == 1:
        return float(np.quantile(np.abs(rows[:, 0] - ages), WITHIN))
    apart = []
    for one in TEMPERATURES:
        given = answers("age", rows, one)
        apart.append(abs(((given["age_low"] <= ages) & (ages <= given["age_high"])).mean() - WITHIN))
    return float(TEMPERATURES[int(np.argmin(apart))])


def store(path: Path, temperatures: dict[str, float], record: dict[str, Any]) -> None:
    """Put them into the checkpoint at `path`; record: what they were fitted to. Others that it has stay."""
    metadata = checkpoint.metadata(path)
    together = metadata.get("temperatures", {}) | {name: round(one, 4) for name, one in temperatures.items()}
    limits = {name: limit for name, limit in LIMITS.items() if name in metadata["heads"]}
    checkpoint.relabel(path, metadata | {"temperatures": together, "limits": limits, "calibrated": record})
