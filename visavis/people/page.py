"""The page to look through an album's people: people.html, and people-2.html ... if there are very many faces."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from visavis.analysers.identity.folders import ALONE
from visavis.page import Entry, look_at_many
from visavis.people.folders import Folders
from visavis.people.table import Face
from visavis.sources import shown

PAGE = "people.html"


def write(out: Path, faces: Sequence[Face], folders: Folders) -> None:
    """Write the page: the crop of each face, person by person, those with most faces first; those seen once last."""
    shown = [face for face in faces if face.person]
    sizes = Counter(face.person for face in shown)
    shown.sort(key=lambda face: (face.person == ALONE, -sizes[face.person], str(face.person), -(face.probability or 0)))
    look_at_many((_entry(out, face, folders) for face in shown), out / PAGE, "people found")


def _entry(out: Path, face: Face, folders: Folders) -> Entry:
    row = {"identity": str(face.person), "photo": face.paths[0], "face": face.name}
    if face.probability is not None:
        row["probability"] = f"{face.probability:.2f}"
    place = folders.places[face.name]
    return Entry(shown(str(place)), out / place, row=row, kind="face")
