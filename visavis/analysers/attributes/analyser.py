"""Attributes of faces by a network of this folder, such as mask, age and gender at once; on the CPU, without torch."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import checkpoint, onnx_files
from visavis.analysers import graph
from visavis.analysers.attributes.designs import DESIGNS
from visavis.analysers.crops import cut, square
from visavis.analysers.protocol import About
from visavis.data.attributes import CLASSES
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import OneImage, Picture, taken

SHIPPED = checkpoint.SHIPPED.with_name("face_attributes.safetensors")
"""The checkpoint that comes with visavis."""
HEADS = {
    "mask": ("mask", "mask_score"),
    "age": ("age", "age_low", "age_high"),
    "gender": ("gender", "gender_score"),
}
"""What is asked for -> the attributes that it gives."""
SMALLEST = 8
"""Pixels of a face's longer side; of a smaller one nothing is said."""
AT_ONCE = 32
"""Faces that go through the network together; their number in a picture is not limited, but memory is."""
WITHIN = 0.8
"""The share of faces whose age should lie from age_low to age_high."""


class FaceAttributes:
    """Some of `HEADS`, by the network at `path`, a checkpoint of the kind face_attributes; by default all that it has.

    mask: `worn`, `wrong` (nose, mouth or chin free) or `none`. age: years, as the face looks, and between which years
    it lies of 8 faces in 10. gender: as the labels have it. A class has a score, how often such answers are right.
    Where that is below the network's limit, or the years are further apart than its limit, nothing is said ("" and
    NaN), and nothing of faces below `SMALLEST`. Raises InputError for a head that the network does not have.
    """

    keypoints: tuple[str, ...] = ()

    def __init__(self, heads: Sequence[str] = (), path: Path = SHIPPED) -> None:
        self._network = graph.loaded(Network, path)
        self.heads, self.path = tuple(dict.fromkeys(heads)) or self._network.heads, path
        for name in self.heads:
            if name not in self._network.heads:
                raise InputError(f"{path} predicts {' and '.join(self._network.heads)}, and no {name}")
        self.attributes = tuple(name for head in self.heads for name in HEADS[head])
        self.about = About(partial(checkpoint.fingerprint, path), self._joined)

    def analyse(self, picture: OneImage, faces: Faces) -> Faces:
        """See visavis.analysers.protocol.Analyser."""
        picture = taken(picture)
        sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1) if len(faces) else np.zeros(0)
        large = np.flatnonzero(sides >= SMALLEST)
        given = self._network.look(picture, faces.boxes[large])
        temperatures, limits = self._network.temperatures, self._network.limits
        columns: dict[str, NDArray[Any]] = {}
        for head in self.heads:
            its = answers(head, given[head], temperatures.get(head), limits.get(head))
            for name, values in its.items():
                column = np.full(len(faces), "" if values.dtype.kind == "U" else np.nan, values.dtype)
                column[large] = values
                columns[name] = column
        return replace(faces, attributes=faces.attributes | columns)

    def look(self, picture: Picture, boxes: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """What the network gives of the faces in these (N, 4) boxes, before any calibration: see `Network.look`."""
        return self._network.look(picture, boxes)

    def _joined(self, other: object) -> "FaceAttributes | None":
        """One analyser that gives what both give; None if the other is not of the same network."""
        if not isinstance(other, FaceAttributes) or other.path != self.path:
            return None
        return FaceAttributes(self.heads + other.heads, self.path)


def mask() -> FaceAttributes:
    """The shipped network's `mask`."""
    return FaceAttributes(["mask"])


def age() -> FaceAttributes:
    """The shipped network's `age`."""
    return FaceAttributes(["age"])


def gender() -> FaceAttributes:
    """The shipped network's `gender`."""
    return FaceAttributes(["gender"])


def answers(
    head: str, rows: NDArray[np.float32], temperature: float | None = None, limit: float | None = None
) -> dict[str, NDArray[Any]]:
    """The attributes of faces by what a head gives: (N, classes) probabilities, or (N, 1) years.

    temperature: see `calibrated`; of years, how many to either side of the answer 8 faces in 10 lie, and where that is
    not known, neither are age_low and age_high. limit: the least score with which a class is given, or how many years
    age_low and age_high may be apart for an age to be given.
    """
    if head == "age":
        return _ages(rows, temperature, limit)
    rows = calibrated(rows, temperature)
    scores = rows.max(axis=1, initial=0)
    names = np.array(CLASSES[head])[rows.argmax(axis=1)] if len(rows) else np.zeros(0, "U1")
    sure = scores >= (limit or 0)
    return {head: np.where(sure, names, ""), f"{head}_score": np.where(sure, scores, np.nan).astype(np.float32)}


def _ages(rows: NDArray[np.float32], temperature: float | None, widest: float | None) -> dict[str, NDArray[Any]]:
    if rows.shape[1] == 1:
        age = np.maximum(rows[:, 0], 0).round(1)
        apart = np.nan if temperature is None else temperature
        low, high = np.maximum(age - apart, 0).round(), (age + apart).round()
    else:
        total = (rows := calibrated(rows, temperature)).cumsum(axis=1)
        age = (rows @ np.arange(rows.shape[1], dtype=np.float32)).round(1)
        low, high = ((total < share).sum(axis=1) for share in ((1 - WITHIN) / 2, (1 + WITHIN) / 2))
    vague = high - low > (np.inf if widest is None else widest)
    return {
        name: np.where(vague, np.nan, one).astype(np.float32)
        for name, one in zip(HEADS["age"], (age, low, high), strict=True)
    }


class Network:
    """A network in ONNX Runtime, and how its answers are calibrated. Raises InputError for a file that is damaged."""

    def __init__(self, path: Path) -> None:
        from visavis.analysers.attributes.exported import write

        known = checkpoint.metadata(path)
        if known.get("kind") != "face_attributes":
            raise InputError(
                f"{path} holds a {known.get('arch')}, which predicts no attributes of faces; give weights that "
                f"train.py --arch {' or '.join(DESIGNS)} wrote"
            )
        self.heads = tuple(known["heads"])
        self.side, self.margin = int(known["side"]), float(known["margin"])
        self.temperatures: dict[str, float] = known.get("temperatures", {})
        self.limits: dict[str, float] = known.get("limits", {})
        self._session = onnx_files.session(onnx_files.file(path, write), 1)  # predict has a process for each core

    def look(self, picture: Picture, boxes: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """What each head gives of the faces in these (N, 4) boxes: (N, classes) probabilities, or (N, 1) years."""
        parts = [self._of(picture, boxes[first : first + AT_ONCE]) for first in range(0, max(1, len(boxes)), AT_ONCE)]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.heads}

    def _of(self, picture: Picture, boxes: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        crops = [cut(picture, square(box, self.margin), self.side) for box in boxes]
        faces = np.stack(crops) if crops else np.zeros((0, self.side, self.side, 3), np.uint8)
        given: Any = self._session.run(list(self.heads), {"faces": faces})
        return dict(zip(self.heads, given, strict=True))


def calibrated(probabilities: NDArray[np.float32], temperature: float | None) -> NDArray[np.float32]:
    """(N, classes) probabilities, as if their logits had been divided by `temperature` (Guo et al. 2017); None: 1."""
    if temperature is None or temperature == 1:
        return probabilities
    log = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) / temperature
    power = np.exp(log - log.max(axis=1, keepdims=True, initial=-np.inf))
    return (power / power.sum(axis=1, keepdims=True)).astype(np.float32)
