"""The pictures that a run searched, one by one: photos, and frames of videos."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from visavis.boxes import SIDES, as_boxes
from visavis.faces import Faces
from visavis.prediction import frames
from visavis.prediction.records import Face, Record
from visavis.sources import Input, ending

NOT_ATTRIBUTES = {*SIDES, "score", "keypoints", "errors", "frame", "time"}
"""The fields of a face that are not attributes."""


@dataclass(frozen=True)
class Shot:
    """A picture and its faces.

    file: its path. place: the name of files about it, without an ending. path: of the input, as in the tables.
    height, width: pixels as displayed. reason: a note (docs/reasons.md). frame: its number, if it is of a video.
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
        names = dict.fromkeys(name for face in self.rows for name in face if name not in NOT_ATTRIBUTES)
        attributes = {name: np.array([_value(face.get(name)) for face in self.rows]) for name in names}
        scores = np.array([face["score"] for face in self.rows], np.float32)
        return Faces(as_boxes(self.boxes), scores, attributes=attributes)

    @property
    def name(self) -> str:
        """A name for its file among others: its place with the file's own ending, so that no two share one."""
        return self.place + ending(self.file)


def properties(face: Face) -> dict[str, Any]:
    """Score and attributes of a face, and its frame and time if it is in a video."""
    return {name: value for name, value in face.items() if name not in (*SIDES, "keypoints", "errors")}


def _value(value: Any) -> Any:
    return np.nan if value is None else value


def shots(records: Iterable[tuple[Input, Record]], out: Path) -> Iterator[Shot]:
    """All pictures that were searched, with those of a video that broke off, up to that point."""
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
    """The deepest folder that has all their files in it or below it, as an absolute path."""
    common = ""
    for shot in pictures:
        folder = os.path.dirname(os.path.abspath(shot.file))
        common = os.path.commonpath([common, folder]) if common else folder
    return common
