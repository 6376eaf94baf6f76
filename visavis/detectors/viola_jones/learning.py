"""Learns a cascade stage after stage: each of faces, and of what the stages before it take for faces."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from visavis.detectors.viola_jones.boosting import Boosting, Stump
from visavis.detectors.viola_jones.cascade import Stage
from visavis.detectors.viola_jones.features import Corners, Rectangles
from visavis.options import Count, Range


@dataclass(frozen=True)
class CascadeRecipe:
    """How a cascade is learnt."""

    stages: Count = 20
    """Stages at most; there are fewer if hardly a window without a face passes those before."""
    detection: Annotated[float, Range(0.5, 1)] = 0.998
    """Share of the faces kept aside that each stage must let through."""
    false: Annotated[float, Range(0, 1, without=(0, 1))] = 0.5
    """Share of windows without a face that a stage may let through: features are added to it until then."""
    most: Count = 100
    """Features in a stage at most."""
    negatives: Count = 6000
    """Windows without a face that each stage learns from."""
    searches: Count = 2000
    """Photos that are searched for such windows at most, for each stage."""
    aside: Annotated[float, Range(0, 1, without=(0, 1))] = 0.2
    """Share of the windows of each kind that a stage does not learn from: they decide its threshold, and whether it is
    good enough."""
    tried: Annotated[float, Range(0, 1, without=(0,))] = 0.02
    """Share of all features that are tried each time one is added."""


SLACK = 1e-6
"""By which the threshold of a stage is lowered, so that rounding does not drop the face that decided it."""


@dataclass(frozen=True)
class Learnt:
    """A stage, and the shares of faces and of other windows, of those kept aside, that it lets through."""

    stage: Stage
    detection: float
    false: float


def learn_stage(
    rectangles: Rectangles,
    corners: Corners,
    faces: NDArray[np.float32],
    others: NDArray[np.float32],
    recipe: CascadeRecipe,
    rng: np.random.Generator,
) -> Learnt:
    """One stage. rectangles, corners: all features. faces, others: (C, N) integral images of windows, those that are
    kept aside first."""
    aside = [max(1, round(recipe.aside * windows.shape[1])) for windows in (faces, others)]
    kept = [faces[:, : aside[0]], others[:, : aside[1]]]
    learning = np.hstack([faces[:, aside[0] :], others[:, aside[1] :]])
    is_face = np.arange(learning.shape[1]) < faces.shape[1] - aside[0]
    sums = [np.zeros(windows.shape[1], np.float64) for windows in kept]
    stumps: list[Stump] = []
    threshold, false = 0.0, 1.0
    for stump, _ in Boosting(corners, learning, is_face, recipe.tried).rounds(rng):
        stumps.append(stump)
        for windows, total in zip(kept, sums, strict=True):
            total += stump.votes((corners[[stump.feature]] @ windows)[0])
        threshold = float(np.quantile(sums[0], 1 - recipe.detection, method="lower"))
        false = float((sums[1] >= threshold).mean())
        if false <= recipe.false or len(stumps) >= recipe.most:
            break
    stage = Stage(
        rectangles[[stump.feature for stump in stumps]],
        np.array([stump.threshold for stump in stumps], np.float32),
        np.array([stump.below for stump in stumps], np.float32),
        np.array([stump.above for stump in stumps], np.float32),
        threshold - SLACK,
    )
    return Learnt(stage, float((sums[0] >= threshold).mean()), false)
