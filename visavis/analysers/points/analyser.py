"""Points of faces by a network of this folder, on the CPU, without torch."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import checkpoint, onnx_files
from visavis.analysers import graph
from visavis.analysers.crops import Frame
from visavis.analysers.protocol import About
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import OneImage, Picture, taken
from visavis.keypoints import LAYOUTS, Points, converted

SHIPPED = checkpoint.SHIPPED.with_name("face_points.safetensors")
"""The checkpoint that comes with visavis."""
SMALLEST = 12
"""Pixels of a face's longer side; of a smaller one nothing is said."""
AT_ONCE = 32
"""Faces that go through the network together; their number in a picture is not limited, but memory is."""
UNSURE = 0.045
"""Of the square's side: where the points may be further off in the mean, the face may be upside down, and is looked at
so, too. Of faces that are turned by up to 120 degrees it is less."""
DISTANCE = 1.622
"""The mean distance of a point from its place, where what it is off along each axis has a mean of 1 (Laplace)."""
TURNED = math.radians(25)
"""A face that is turned by more is looked at once more, upright: the network is most exact there."""


class FacePoints:
    """The keypoints of each face, and how far off each is taken to be, by the network at `path`: a checkpoint of the
    kind face_points.

    The attribute `points_error`: how far off the points are taken to be in the mean, in percent of the face's longer
    side; NaN of faces below `SMALLEST`, whose points are NaN, too.
    """

    def __init__(self, path: Path = SHIPPED) -> None:
        self.about = About(partial(checkpoint.fingerprint, path))
        self._network = graph.loaded(Network, path)
        self.keypoints: tuple[str, ...] = LAYOUTS[self._network.count].names
        self.attributes: tuple[str, ...] = ("points_error",) if self._network.has_spreads else ()

    def analyse(self, picture: OneImage, faces: Faces) -> Faces:
        """See visavis.analysers.protocol.Analyser."""
        picture = taken(picture)
        points, spreads = self.locate(picture, faces.boxes)
        sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1, initial=0)
        columns: dict[str, NDArray[Any]] = {}
        if self.attributes:
            columns["points_error"] = (100 * spreads.mean(axis=1) / np.maximum(sides, 1)).astype(np.float32)
        errors = spreads if self._network.has_spreads else None
        return replace(faces, keypoints=points, errors=errors, attributes=faces.attributes | columns)

    def locate(self, picture: Picture, boxes: NDArray[np.float32]) -> tuple[Points, NDArray[np.float32]]:
        """(N, K, 2) points of the faces in these (N, 4) boxes, and (N, K) how far off each is taken to be; pixels."""
        count = self._network.count
        points = np.full((len(boxes), count, 2), np.nan, np.float32)
        spreads = np.full((len(boxes), count), np.nan, np.float32)
        large = np.flatnonzero((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= SMALLEST)
        frames = [Frame.around(boxes[face], self._network.margin) for face in large]
        found, said = self._network.look(picture, frames)
        unsure = [number for number, frame in enumerate(frames) if said[number].mean() > UNSURE * 2 * frame.half]
        upended = [replace(frames[number], angle=math.pi) for number in unsure]
        for number, other, how_far in zip(unsure, *self._network.look(picture, upended), strict=True):
            if how_far.mean() < said[number].mean():
                found[number], said[number] = other, how_far
        angles = roll(found)
        turned = [number for number in range(len(frames)) if abs(angles[number]) > TURNED]
        for number in turned:
            frames[number] = replace(frames[number], angle=float(angles[number]))
        found[turned], said[turned] = self._network.look(picture, [frames[number] for number in turned])
        points[large], spreads[large] = found, said
        return points, spreads


def points() -> FacePoints:
    """The shipped network's."""
    return FacePoints()


def roll(points: Points) -> NDArray[np.float64]:
    """(N,): radians by which faces with these (N, K, 2) points are turned, clockwise as one looks at the picture: that
    of the line from the left eye to the right one."""
    eyes = converted(points, 5)[:, :2].astype(np.float64)
    across = eyes[:, 1] - eyes[:, 0]
    return np.arctan2(across[:, 1], across[:, 0])


class Network:
    """A network in ONNX Runtime. Raises InputError for a file that is damaged."""

    def __init__(self, path: Path) -> None:
        from visavis.analysers.points.exported import write

        known = checkpoint.metadata(path)
        if known.get("kind") != "face_points":
            raise InputError(
                f"{path} holds a {known.get('arch')}, which finds no points of faces; give weights that "
                "train.py --arch face_points wrote"
            )
        self.side, self.margin, self.count = int(known["side"]), float(known["margin"]), int(known["count"])
        self._session = onnx_files.session(onnx_files.file(path, write), 1)  # predict has a process for each core
        self._outputs = [output.name for output in self._session.get_outputs()]

    @property
    def has_spreads(self) -> bool:
        """Whether it says how far off its points may be."""
        return "spreads" in self._outputs

    def look(self, picture: Picture, frames: Sequence[Frame]) -> tuple[Points, NDArray[np.float32]]:
        """(N, K, 2) points and (N, K) how far off each is taken to be, NaN where the network does not say; pixels."""
        points = np.full((len(frames), self.count, 2), np.nan, np.float32)
        spreads = np.full((len(frames), self.count), np.nan, np.float32)
        for first in range(0, len(frames), AT_ONCE):
            some = range(first, min(first + AT_ONCE, len(frames)))
            crops = np.stack([frames[face].cut(picture, self.side) for face in some])
            given = dict(zip(self._outputs, self._session.run(self._outputs, {"faces": crops}), strict=True))
            for number, face in enumerate(some):
                points[face] = frames[face].outside(given["points"][number])
                if "spreads" in given:
                    spreads[face] = given["spreads"][number] * DISTANCE * 2 * frames[face].half
        return points, spreads
