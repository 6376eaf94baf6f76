"""How good the predicted attributes of labelled faces are: the outcome of a validation in training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.data.attributes import CLASSES
from visavis.messages import counted
from visavis.metrics import FEW

CLOSE = 5
"""Years by which an answer may be off and count as right."""


@dataclass(frozen=True)
class Predictions:
    """What a network said of faces, and what is known of them; arrays with a row a face.

    given: of each attribute that it predicts, (N, classes) or (N, years) probabilities, or (N, 1) years. labels: (N, 4)
    mask, age_low, age_high, gender; -1 where nobody said.
    """

    given: dict[str, NDArray[np.float32]]
    labels: NDArray[np.float32]

    @classmethod
    def of(cls, rows: NDArray[np.float32], outputs: dict[str, int], labels: NDArray[np.float32]) -> "Predictions":
        """From what all heads gave, side by side; outputs: how many numbers each gives."""
        parts = np.split(rows, np.cumsum(list(outputs.values()))[:-1], axis=1)
        return cls(dict(zip(outputs, parts, strict=True)), labels)

    def years(self) -> NDArray[np.float32]:
        """(N,): the predicted ages."""
        age = self.given["age"]
        return age[:, 0] if age.shape[1] == 1 else age @ np.arange(age.shape[1], dtype=np.float32)

    def figures(self) -> dict[str, Any]:
        """See visavis.training.validation.Outcome."""
        mask, low, high, gender = self.labels.T
        values: dict[str, Any] = {}
        for name, truth in (("mask", mask), ("gender", gender)):
            if name not in self.given:
                continue
            known = truth >= 0
            right = self.given[name][known].argmax(axis=1) == truth[known]
            recalls = [right[truth[known] == number] for number in range(len(CLASSES[name]))]
            values[f"{name}_faces"] = int(known.sum())
            values[f"{name}_accuracy"] = _mean(right)
            values[f"{name}_recall"] = _mean([one.mean() for one in recalls if len(one)])
            values |= {f"{name}_recall_{one}": _mean(some) for one, some in zip(CLASSES[name], recalls, strict=True)}
        if "age" in self.given:
            known = (low >= 0) & (low == high)
            off = np.abs(self.years()[known] - low[known])
            values |= {"age_faces": int(known.sum()), "age_mae": _mean(off), "age_within_5": _mean(off <= CLOSE)}
            values["age_mae_under_13"] = _mean(off[low[known] < 13])
            grouped = (low >= 0) & (low < high)
            years = np.round(self.years()[grouped])
            values["age_in_group"] = _mean((years >= low[grouped]) & (years <= high[grouped]))
        return values

    @property
    def value(self) -> float:
        """The mean of what the heads are worth: recall of masks and of genders, and ages within `CLOSE` years and in
        their groups."""
        figures = self.figures()
        shares = [figures.get(name) for name in ("mask_recall", "gender_recall", "age_within_5", "age_in_group")]
        return float(np.mean([share for share in shares if share is not None]))

    def threshold(self, current: float) -> float:
        """See Outcome: it is set when the scores are calibrated."""
        return current

    def sentence(self) -> str:
        """See Outcome."""
        values = {name: value for name, value in self.figures().items() if value is not None}
        shown = ", ".join(
            f"{words} {values[name]:.3f}"
            for name, words in (
                ("mask_recall", "mask: mean recall"),
                ("gender_accuracy", "gender: right"),
                ("age_mae", "age: years off"),
                ("age_in_group", "age: in its group"),
            )
            if name in values
        )
        return f"{shown}; on {counted(len(self.labels), 'face')}"

    def show(self, folder: Path, held_out: Sequence[Any], threshold: float) -> None:
        """Nothing is drawn but the curves."""

    def reservations(self, folder: Path, threshold: float) -> list[str]:
        """Classes of which few faces are known."""
        counts = {name: int((self.labels[:, 0] == number).sum()) for number, name in enumerate(CLASSES["mask"])}
        few = ", ".join(f"{name} ({count})" for name, count in counts.items() if count < FEW)
        asked = "mask" in self.given and (self.labels[:, 0] >= 0).any()
        return [f"of these masks too few faces are known for their recall to be sure: {few}"] if few and asked else []


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None
