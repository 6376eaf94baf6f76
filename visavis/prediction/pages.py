"""The page that shows all that a run found: look.html, and look-2.html ... if there are very many photos."""

from collections.abc import Iterator
from itertools import count, groupby, islice
from pathlib import Path

from visavis.images import limit_at
from visavis.page import STRIPS, Entry, Strip, look
from visavis.prediction import frames, strips
from visavis.prediction.formats.protocol import Records
from visavis.prediction.results import counted
from visavis.prediction.shots import Shot, shots
from visavis.prediction.tracks import Person, people

PAGE = "look.html"

PAGE_PHOTOS = 5000
"""The most photos on one page, so that their thumbnails have a good size."""


def write_page(out: Path, records: Records, linked: bool = True) -> None:
    """Write look.html, which shows all photos with the faces found in them, and of videos a strip of pictures of each
    person and some frames with faces; look-2.html has the photos after the first `PAGE_PHOTOS`, and so on.
    linked: to the photos' files."""
    shown = _strips(records, out)
    entries = map(_entry, _on_page(records, out))
    for number in count(1):
        some = list(islice(entries, PAGE_PHOTOS))
        if number > 1 and not some:
            break
        path = out / (PAGE if number == 1 else f"look-{number}.html")
        look(some, path, "faces found", strips=shown if number == 1 else (), linked=linked)
    for old in count(number):  # of an earlier run that had more photos
        if not (out / f"look-{old}.html").exists():
            break
        (out / f"look-{old}.html").unlink()


def _on_page(records: Records, out: Path) -> Iterator[Shot]:
    for video, together in groupby(shots(records(), out), lambda shot: shot.path if shot.frame is not None else ""):
        if not video:
            yield from together
        else:
            yield from frames.spread([shot for shot in together if shot.rows])


def _strips(records: Records, out: Path) -> list[Strip]:
    """The people of all videos. Where there are very many, those who were seen most come first."""
    found = []
    for one, record in records():
        for person in people(record):
            if (picture := strips.strip(out, one.place, person)) is not None:
                found.append((len(person.rows), Strip(record.path, person.number, picture, _facts(person))))
    if len(found) > STRIPS:
        found.sort(key=lambda pair: -pair[0])
    return [strip for _, strip in found]


def _facts(person: Person) -> str:
    return f"{counted(len(person.rows), 'look')} · {person.seconds:.1f} s ({person.first:.1f}–{person.last:.1f} s)"


def _entry(shot: Shot) -> Entry:
    row = {"faces": str(len(shot.rows)), "reason": shot.reason}
    which = "" if shot.frame is None else f" {shot.rows[0]['time']:.1f} s"
    shown = {key: text for key, text in row.items() if text}
    return Entry(shot.path + which, Path(shot.file), found=shot.faces, row=shown, max_pixels=limit_at(*shot.size))
