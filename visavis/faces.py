"""Faces: the one type that detectors return and everything else takes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes
from visavis.messages import counted

FIVE_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
"""The keypoints that many detectors give, in their order. Left and right are the picture's, the mouth's its corners."""
FARTHEST = 1e18
"""The largest coordinate, in pixels: with larger ones areas would not be finite."""


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of one picture, as parallel arrays. Labels and finds share it.

    boxes: (N, 4) float32, x1 y1 x2 y2, pixels of the picture as displayed.
    scores: (N,) float32 in 0..1; 1 for a label, and where none are given.
    keypoints: (N, K, 2) float32, x y, pixels, or None if none were looked for; NaN for one that is not known.
    attributes: name -> an array with one row a face.
    errors: (N, K) float32, the estimated error of each keypoint, pixels, or None if there is no estimate.

    Raises ValueError if the arrays do not have N rows or a box is not finite, and for a box or a keypoint beyond
    `FARTHEST`.
    """

    boxes: Boxes = field(default_factory=lambda: np.zeros((0, 4), dtype=np.float32))
    scores: NDArray[np.float32] | None = None  # an array from __post_init__ on
    keypoints: NDArray[np.float32] | None = None
    attributes: dict[str, NDArray[Any]] = field(default_factory=dict)
    errors: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        boxes = as_boxes(self.boxes)
        scores = np.ones(len(boxes)) if self.scores is None else self.scores
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "scores", np.asarray(scores, dtype=np.float32))
        if self.keypoints is not None:
            object.__setattr__(self, "keypoints", np.asarray(self.keypoints, dtype=np.float32))
        if self.errors is not None:
            object.__setattr__(self, "errors", np.asarray(self.errors, dtype=np.float32))
        object.__setattr__(self, "attributes", {name: np.asarray(rows) for name, rows in self.attributes.items()})
        assert self.scores is not None
        if self.scores.ndim != 1:
            raise ValueError(f"scores must have the shape (N,), not {self.scores.shape}")
        if np.isnan(self.scores).any():
            raise ValueError(f"face {int(np.argmax(np.isnan(self.scores)))} has a score that is not a number")
        if not np.isfinite(boxes).all():
            raise ValueError(f"face {int(np.argmin(np.isfinite(boxes).all(axis=1)))} has a box that is not finite")
        columns = {"scores": self.scores, "keypoints": self.keypoints, "errors": self.errors, **self.attributes}
        for name, column in columns.items():
            if column is not None and not np.ndim(column):
                raise ValueError(f"{name} must be an array with one row a face, not {column[()]!r}")
            if column is not None and len(column) != len(boxes):
                raise ValueError(f"{name} has {counted(len(column), 'row')} for {counted(len(boxes), 'face')}")
        for name, places in (("box", boxes), ("keypoint", self.keypoints)):
            beyond = [] if places is None else np.argwhere(np.abs(places) > FARTHEST)[:, 0].tolist()
            if beyond:
                raise ValueError(f"face {beyond[0]} has a {name} beyond {FARTHEST:g} pixels")

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Any) -> "Faces":
        """Select faces by a mask, a slice, or indices; the result is Faces again."""
        index = np.atleast_1d(np.asarray(index)) if not isinstance(index, slice) else index
        if isinstance(index, np.ndarray) and index.size == 0 and index.dtype != bool:
            index = index.astype(np.int64)
        assert self.scores is not None
        return Faces(
            self.boxes[index],
            self.scores[index],
            None if self.keypoints is None else self.keypoints[index],
            {name: column[index] for name, column in self.attributes.items()},
            None if self.errors is None else self.errors[index],
        )

    def above(self, threshold: float) -> "Faces":
        """Those with a score of at least `threshold`."""
        assert self.scores is not None
        return self[self.scores >= threshold]
