"""The page that shows all that a run found: look.html, and look-2.html ... if there are very many photos."""

from collections.abc import Iterator
from itertools import count, groupby, islice
from pathlib import Path

from visavis.images import limit_at
from visavis.page import Entry, look
from visavis.prediction import frames
from visavis.prediction.formats.protocol import Records
from visavis.prediction.shots import Shot, shots

PAGE = "look.html"

PAGE_PHOTOS = 5000
"""The most photos on one page, so that their thumbnails have a good size."""


def write_page(out: Path, records: Records) -> None:
    """Write look.html, which shows all photos with the faces found in them, and some frames of videos with faces;
    look-2.html has those after the first `PAGE_PHOTOS`, and so on."""
    entries = map(_entry, _on_page(records, out))
    for number in count(1):
        some = list(islice(entries, PAGE_PHOTOS))
        if number > 1 and not some:
            break
        look(some, out / (PAGE if number == 1 else f"look-{number}.html"), "faces found")
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


def _entry(shot: Shot) -> Entry:
    row = {"faces": str(len(shot.rows)), "reason": shot.reason}
    which = "" if shot.frame is None else f" {shot.rows[0]['time']:.1f} s"
    shown = {key: text for key, text in row.items() if text}
    return Entry(shot.path + which, Path(shot.file), found=shot.faces, row=shown, max_pixels=limit_at(*shot.size))
