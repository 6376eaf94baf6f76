"""The page to look through an album's people: people.html, and people-2.html ... if there are very many faces."""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from visavis.analysers.identity.gallery import ALONE
from visavis.page import Entry, look
from visavis.people.folders import Folders
from visavis.people.table import Face

PAGE_FACES = 5000
"""The most faces on one page, so that their pictures have a good size."""


def write(out: Path, faces: Sequence[Face], folders: Folders) -> None:
    """Write the page: the crop of each face, person by person, those with most faces first; those seen once last.

    A page of an earlier run is replaced.
    """
    shown = [face for face in faces if face.person]
    sizes = Counter(face.person for face in shown)
    shown.sort(key=lambda face: (face.person == ALONE, -sizes[face.person], str(face.person), -(face.probability or 0)))
    entries = [_entry(out, face, folders) for face in shown]
    for number in count(1):
        some = entries[(number - 1) * PAGE_FACES : number * PAGE_FACES]
        if number > 1 and not some:
            break
        look(some, out / _name(number), "people found")
    for old in count(number):
        if not (out / _name(old)).exists():
            break
        (out / _name(old)).unlink()


def _name(number: int) -> str:
    return "people.html" if number == 1 else f"people-{number}.html"


def _entry(out: Path, face: Face, folders: Folders) -> Entry:
    row = {"identity": str(face.person), "photo": face.paths[0], "face": face.name}
    if face.probability is not None:
        row["probability"] = f"{face.probability:.2f}"
    return Entry(str(folders.places[face.name]), out / folders.places[face.name], row=row)
