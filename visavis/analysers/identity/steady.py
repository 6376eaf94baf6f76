"""Names that do not flicker: those of the same face in successive looks at a scene, by what most looks said."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes, iou
from visavis.faces import Faces
from visavis.video.spans import pairs

LOOKS = 15
"""The last looks at a face that have a say."""
SAME = 0.3
"""IoU of boxes in two looks from which on they are of one face."""
FORGOTTEN = 10.0
"""Seconds after which a face that is not seen any more is a new one: a slow machine looks every few seconds only."""


@dataclass
class _Seen:
    """A face: its last box, when that was, and what the last looks said: a name ("" for nobody) and its score."""

    box: NDArray[np.float32]
    seconds: float
    said: deque[tuple[str, float]] = field(default_factory=lambda: deque(maxlen=LOOKS))

    def answer(self) -> tuple[str, float]:
        """The name with the most probability in all looks, and its mean; NaN where no look knew anything."""
        sums: dict[str, float] = defaultdict(float)
        for name, score in self.said:
            sums[name] += score
        best = max(sums, key=sums.__getitem__, default="")
        return best, sums[best] / len(self.said) if self.said else float("nan")


class SteadyNames:
    """The faces of one scene, look by look."""

    def __init__(self) -> None:
        self._seen: list[_Seen] = []

    def of_faces(self, faces: Faces, seconds: float) -> Faces:
        """The faces of a look, whose time is given in seconds, with attributes `who` and `who_score` that the looks
        before have a say in; as they are without such attributes."""
        if "who" not in faces.attributes:
            return faces
        told = zip(faces.attributes["who"].tolist(), faces.attributes["who_score"].tolist(), strict=True)
        names, scores = self._settled(faces.boxes, list(told), seconds)
        new = {"who": np.array(names, np.str_), "who_score": np.array(scores, np.float32)}
        return replace(faces, attributes=faces.attributes | new)

    def of_rows(self, rows: Sequence[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
        """The same for rows of a record, in which a score that is not known is None."""
        if not all("who" in row for row in rows):
            return list(rows)
        boxes = as_boxes([[row[side] for side in ("x1", "y1", "x2", "y2")] for row in rows])
        told = [(row["who"], np.nan if row["who_score"] is None else row["who_score"]) for row in rows]
        names, scores = self._settled(boxes, told, seconds)
        return [
            row | {"who": name, "who_score": None if np.isnan(score) else round(score, 4)}
            for row, name, score in zip(rows, names, scores, strict=True)
        ]

    def _settled(self, boxes: Boxes, told: list[tuple[str, float]], seconds: float) -> tuple[list[str], list[float]]:
        alive = [one for one in self._seen if 0 <= seconds - one.seconds <= FORGOTTEN]
        now = [_Seen(box, seconds) for box in boxes]
        went_on = set()
        for old, face in zip(*pairs(as_boxes([one.box for one in alive]), boxes), strict=True):
            if iou(alive[old].box[None], boxes[face : face + 1])[0, 0] >= SAME:
                now[face].said = alive[old].said
                went_on.add(int(old))
        for one, (name, score) in zip(now, told, strict=True):
            if not np.isnan(score):
                one.said.append((name, score))
        self._seen = now + [one for number, one in enumerate(alive) if number not in went_on]
        answers = [one.answer() for one in now]
        return [name for name, _ in answers], [score for _, score in answers]
