"""What is asked of the faces of a run besides where they are: analysers by name, loaded once in each process."""

from dataclasses import dataclass
from functools import cache

from visavis.analysers import load_analyser
from visavis.analysers.protocol import Analysers
from visavis.faces import Faces
from visavis.images import Picture


@dataclass(frozen=True)
class Analysis:
    """The analysers of these names, in this order. It travels to other processes, which load them there."""

    names: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is asked."""
        return bool(self.names)

    def loaded(self) -> Analysers:
        """The analysers. Raises InputError where one cannot be had."""
        return _loaded(self.names)

    def __call__(self, picture: Picture, faces: Faces) -> Faces:
        """The faces of a picture at full size, with what the analysers say."""
        return self.loaded().analyse(picture, faces) if self.names else faces


@cache
def _loaded(names: tuple[str, ...]) -> Analysers:
    return Analysers([load_analyser(name) for name in names])


def captions(faces: Faces) -> list[tuple[str, ...]]:
    """What is written at each face: its score and its attributes; where those have no room, fewer of them."""
    scores = [f"{score:.2f}" for score in faces.scores] if faces.scores is not None else []
    if not faces.attributes:
        return [(score,) for score in scores]
    columns = {name: [_text(name, value) for value in values.tolist()] for name, values in faces.attributes.items()}
    told = [[score, *filter(None, texts)] for score, *texts in zip(scores, *columns.values(), strict=True)]
    return [tuple(" ".join(words[:count]) for count in range(len(words), 0, -1)) for words in told]


def _text(name: str, value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{name} {value:.3g}"
    return str(value)
