"""A cascade: stages of ever more features, each of which drops windows without a face before the next has to look.

In a stage every feature votes: by one value where it is below its threshold, and by another where it is not (a decision
stump). Windows whose votes add up to less than the stage's threshold are dropped. Some cascades of OpenCV have decision
trees instead: what a feature says decides which other one votes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.detectors.viola_jones.features import SIDE, Corners, corners


@dataclass(frozen=True, eq=False)
class Stage:
    """rectangles: (F, 3, 5), see features.py. thresholds: (F,) float32, of each feature's value, which is divided by
    the window's area and standard deviation. below, above: (F,) float32, the votes of values less than the threshold,
    and of the others. threshold: what the votes must add up to. width, height: of the window. tilted: see
    features.corners.

    parents: (F, 2), which makes trees of the features: which other one's decision leads to a feature, and whether that
    is for values below its threshold (0) or for the others (1); -1 where a tree begins. A decision that leads to
    another feature votes 0. None if all are stumps."""

    rectangles: NDArray[Any]
    thresholds: NDArray[np.float32]
    below: NDArray[np.float32]
    above: NDArray[np.float32]
    threshold: float
    width: int = SIDE
    height: int = SIDE
    tilted: NDArray[np.bool_] | None = None
    parents: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.thresholds)

    @cached_property
    def corners(self) -> Corners:
        """See features.corners."""
        return corners(self.rectangles, self.width, self.height, self.tilted)

    def margins(self, integrals: NDArray[np.float32], norms: NDArray[np.float32] | float = 1.0) -> NDArray[np.float64]:
        """(W,) by how much the votes for each window exceed the threshold; it is dropped if they fall short of it.

        integrals: ((height + 1) * (width + 1), W) the windows' integral images. norms: (W,) by what to multiply
        features.
        """
        values = (self.corners @ integrals) * norms
        return self.margins_of(values < self.thresholds[:, None])

    def margins_of(self, below: NDArray[np.bool_]) -> NDArray[np.float64]:
        """As `margins`. below: (F, W), whether each feature's value is below its threshold."""
        votes = np.where(below, self.below[:, None], self.above[:, None])
        if self.parents is not None:
            votes *= self._reached(below, self.parents)
        return votes.sum(axis=0, dtype=np.float64) - self.threshold

    def _reached(self, below: NDArray[np.bool_], parents: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(F, W) whether the decisions in its tree lead to a feature."""
        reached = np.ones_like(below)
        for feature, (parent, side) in enumerate(parents):
            if parent >= 0:
                reached[feature] = reached[parent] & (below[parent] != side)
        return reached


@dataclass(frozen=True, eq=False)
class Cascade:
    """width, height: of its window in pixels. inset: the standard deviation of a window is measured without so many
    pixels on each side. contrast: windows whose standard deviation is not above this are dropped."""

    stages: tuple[Stage, ...]
    width: int = SIDE
    height: int = SIDE
    inset: int = 0
    contrast: float = 0.0

    @property
    def features(self) -> int:
        """How many features all stages have together."""
        return sum(map(len, self.stages))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `of_arrays` makes a cascade from, to be stored: one of upright stumps, as visavis learns it."""
        stages = self.stages
        return {
            "rectangles": np.concatenate([stage.rectangles for stage in stages]).astype(np.int8),
            "thresholds": np.concatenate([stage.thresholds for stage in stages]),
            "below": np.concatenate([stage.below for stage in stages]),
            "above": np.concatenate([stage.above for stage in stages]),
            "stage_sizes": np.array([len(stage) for stage in stages], np.int32),
            "stage_thresholds": np.array([stage.threshold for stage in stages], np.float64),
        }


def of_arrays(arrays: dict[str, NDArray[Any]], **window: Any) -> Cascade:
    """The cascade of `Cascade.arrays`. window: the other fields of `Cascade`."""
    ends = np.cumsum(arrays["stage_sizes"])[:-1]
    parts = [np.split(arrays[name], ends) for name in ("rectangles", "thresholds", "below", "above")]
    stages = (
        Stage(rectangles.astype(np.int16), thresholds, below, above, float(threshold))
        for rectangles, thresholds, below, above, threshold in zip(*parts, arrays["stage_thresholds"], strict=True)
    )
    return Cascade(tuple(stages), **window)
