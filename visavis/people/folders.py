"""The folders of an album's people: a crop of each face in the folder of its person, which users move and rename.

The end of a crop's name says which face it shows: `IMG_7-3fa9c2d1b2c4-0.jpg` is face 0 of the photo whose SHA-256
begins so. Where a crop lies is therefore all that says who its face is, and what a user puts in order stays so.
"""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from visavis import images
from visavis.analysers.identity.gallery import name_in
from visavis.sources import NAME_BYTES, fitting

_NUMBERED = re.compile(r"person-(\d+)")
_CROP = re.compile(r"-([0-9a-f]{12}-\d+)(?!\d)", re.IGNORECASE)
"""The last one in a crop's name: the photo may itself be a crop of another album."""


def name_of(photo: bytes, number: int) -> str:
    """Which face it is: that of this number in the photo with this SHA-256."""
    return f"{photo.hex()[:12]}-{number}"


def numbered(number: int) -> str:
    """The name of a person who has not been named."""
    return f"person-{number:03}"


def following(people: Iterable[str]) -> int:
    """The number after the highest that any of these has."""
    found = (_NUMBERED.fullmatch(person) for person in people)
    return max((int(one[1]) for one in found if one), default=0) + 1


class Folders:
    """The crops in a folder of results. places: where each face's crop lies, `person/name.jpg`. notes: what a user
    should know, a sentence each."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._names: dict[str, str] = {}
        self.places: dict[str, PurePosixPath] = {}
        self.notes: list[str] = []
        others: list[Path] = []
        for folder in sorted(path for path in out.iterdir() if path.is_dir() and not path.name.startswith(".")):
            self._names[name_in(folder.name)] = folder.name
            for path in images.find(folder):  # without hidden files: some systems put one beside each
                found = _CROP.findall(path.name)
                if not found:
                    others.append(path)
                    continue
                face, place = found[-1].lower(), PurePosixPath(path.relative_to(out).as_posix())
                if face in self.places and self.places[face].parts[0] != folder.name:
                    self.notes.append(f"{place} and {self.places[face]} show the same face; the second is used: remove "
                                      "the one that is wrong")  # fmt: skip
                self.places.setdefault(face, place)
        if others:
            self.notes.append(
                f"{others[0]} is no crop that visavis wrote ({len(others)} such), so nobody is compared with it; put "
                "photos of people into folders elsewhere, and give these with --people"
            )

    @property
    def people(self) -> list[str]:
        """The names of all folders, those without a crop too."""
        return [*self._names]

    def person(self, face: str) -> str | None:
        """The name of the folder in which the face's crop lies; None where there is none."""
        place = self.places.get(face)
        return None if place is None else name_in(place.parts[0])

    def move(self, face: str, person: str) -> None:
        """Move the crop of a face into the folder of a person."""
        place = self.places[face]
        target = PurePosixPath(self._own(person), place.name)
        (self._out / target.parent).mkdir(exist_ok=True)
        (self._out / place).rename(self._out / target)
        self.places[face] = target

    def reserved(self, face: str, person: str, photo: str) -> Path:
        """Where to write the crop of a face. photo: the path of its photo, whose name the crop's begins with."""
        ending = f"-{face}.jpg"
        stem = fitting(PurePosixPath(photo).stem, NAME_BYTES - len(ending))
        self.places[face] = PurePosixPath(self._own(person), stem + ending)
        return self._out / self.places[face]

    def _own(self, person: str) -> str:
        """The folder's name as the file system has it."""
        return self._names.get(person, person)
