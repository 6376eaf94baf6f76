"""The analysers of a run, by name and loaded once in each process, and how their answers are shown on drawn copies."""

from dataclasses import dataclass
from functools import cache

from visavis import checkpoint
from visavis.analysers import load_analyser
from visavis.analysers.protocol import Analysers
from visavis.drawing import Colour
from visavis.faces import Faces
from visavis.images import Picture


@dataclass(frozen=True)
class Analysis:
    """The analysers of these names, in this order. Worker processes receive the names and load the analysers
    themselves."""

    names: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any analyser."""
        return bool(self.names)

    def loaded(self) -> Analysers:
        """The analysers. Raises InputError if one cannot be loaded."""
        return _loaded(self.names)

    def identified(self) -> list[str]:
        """The names, each with the SHA-256 of its weights (`path`) where it has some: the same say the same."""
        paths = [getattr(load_analyser(name), "path", None) for name in self.names]
        return [
            name if path is None else f"{name} ({checkpoint.fingerprint(path)})"
            for name, path in zip(self.names, paths, strict=True)
        ]

    def __call__(self, picture: Picture, faces: Faces) -> Faces:
        """The faces of a picture at full size, with the attributes that the analysers add."""
        return self.loaded().analyse(picture, faces) if self.names else faces


LEFT_OUT = ("_score", "_low", "_high", "_error")
"""The endings of attributes that qualify another one (its score, its interval): in tables, but not in captions."""


@cache
def _loaded(names: tuple[str, ...]) -> Analysers:
    return Analysers([load_analyser(name) for name in names])


MASKS: dict[str, Colour] = {"worn": (90, 205, 95), "none": (255, 95, 85), "wrong": (255, 176, 0)}
"""The colour of a face's box by its `mask`. Dark letters are readable on each, and the caption has the word, too."""


def colours(faces: Faces) -> list[Colour | None]:
    """The colour of each face's box by its attributes, or None."""
    return [MASKS.get(str(mask)) for mask in faces.attributes.get("mask", [None] * len(faces))]


def captions(faces: Faces) -> list[tuple[str, ...]]:
    """The texts to write at each face, longest first: its score and all attributes, then fewer and fewer of them."""
    scores = [f"{score:.2f}" for score in faces.scores] if faces.scores is not None else []
    if not faces.attributes:
        return [(score,) for score in scores]
    shown = {name: values for name, values in faces.attributes.items() if not name.endswith(LEFT_OUT)}
    columns = {name: [_text(name, value) for value in values.tolist()] for name, values in shown.items()}
    words_of = [[score, *filter(None, texts)] for score, *texts in zip(scores, *columns.values(), strict=True)]
    return [tuple(" ".join(words[:count]) for count in range(len(words), 0, -1)) for words in words_of]


def _text(name: str, value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{name} {value:.3g}"
    return str(value)
