"""Names that do not flicker: those of the same face in successive looks at a scene, by what most looks said."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from visavis.boxes import SIDES, Boxes, as_boxes
from visavis.faces import Faces
from visavis.video.remembering import Remembered

LOOKS = 15
"""The last looks at a face that have a say."""
FORGOTTEN = 10.0
"""Seconds after which a face that is not seen any more is a new one: a slow machine looks every few seconds only."""

_Said = deque[tuple[str, float]]
"""What the last looks at a face said: a name ("" for nobody) and its score."""


class SteadyNames:
    """The faces of one scene, look by look."""

    def __init__(self) -> None:
        self._said: Remembered[_Said] = Remembered(lambda: deque(maxlen=LOOKS), FORGOTTEN)

    def of_faces(self, faces: Faces, seconds: float) -> Faces:
        """The faces of a look, whose time is given in seconds, with attributes `who` and `who_score` that the looks
        before have a say in; as they are without such attributes."""
        if "who" not in faces.attributes:
            return faces
        given = zip(faces.attributes["who"].tolist(), faces.attributes["who_score"].tolist(), strict=True)
        names, scores = self._settled(faces.boxes, list(given), seconds)
        new = {"who": np.array(names, np.str_), "who_score": np.array(scores, np.float32)}
        return replace(faces, attributes=faces.attributes | new)

    def of_rows(self, rows: Sequence[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
        """The same for rows of a record, in which a score that is not known is None."""
        if not all("who" in row for row in rows):
            return list(rows)
        boxes = as_boxes([[row[side] for side in SIDES] for row in rows])
        given = [(row["who"], np.nan if row["who_score"] is None else row["who_score"]) for row in rows]
        names, scores = self._settled(boxes, given, seconds)
        return [
            row | {"who": name, "who_score": None if np.isnan(score) else round(score, 4)}
            for row, name, score in zip(rows, names, scores, strict=True)
        ]

    def _settled(self, boxes: Boxes, given: list[tuple[str, float]], seconds: float) -> tuple[list[str], list[float]]:
        answers = []
        for said, (name, score) in zip(self._said.look(boxes, seconds), given, strict=True):
            if not np.isnan(score):
                said.append((name, score))
            answers.append(_answer(said))
        return [name for name, _ in answers], [score for _, score in answers]


def _answer(said: _Said) -> tuple[str, float]:
    """The name with the most probability in all looks, and its mean; NaN where no look knew anything."""
    sums: dict[str, float] = defaultdict(float)
    for name, score in said:
        sums[name] += score
    best = max(sums, key=sums.__getitem__, default="")
    return best, sums[best] / len(said) if said else float("nan")
