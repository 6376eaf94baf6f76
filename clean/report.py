"""Writes clean/report.html, a page that shows dropped photos by reason. It is one file that needs no network.

Sheets are samples (`EACH`), because no browser opens a page with all pictures of a large folder; the tables have all.
"""

import random
from base64 import b64encode
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from operator import itemgetter
from pathlib import Path

import numpy as np

from clean.finders import Finder
from clean.inspection import Inspection, ListedPhoto
from clean.others import LISTED
from clean.verdicts import Verdict
from visavis import drawing, images
from visavis.boxes import Boxes, as_boxes, scale
from visavis.errors import ImageError
from visavis.evaluation.conventions import Shift
from visavis.faces import Faces
from visavis.files import replaced
from visavis.messages import counted

EACH = 60
"""The number of photos on a sheet."""

THUMBNAIL = 220
"""The longer side of a thumbnail, pixels."""

BUDGET = 20_000_000
"""Characters of all thumbnails together; later photos have only a caption."""

Entry = tuple[int, Verdict]
"""The photo's index among the inspections, and its verdict."""

_OTHERS = {"train": "other faces to learn from", "ignore": "other faces to leave out of the loss"}
_DOUBT = "kept, but with a doubtful label, or an animation"


def write(
    path: Path,
    inspections: Sequence[tuple[ListedPhoto, Inspection]],
    judged: Sequence[Verdict],
    asked: Mapping[str, Finder],
    moves: Mapping[str, Shift],
    notes: Sequence[str],
) -> None:
    """Replace the page at `path`. inspections, judged: in the order of their image_ids.

    asked: the finders; moves: from their boxes to the labels'. notes: for the top of the page."""
    sheets = _sheets(judged)
    pictures = _Pictures(inspections, judged, asked, moves)
    with replaced(path) as file:
        file.write(_HEAD)
        file.write(f"<h1>What clean made of {counted(len(inspections), 'photo')}</h1>\n")
        file.write("".join(f"<p>{escape(note)}</p>\n" for note in notes))
        file.write(
            f"<table><tr><th>sheet<th>photos<th>of all</tr>\n{_contents(sheets, len(inspections))}</table>\n{_key()}"
        )
        for name, sheet in sheets.items():
            which = "all" if len(sheet.shown) == sheet.count else f"{len(sheet.shown)}, chosen at random,"
            file.write(
                f'<section id="{_anchor(name)}"><h2>{escape(name)} <small>{which} of {sheet.count:,}</small></h2>'
            )
            file.writelines(pictures.figure(entry) for entry in sorted(sheet.shown, key=itemgetter(0)))
            file.write("</section>\n")
        file.write("</html>\n")


@dataclass
class _Sheet:
    """The number of photos that belong on a sheet, and a random sample of them (Vitter, "Random sampling with a
    reservoir", 1985, algorithm R)."""

    count: int = 0
    shown: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry, chance: random.Random) -> None:
        self.count += 1
        if len(self.shown) < EACH:
            self.shown.append(entry)
        elif (place := chance.randrange(self.count)) < EACH:
            self.shown[place] = entry


def _sheets(judged: Iterable[Verdict]) -> dict[str, _Sheet]:
    """Name -> its photos: those kept and those dropped for each reason, which add up; then some of the kept again."""
    dropped: dict[str, _Sheet] = defaultdict(_Sheet)
    kept = {name: _Sheet() for name in ("kept", *_OTHERS.values(), _DOUBT)}
    chance = random.Random(0)
    for entry in enumerate(judged):
        verdict = entry[1]
        if not verdict.keep:
            dropped[verdict.reason].add(entry, chance)
            continue
        kept["kept"].add(entry, chance)
        for use in {_other(row) for row in verdict.faces} - {""}:
            kept[_OTHERS[use]].add(entry, chance)
        if verdict.detail:
            kept[_DOUBT].add(entry, chance)
    ordered = sorted(dropped.items(), key=lambda each: -each[1].count)
    return dict(ordered) | {name: sheet for name, sheet in kept.items() if sheet.count or name == "kept"}


def _contents(sheets: Mapping[str, _Sheet], photos: int) -> str:
    rows = ((name, sheet.count, sheet.count / max(1, photos)) for name, sheet in sheets.items())
    return "".join(
        f'<tr><td><a href="#{_anchor(name)}">{escape(name)}</a><td>{count:,}<td>{share:.1%}</tr>\n'
        for name, count, share in rows
    )


def _other(row: Mapping[str, str]) -> str:
    """The use of a face that is not a label; empty for a label."""
    return "" if row["source"] == LISTED else row["use"]


class _Pictures:
    """Makes figures, with thumbnails while the budget lasts. A file that is gone or does not decode has none."""

    def __init__(
        self,
        inspections: Sequence[tuple[ListedPhoto, Inspection]],
        judged: Sequence[Verdict],
        asked: Mapping[str, Finder],
        moves: Mapping[str, Shift],
    ) -> None:
        self.inspections, self.judged, self.asked, self.moves = inspections, judged, asked, moves
        self.left = BUDGET

    def figure(self, entry: Entry) -> str:
        """A photo with its boxes and its verdict; for a duplicate also the photo that is kept instead."""
        number, verdict = entry
        photo, _ = self.inspections[number]
        shown = self._image(number)
        if verdict.kept_for:
            shown += self._image(bisect_left(self.judged, verdict.kept_for, key=lambda one: one.image_id))
        shown = shown or '<span class="none">no picture</span>'
        said = [f"<b>{escape(photo.image_id)}</b>"]
        if photo.url.startswith(("http://", "https://")):  # the list comes from the web, and might have javascript:
            said.append(f'<a href="{escape(photo.url)}" rel="noreferrer noopener">{escape(photo.url)}</a>')
        elif photo.url:
            said.append(escape(photo.url))
        if verdict.detail:
            said.append(escape(verdict.detail))
        return f"<figure>{shown}<figcaption>{'<br>'.join(said)}</figcaption></figure>\n"

    def _image(self, number: int) -> str:
        (photo, inspection), verdict = self.inspections[number], self.judged[number]
        undecoded = inspection.reason and inspection.reason not in ("too_small", "not_a_photo")
        if undecoded or inspection.removed or self.left <= 0:
            return ""
        try:
            reduced = images.decode_reduced(
                images.read_bytes(photo.path), lambda *_: THUMBNAIL, max_pixels=images.ALREADY_READ
            )
        except ImageError:  # gone since it was judged
            return ""
        picture, _ = images.fit(reduced.picture, THUMBNAIL)
        factors = picture.shape[0] / reduced.height, picture.shape[1] / reduced.width
        for kind, boxes in self._boxes(photo, inspection, verdict):
            picture = drawing.boxes_on(picture, Faces(scale(boxes, factors)), kind, [""] * len(boxes))
        data = b64encode(images.encode(picture, quality=75)).decode()
        self.left -= len(data)
        height, width = picture.shape[:2]
        return (
            f'<img loading="lazy" decoding="async" width="{width}" height="{height}" '
            f'alt="{escape(photo.image_id)}" src="data:image/jpeg;base64,{data}">'
        )

    def _boxes(self, photo: ListedPhoto, inspection: Inspection, verdict: Verdict) -> Iterator[tuple[str, Boxes]]:
        """Kind in visavis.drawing.COLOURS and (N, 4) boxes, pixels of the photo."""
        if verdict.faces:
            for use, kind in (("ignore", "ignore"), ("train", "found")):
                rows = [row for row in verdict.faces if _other(row) == use]
                yield kind, as_boxes([[float(row[side]) for side in ("x1", "y1", "x2", "y2")] for row in rows])
        else:
            for name, finder in self.asked.items():
                found = inspection.rows(name) if name in inspection.finds else np.zeros((0, 5), np.float32)
                boxes = self.moves[name].move(found[:, :4])
                for kind, chosen in (("ignore", found[:, 4] < finder.sure), ("found", found[:, 4] >= finder.sure)):
                    yield kind, boxes[chosen & (found[:, 4] >= finder.elsewhere)]
        yield "label", as_boxes(photo.boxes)


def _anchor(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _key() -> str:
    kinds = {
        "label": "the label",
        "found": "a detection that the finder is sure of",
        "ignore": "a detection that it is not sure of",
    }
    marks = (
        f'<span style="border-color: rgb{drawing.COLOURS[kind]}">&nbsp;</span> {what}' for kind, what in kinds.items()
    )
    return f'<p class="key">{" &nbsp; ".join(marks)}</p>\n'


_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>clean</title>
<style>
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em; color: #222; background: #fafaf9 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .15em 1.2em .15em 0; text-align: left }
td + td { text-align: right; font-variant-numeric: tabular-nums }
section { content-visibility: auto; contain-intrinsic-size: auto 2500px }
h2 { margin: 2em 0 .5em } small { font-weight: normal; color: #666 }
figure { display: inline-block; vertical-align: top; width: max-content; max-width: 460px; margin: 0 12px 16px 0 }
img { display: inline-block; margin-right: 4px; background: #ddd }
figcaption { width: 220px; min-width: 100%; font-size: 11px; overflow-wrap: anywhere; contain: inline-size }
.none { display: inline-block; width: 220px; padding: 4em 0; text-align: center; color: #777; background: #e8e8e6 }
.key span { display: inline-block; width: 1.2em; border: 3px solid }
</style>
"""
