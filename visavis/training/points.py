"""What a network that finds points is worth on labelled faces: the outcome of a validation in training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.keypoints import LAYOUTS, Points
from visavis.messages import counted
from visavis.metrics import FEW

FAILED = 0.08
"""A mean error of more than this share of the distance between the eyes' outer corners is a failure."""


@dataclass(frozen=True)
class Located:
    """found, truth: (N, K, 2) pixels of the photos; NaN in `truth` where nobody said. pixel: (N,) of the crop that the
    network was shown, in pixels of the photo. spreads: (N, K) pixels by which each point is taken to be off along
    an axis, or None where the network does not say."""

    found: Points
    truth: Points
    pixel: NDArray[np.float64]
    spreads: NDArray[np.float32] | None = None

    def figures(self) -> dict[str, Any]:
        """See visavis.training.validation.Outcome."""
        errors = by_corners(self.found, self.truth)
        errors = errors[~np.isnan(errors)]
        values: dict[str, Any] = {
            "faces": len(errors),
            "nme": float(errors.mean()) if len(errors) else None,
            "failed": float((errors > FAILED).mean()) if len(errors) else None,
            "auc": area(errors) if len(errors) else None,
            "rmse_pixels": float(np.sqrt(np.nanmean(((self.found - self.truth) / self.pixel[:, None, None]) ** 2))),
        }
        if self.spreads is not None:
            off = np.abs(self.found - self.truth).mean(axis=2)
            values["spread_over_error"] = float(np.nanmean(self.spreads) / np.nanmean(off))
        return values

    @property
    def value(self) -> float:
        """The area under the curve of errors."""
        return self.figures()["auc"] or 0.0

    def threshold(self, current: float) -> float:
        """See Outcome: points have none."""
        return current

    def sentence(self) -> str:
        """See Outcome."""
        values = self.figures()
        off = f"{values['rmse_pixels']:.2f} pixels of the crop off (RMSE)"
        if not values["faces"]:
            return f"{off}; no face has both outer corners of the eyes labelled"
        return (
            f"mean error {values['nme']:.2%} of the distance between the eyes, {values['failed']:.1%} of the faces "
            f"above {FAILED:.0%}, area under the curve {values['auc']:.3f}, {off}; on "
            f"{counted(values['faces'], 'face')}"
        )

    def show(self, folder: Path, held_out: Sequence[Any], threshold: float) -> None:
        """Nothing is drawn but the curves."""

    def reservations(self, folder: Path, threshold: float) -> list[str]:
        """Too few faces."""
        count = len(self.found)
        return [
            f"{counted(count, 'validation face is', 'validation faces are')} few ({FEW} or more are needed): the "
            "error is uncertain"
        ] * (count < FEW)


def by_corners(found: Points, truth: Points) -> NDArray[np.float64]:
    """(N,): the mean distance of (N, K, 2) points from the true ones, as a share of the distance between the outer
    corners of the eyes (Sagonas et al. 2013); NaN where the true corners are not known."""
    return _mean(found, truth) / between_corners(truth)


def between_corners(points: Points) -> NDArray[np.float64]:
    """(N,): the distance between the outer corners of the eyes of (N, K, 2) points; NaN where one is not known."""
    left, right = LAYOUTS[points.shape[1]].corners
    return np.linalg.norm(points[:, left].astype(np.float64) - points[:, right], axis=1)


def by_diagonal(found: Points, truth: Points) -> NDArray[np.float64]:
    """(N,): the same as a share of the diagonal of the box around the true points."""
    size = np.nanmax(truth, axis=1) - np.nanmin(truth, axis=1)
    return _mean(found, truth) / np.linalg.norm(size, axis=1)


def area(errors: NDArray[np.float64]) -> float:
    """The area under the curve of the share of faces with at most an error, up to `FAILED`; 1 where all are 0."""
    return float(np.clip(1 - errors / FAILED, 0, None).mean())


def _mean(found: Points, truth: Points) -> NDArray[np.float64]:
    off = np.linalg.norm(found.astype(np.float64) - truth, axis=2)
    known = ~np.isnan(off)
    return np.where(known, off, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
