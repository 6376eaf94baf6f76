"""What an analyser must provide, what it may declare about itself, and several analysers as one."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import Picture
from visavis.messages import counted


class Analyser(Protocol):
    """Says more about faces that were found.

    It may have an attribute `about`, an `About`, if the defaults of that do not fit it.
    """

    attributes: tuple[str, ...]
    """Names of the attributes that it gives: one value a face, a number (NaN where it does not know) or a text ("")."""
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
    """Where a picture is from. photo: the SHA-256 of its file. out: the folder of results."""

    photo: bytes
    out: Path


@dataclass(frozen=True)
class About:
    """What an analyser declares about itself. The defaults are right for one that has only `analyse`."""

    fingerprint: Callable[[], str] = lambda: ""
    """-> a text that is equal where its answers are: a run is resumed only with what it began with."""
    joined: Callable[[Analyser], Analyser | None] = lambda other: None
    """Another analyser -> one that gives what both give, in one pass through their network; None if there is none."""
    analyse_photo: Callable[[Picture, Faces, Origin], Faces] | None = None
    """Called in place of `analyse` for a whole photo whose origin is known."""
    keeps: str = ""
    """The name of the file in the folder of results in which `analyse_photo` keeps what it found."""


def about(analyser: Analyser) -> About:
    """What the analyser declares about itself, or the defaults."""
    return getattr(analyser, "about", About())


class Analysers:
    """Several analysers, one after the other, as one: first those that give keypoints, then the others. Raises
    InputError where two give the same attribute.
    """

    def __init__(self, several: Sequence[Analyser]) -> None:
        self._several: list[Analyser] = []
        given = Counter(name for one in several for name in one.attributes)
        if twice := [name for name, times in given.items() if times > 1]:
            raise InputError(f"`analyse`: {', '.join(twice)}: more than one analyser gives it; leave all but one out")
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
            of_photo = about(one).analyse_photo
            if origin is None or of_photo is None:
                now = one.analyse(picture, faces)
            else:
                now = of_photo(picture, faces, origin)
            if len(now) != len(faces) or not set(one.attributes) <= now.attributes.keys():
                raise ValueError(
                    f"{type(one).__name__} must give back {counted(len(faces), 'face')}, as it got, with its attributes"
                )
            together = faces.attributes | now.attributes
            faces = replace(faces, keypoints=now.keypoints, errors=now.errors, attributes=together)
        return faces


def _joined(several: Sequence[Analyser], one: Analyser) -> tuple[int, Analyser] | None:
    """Which of `several` can give what `one` gives as well, and the analyser that does; None if none can."""
    for number, other in enumerate(several):
        if (together := about(other).joined(one)) is not None:
            return number, together
    return None
