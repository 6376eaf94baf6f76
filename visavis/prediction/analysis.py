"""The analysers of a run, by name and loaded once in each process, and how their answers are shown on drawn copies."""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from visavis.analysers import Analyser, AnalyserOptions, load_with
from visavis.analysers.protocol import Analysers, Origin, about
from visavis.drawing import APART, LEFT_OUT, MASKS, Colour
from visavis.faces import Faces
from visavis.images import Picture


@dataclass(frozen=True)
class Analysis:
    """The analysers of these names, in this order. Worker processes receive the names and load the analysers
    themselves. out: the folder of results, in which they may keep what they found of photos."""

    names: tuple[str, ...] = ()
    options: AnalyserOptions = AnalyserOptions()
    out: Path | None = None

    def __bool__(self) -> bool:
        """Whether there is any analyser."""
        return bool(self.names)

    def loaded(self) -> Analysers:
        """The analysers. Raises InputError if one cannot be loaded."""
        return _joined(self.names, self.options)

    def identified(self) -> list[str]:
        """The names, each with its fingerprint, if it has one: where these are equal, so are the answers."""
        fingerprints = [about(_loaded(name, self.options)).fingerprint() for name in self.names]
        return [f"{name} ({one})" if one else name for name, one in zip(self.names, fingerprints, strict=True)]

    @property
    def kept(self) -> list[Path]:
        """The files in which analysers keep what they found of photos."""
        names = [about(_loaded(name, self.options)).keeps for name in self.names]
        return [self.out / name for name in names if name and self.out is not None]

    def __call__(self, picture: Picture, faces: Faces, photo: bytes = b"") -> Faces:
        """The faces of a picture at full size, with the attributes that the analysers add. photo: the SHA-256 of the
        file whose whole picture it is, if it is one."""
        if not self.names:
            return faces
        origin = Origin(photo, self.out) if photo and self.out is not None else None
        return self.loaded().analyse(picture, faces, origin)


WHO = "who"
"""The attribute that names a person."""


@cache
def _joined(names: tuple[str, ...], options: AnalyserOptions) -> Analysers:
    return Analysers([_loaded(name, options) for name in names])


@cache
def _loaded(name: str, options: AnalyserOptions) -> Analyser:
    return load_with(name, options)


def colours(faces: Faces) -> list[Colour | None]:
    """The colour of each face's box by its mask, or else by its person in a video, or None."""
    none = [None] * len(faces)
    masks, tracks = faces.attributes.get("mask", none), faces.attributes.get("track", none)
    of_people = [APART[(track - 1) % len(APART)] if track else None for track in tracks]
    return [MASKS.get(str(mask), other) for mask, other in zip(masks, of_people, strict=True)]


def captions(faces: Faces) -> list[tuple[str, ...]]:
    """The texts to write at each face, longest first: its score and all attributes, then fewer and fewer of them. Where
    a face has a person's name, that and how probable it is stand in place of the score."""
    scores = [f"{score:.2f}" for score in faces.scores] if faces.scores is not None else []
    if not faces.attributes:
        return [(score,) for score in scores]
    shown = {name: values for name, values in faces.attributes.items() if not name.endswith(LEFT_OUT)}
    columns = {name: [_text(name, value) for value in values.tolist()] for name, values in shown.items()}
    names = columns.pop(WHO, [""] * len(faces))
    sure = faces.attributes.get(f"{WHO}_score", np.ones(len(faces))).tolist()
    first = [
        f"{name} {math.floor(100 * chance)} %" if name else score
        for name, chance, score in zip(names, sure, scores, strict=True)
    ]
    words_of = [list(filter(None, words)) for words in zip(first, *columns.values(), strict=True)]
    return [tuple(" ".join(words[:count]) for count in range(len(words), 0, -1)) for words in words_of]


def _text(name: str, value: object) -> str:
    if name == "track":
        return f"#{value}" if value else ""
    if isinstance(value, float):
        return "" if value != value else f"{name} {value:{'.2g' if abs(value) < 99.5 else '.0f'}}"
    if name == "mask" and value:
        return "no mask" if value == "none" else f"mask {value}"
    return str(value)
