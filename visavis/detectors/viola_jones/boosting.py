"""Boosting: out of many features, the one after the other that helps those before it most.

Gentle AdaBoost (Friedman, Hastie, Tibshirani, "Additive Logistic Regression", 2000), which makes better cascades of the
same features than the discrete AdaBoost of the paper (Lienhart, Kuranov, Pisarevsky, "Empirical Analysis of Detection
Cascades", 2003): a feature votes by how sure it is on either side of its threshold, and not by the same amount.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.detectors.viola_jones.features import Corners
from visavis.extras import needed

INSTALL = "pip install 'visavis[cascade]'"


@dataclass(frozen=True)
class Stump:
    """A feature by its number, with its threshold and the votes of values below it, and of the others."""

    feature: int
    threshold: float
    below: float
    above: float

    def votes(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) of the windows in which the feature has these values."""
        return np.where(values < np.float32(self.threshold), np.float32(self.below), np.float32(self.above))


class Boosting:
    """Chooses features for windows with and without a face.

    corners: (F, C) sparse, of all features (features.corners). integrals: (C, N) float32, of the windows, with mean 0
    and standard deviation 1. faces: (N,) bool. share: of all features that are tried in each round. Others are tried in
    the next, so that little is lost, and much time won. Raises InputError if numba is not installed.
    """

    def __init__(
        self, corners: Corners, integrals: NDArray[np.float32], faces: NDArray[np.bool_], share: float
    ) -> None:
        needed("numba", "learning a cascade", INSTALL)
        from visavis.detectors.viola_jones.search import search

        self._search = search
        self._corners, self._integrals = corners, integrals
        self._kinds = np.where(faces, np.float32(1), np.float32(-1))
        self.weights = np.where(faces, 0.5 / max(1, faces.sum()), 0.5 / max(1, (~faces).sum())).astype(np.float32)
        self._tried = max(1, round(share * corners.shape[0]))

    def rounds(self, rng: np.random.Generator) -> Iterator[tuple[Stump, NDArray[np.float32]]]:
        """One feature after the other, without an end, and its votes for the (N,) windows. What it gets wrong counts
        more in the next round."""
        while True:
            chosen = rng.choice(self._corners.shape[0], self._tried, replace=False)
            some = self._corners[chosen]
            signed = self.weights * self._kinds
            gains, thresholds = self._search(
                some.indptr, some.indices, some.data, self._integrals, self.weights, signed
            )
            best = int(gains.argmax())
            values = (some[[best]] @ self._integrals)[0]
            stump = self._stump(int(chosen[best]), values, thresholds[best])
            votes = stump.votes(values)
            self.weights = self.weights * np.exp(-votes * self._kinds)
            self.weights /= self.weights.sum()
            yield stump, votes

    def _stump(self, feature: int, values: NDArray[np.float32], threshold: np.float32) -> Stump:
        """The vote on either side is the mean of the windows' kinds there, from -1 to 1, by their weights."""
        low = values < threshold
        votes = []
        for side in (low, ~low):
            weights = self.weights[side]
            votes.append(float((weights * self._kinds[side]).sum() / max(weights.sum(), 1e-12)))
        return Stump(feature, float(threshold), votes[0], votes[1])
