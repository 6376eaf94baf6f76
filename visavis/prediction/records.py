"""What became of each input, as plain values: what a run writes into its journal, its tables and its formats."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import SIDES
from visavis.errors import ImageError
from visavis.faces import Faces
from visavis.messages import say
from visavis.sources import Input, shown

Face = dict[str, Any]
"""`SIDES` in pixels of the photo as displayed, rounded to 0.01; `score`, to 0.0001; `keypoints` if any are given (x and
y of each, as the sides, or None if one is not known) and `errors`, by how far each may be off; and the value of each
attribute, with None for NaN."""


@dataclass(frozen=True)
class Record:
    """One input and what became of it: a row of files.csv, and its rows of faces.csv.

    status: `ok`, `unreadable` or `skipped`. reason: a keyword (docs/reasons.md), or empty. height, width: pixels as
    displayed, or None if the input was not read. seconds: the time to decode it, and its share of its batch's time in
    the network. frames: of a video, how many were searched: 0, every, 2 every ...; its faces have `frame`, the frame's
    number, and `time`, in seconds. left_out: the number of faces that are not in `faces` because they are too small.
    unsure: the number of those that are not because their scores are below the threshold; redaction covers these, and
    what is found in a photo with transparency only on black or without the transparency, which counts here, too.
    """

    path: str
    status: str
    reason: str = ""
    width: int | None = None
    height: int | None = None
    seconds: float = 0.0
    faces: list[Face] = field(default_factory=list)
    frames: int | None = None
    every: int | None = None
    left_out: int = 0
    unsure: int = 0

    def as_json(self) -> str:
        """One line."""
        values = asdict(self) | {"seconds": round(self.seconds, 3)}
        if self.frames is None:
            del values["frames"], values["every"]
        return json.dumps(values, separators=(",", ":"))


def reported(faces: Faces, min_size: float, threshold: float = 0) -> NDArray[np.bool_]:
    """(N,) which faces to report: those whose shorter side has at least `min_size` pixels and whose score is not below
    `threshold`."""
    large = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) >= min_size
    return np.asarray(large & (np.asarray(faces.scores) >= threshold))


def count_unreported(faces: Faces, min_size: float, threshold: float = 0) -> tuple[int, int]:
    """How many faces are not reported: `left_out` and `unsure` of a `Record`."""
    sure = np.asarray(faces.scores) >= threshold
    return int((sure & ~reported(faces, min_size)).sum()), int((~sure).sum())


def face_rows(faces: Faces) -> list[Face]:
    """The faces as plain values, highest score first."""
    boxes = np.round(faces.boxes.astype(np.float64), 2).tolist()
    scores = np.round(np.asarray(faces.scores, np.float64), 4).tolist()
    columns = {name: [_plain(value) for value in values.tolist()] for name, values in faces.attributes.items()}
    if faces.keypoints is not None:
        columns["keypoints"] = [[_place(point) for point in face] for face in faces.keypoints.tolist()]
    if faces.errors is not None:
        columns["errors"] = [[_rounded(error) for error in face] for face in faces.errors.tolist()]
    return [
        dict(zip(SIDES, box, strict=True)) | {"score": score} | {name: column[n] for name, column in columns.items()}
        for n, (box, score) in enumerate(zip(boxes, scores, strict=True))
    ]


def _rounded(value: float) -> float | None:
    """Pixels to 0.01, None for NaN, which JSON does not have."""
    return round(value, 2) if math.isfinite(value) else None


def _place(point: list[float]) -> list[float] | None:
    return [round(value, 2) for value in point] if all(map(math.isfinite, point)) else None


def _plain(value: Any) -> Any:
    """The value of an attribute: numbers rounded to 0.0001, and None for NaN and infinity, which JSON does not have."""
    if not isinstance(value, float):
        return value
    return round(value, 4) if math.isfinite(value) else None


def crashed(path: str, error: Exception) -> ImageError:
    """An unexpected error as an ImageError of the file with which it happened."""
    return ImageError("crashed", f"{shown(path)}: {type(error).__name__}: {' '.join(str(error).split())}")


def unreadable(error: ImageError) -> tuple[str, str]:
    """Status and reason. The details of an unexpected error go to stderr, since the keyword says little about it."""
    if error.reason == "crashed":
        say(error.detail)
    return "unreadable", error.reason


def unopened(one: Input) -> Record:
    """The record of an input that is not opened."""
    return Record(shown(one.path), one.status, one.reason)
