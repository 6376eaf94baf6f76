"""The search for the best feature, compiled by numba: the one thing here that numpy is too slow for.

A round of boosting computes thousands of features of thousands of windows. In numpy each would be a pass over memory;
here a feature's values stay in the processor's cache, and every core takes features of its own.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

BINS = 128
"""Thresholds that are tried for a feature, evenly from its lowest to its highest value."""


@njit(parallel=True, fastmath=True, cache=True)
def search(
    starts: NDArray[np.int32],
    corners: NDArray[np.int32],
    counts: NDArray[np.float32],
    integrals: NDArray[np.float32],
    weights: NDArray[np.float32],
    signed: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """(F,) what the best threshold of each feature gains, and (F,) that threshold.

    starts, corners, counts: the features as a sparse matrix (its indptr, indices and data). integrals: (C, N).
    weights: (N,), signed: the weights of faces, and minus those of the others.

    The votes on the two sides of a threshold are the means of the windows' kinds there. They lower the squared error by
    the square of the sum of the signed weights over the sum of the weights, for either side: that is the gain.
    """
    features, windows = len(starts) - 1, integrals.shape[1]
    gains, thresholds = np.zeros(features), np.zeros(features, np.float32)
    for feature in prange(features):
        values = np.zeros(windows, np.float32)
        for place in range(starts[feature], starts[feature + 1]):
            numbers, count = integrals[corners[place]], counts[place]
            for window in range(windows):
                values[window] += count * numbers[window]
        lowest, highest = values.min(), values.max()
        if highest <= lowest:
            continue
        scale = np.float32(BINS * (1 - 1e-6)) / (highest - lowest)
        weight, sign = np.zeros(BINS), np.zeros(BINS)
        for window in range(windows):
            place = min(int((values[window] - lowest) * scale), BINS - 1)
            weight[place] += weights[window]
            sign[place] += signed[window]
        all_weight, all_sign = weight.sum(), sign.sum()
        low_weight = low_sign = 0.0
        for place in range(BINS - 1):
            low_weight += weight[place]
            low_sign += sign[place]
            high_weight, high_sign = all_weight - low_weight, all_sign - low_sign
            if low_weight > 1e-9 and high_weight > 1e-9:
                gain = low_sign * low_sign / low_weight + high_sign * high_sign / high_weight
                if gain > gains[feature]:
                    gains[feature] = gain
                    thresholds[feature] = lowest + (place + 1) / scale
    return gains, thresholds
