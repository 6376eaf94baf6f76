"""Names that do not flicker: those of the same face in successive looks at a scene, by what most looks said."""

from collections import defaultdict, deque
from dataclasses import replace

import numpy as np

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
        answers = []
        for said, (name, score) in zip(self._said.look(faces.boxes, seconds), given, strict=True):
            if not np.isnan(score):
                said.append((name, score))
            answers.append(_answer(said))
        new = {
            "who": np.array([name for name, _ in answers], np.str_),
            "who_score": np.array([score for _, score in answers], np.float32),
        }
        return replace(faces, attributes=faces.attributes | new)


def _answer(said: _Said) -> tuple[str, float]:
    """The name with the most probability in all looks, and its mean; NaN where no look knew anything."""
    sums: dict[str, float] = defaultdict(float)
    for name, score in said:
        sums[name] += score
    best = max(sums, key=sums.__getitem__, default="")
    return best, sums[best] / len(said) if said else float("nan")
