"""What an analyser is, and several of them as one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from visavis.faces import Faces
from visavis.images import Picture


class Analyser(Protocol):
    """Says more about faces that were found."""

    attributes: tuple[str, ...]
    """Names of the attributes that it gives: one value a face, a number (NaN where it cannot tell) or a text ("")."""
    keypoints: tuple[str, ...]
    """Names of the keypoints that it gives, in their order; none where it leaves keypoints as they are. It may say how
    far off each is taken to be (`Faces.errors`)."""

    def analyse(self, picture: Picture, faces: Faces) -> Faces:
        """The same faces, in their order, with its attributes and keypoints as well.

        picture: (height, width, 3) uint8 RGB, at full size; boxes are in its pixels and may reach outside it. Analysers
        that come with visavis take Pillow images and paths of photos, too, as detectors do. faces: with what the
        detector and earlier analysers said of them.
        """
        ...


@dataclass(frozen=True)
class Origin:
    """Where a picture is from. photo: the SHA-256 of its file. out: the folder of results.

    An analyser that keeps what it found has `analyse_photo(picture, faces, origin)`, too, which is called instead of
    `analyse` where this is known, and `keeps`, the name of the file in that folder.
    """

    photo: bytes
    out: Path


class Analysers:
    """Several analysers, one after the other, as one: first those that give keypoints, then the others."""

    def __init__(self, several: Sequence[Analyser]) -> None:
        self._several: list[Analyser] = []
        for one in several:
            joined = _joined(self._several, one)
            if joined is None:
                self._several.append(one)
            else:
                self._several[joined[0]] = joined[1]
        self.attributes = tuple(name for one in self._several for name in one.attributes)
        self._several.sort(key=lambda one: not one.keypoints)  # the others may need the points
        self.keypoints = next((one.keypoints for one in reversed(self._several) if one.keypoints), ())

    def analyse(self, picture: Picture, faces: Faces, origin: Origin | None = None) -> Faces:
        """The faces with what all of them say. Raises ValueError where one gives back other faces."""
        for one in self._several:
            of_photo = getattr(one, "analyse_photo", None) if origin is not None else None
            told = one.analyse(picture, faces) if of_photo is None else of_photo(picture, faces, origin)
            if len(told) != len(faces) or not set(one.attributes) <= told.attributes.keys():
                raise ValueError(f"{type(one).__name__} must give back its {len(faces)} faces, with its attributes")
            together = faces.attributes | told.attributes
            faces = replace(faces, keypoints=told.keypoints, errors=told.errors, attributes=together)
        return faces


def _joined(several: Sequence[Analyser], one: Analyser) -> tuple[int, Analyser] | None:
    """Which of `several` can say what `one` says in the same look, and the analyser that does; None where none can.

    Those that can have a method `joined`, which takes the other and gives that analyser, or None.
    """
    for number, other in enumerate(several):
        join = getattr(other, "joined", None)
        if join is not None and (together := join(one)) is not None:
            return number, together
    return None
