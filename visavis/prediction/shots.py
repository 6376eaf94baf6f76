"""The pictures that a run looked at, one by one: photos, and frames of videos."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from visavis.boxes import as_boxes
from visavis.faces import Faces
from visavis.prediction import frames
from visavis.prediction.records import SIDES, Face, Record
from visavis.sources import Input, ending

NO_ATTRIBUTES = {*SIDES, "score", "keypoints", "frame", "time"}
"""What a face's row has besides its attributes."""


@dataclass(frozen=True)
class Shot:
    """A picture and its faces.

    file: where it lies. place: of files about it, without an ending. path: of the input, as the tables have it.
    height, width: pixels as displayed. reason: a note (docs/reasons.md). frame: its number, of a video's.
    """

    file: str
    place: str
    path: str
    height: int
    width: int
    rows: list[Face]
    reason: str = ""
    frame: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height, width."""
        return self.height, self.width

    @property
    def boxes(self) -> list[list[float]]:
        """x1 y1 x2 y2, pixels."""
        return [[face[side] for side in SIDES] for face in self.rows]

    @property
    def faces(self) -> Faces:
        """Boxes, scores and attributes."""
        names = dict.fromkeys(name for face in self.rows for name in face if name not in NO_ATTRIBUTES)
        attributes = {name: np.array([_value(face.get(name)) for face in self.rows]) for name in names}
        scores = np.array([face["score"] for face in self.rows], np.float32)
        return Faces(as_boxes(self.boxes), scores, attributes=attributes)

    @property
    def name(self) -> str:
        """Of its file in a folder of such files: its place with the file's own ending, so that no two share one."""
        return self.place + ending(self.file)


def besides(face: Face) -> dict[str, Any]:
    """Score and attributes of a face, and of a video's its frame and time."""
    return {name: value for name, value in face.items() if name not in (*SIDES, "keypoints")}


def _value(value: Any) -> Any:
    return np.nan if value is None else value


def shots(records: Iterable[tuple[Input, Record]], out: Path) -> Iterator[Shot]:
    """All pictures that were looked at. Those of a video that broke off are among them, up to there."""
    for one, record in records:
        if record.width is None or record.height is None:
            continue
        size = record.height, record.width
        if record.frames is None:
            yield Shot(one.path, one.place, record.path, *size, record.faces, record.reason)
            continue
        assert record.every is not None
        found = {frame: list(faces) for frame, faces in groupby(record.faces, lambda face: face["frame"])}
        for frame in range(0, record.frames * record.every, record.every):
            file = os.fspath(frames.file_of(out, one.place, frame))
            yield Shot(file, f"{one.place}/{frame}", record.path, *size, found.get(frame, []), frame=frame)


def root(pictures: Iterable[Shot]) -> str:
    """The folder that all their files have in common, absolute."""
    common = ""
    for shot in pictures:
        folder = os.path.dirname(os.path.abspath(shot.file))
        common = os.path.commonpath([common, folder]) if common else folder
    return common
