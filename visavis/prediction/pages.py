"""The page that shows all that a run found: look.html, and look-2.html ... if there are very many photos."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from visavis.images import limit_at
from visavis.messages import counted
from visavis.page import STRIPS, Entry, Strip, look_at_many
from visavis.prediction import frames, strips
from visavis.prediction.formats.protocol import Records
from visavis.prediction.shots import Shot, shots
from visavis.prediction.tracks import Person, people

PAGE = "look.html"


def write_page(out: Path, records: Records, linked: bool = True) -> None:
    """Write look.html, which shows all photos with the faces found in them, and of videos a strip of pictures of each
    person and some frames with faces; see `look_at_many` for very many.
    linked: to the photos' files."""
    shown, unshown = _strips(records, out)
    look_at_many(map(_entry, _on_page(records, out)), out / PAGE, "faces found", shown, linked, unshown)


def _on_page(records: Records, out: Path) -> Iterator[Shot]:
    for video, together in groupby(shots(records(), out), lambda shot: shot.path if shot.frame is not None else ""):
        if not video:
            yield from together
        else:
            yield from frames.spread([shot for shot in together if shot.rows])


def _strips(records: Records, out: Path) -> tuple[list[Strip], int]:
    """The people of all videos, and how many more there are. Where there are very many, those who were seen most are
    taken."""
    found = [
        (len(person.rows), one.place, record.path, person.number, _facts(person))
        for one, record in records()
        for person in people(record)
    ]
    if len(found) > STRIPS:
        found.sort(key=lambda person: -person[0])
    some = [
        Strip(path, number, picture, facts)
        for _, place, path, number, facts in found[:STRIPS]
        if (picture := strips.strip(out, place, number)) is not None
    ]
    return some, len(found[STRIPS:])


def _facts(person: Person) -> str:
    return f"{counted(len(person.rows), 'look')} · {person.seconds:.1f} s ({person.first:.1f}–{person.last:.1f} s)"


def _entry(shot: Shot) -> Entry:
    row = {"faces": str(len(shot.rows)), "reason": shot.reason}
    video, which = ("", "") if shot.frame is None else (shot.path, f" {shot.rows[0]['time']:.1f} s")
    return Entry(
        shot.path + which, Path(shot.file), found=shot.faces, row={key: text for key, text in row.items() if text},
        max_pixels=limit_at(*shot.size), video=video,
    )  # fmt: skip
