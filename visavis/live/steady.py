"""What is shown of the faces before a camera, without flicker.

Points are found at each look, and steadied. Whatever else analysers say of a face is asked for twice a second, and
stays until then: an age that is another one with each frame cannot be read. Names have the votes of several looks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from visavis.analysers.identity.steady import SteadyNames
from visavis.faces import Faces
from visavis.prediction.analysis import Analysis
from visavis.video.remembering import Remembered
from visavis.video.steadying import Steadier

PAUSE = 0.5
"""Seconds after which analysers are asked again about a face that they have been asked about."""
FORGOTTEN = 1.0
"""Seconds after which a face that is not seen any more is a new one."""

Ask = Callable[[Analysis, Faces], Faces]
"""Has an analysis done, of the faces of the picture that is looked at."""


@dataclass
class _Said:
    """What analysers said of a face, and when that was."""

    attributes: dict[str, Any] = field(default_factory=dict)
    seconds: float = -np.inf


class Steady:
    """The faces before one camera, look by look."""

    def __init__(self) -> None:
        self._points, self._names = Steadier(), SteadyNames()
        self._analysis = Analysis()
        self._said = Remembered(_Said, FORGOTTEN)

    def analysed(self, faces: Faces, seconds: float, analysis: Analysis, ask: Ask) -> Faces:
        """The faces of a look, with what analysers say of them. Where others are wanted than at the look before, all
        faces are asked about anew."""
        if analysis != self._analysis:
            self._analysis, self._said = analysis, Remembered(_Said, FORGOTTEN)
        pointing, telling = _parts(analysis)
        if pointing and len(faces):
            faces = self._points.steady(ask(pointing, faces), seconds)
        return self._told(faces, seconds, telling, ask) if telling else faces

    def pointed(self, faces: Faces, seconds: float, point: Callable[[Faces], Faces]) -> Faces:
        """The faces of a look with the points that `point` gives them, steadied: those that `analysed` has steadied
        already stay."""
        return point(faces) if faces.keypoints is not None else self._points.steady(point(faces), seconds)

    def _told(self, faces: Faces, seconds: float, telling: Analysis, ask: Ask) -> Faces:
        known = self._said.look(faces.boxes, seconds)
        due = [number for number, said in enumerate(known) if seconds - said.seconds >= PAUSE]
        if due:
            told = self._names.of_faces(ask(telling, faces[due]), seconds)
            for row, number in enumerate(due):
                known[number].attributes = {name: column[row] for name, column in told.attributes.items()}
                known[number].seconds = seconds
        return replace(faces, attributes=faces.attributes | _columns([said.attributes for said in known]))


def _parts(analysis: Analysis) -> tuple[Analysis, Analysis]:
    """The analysers that give keypoints, and the others."""
    pointing = tuple(name for name in analysis.names if replace(analysis, names=(name,)).loaded().keypoints)
    others = tuple(name for name in analysis.names if name not in pointing)
    return replace(analysis, names=pointing), replace(analysis, names=others)


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}
