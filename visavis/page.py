"""One self-contained HTML page that shows thousands of photos with their boxes and data.

`look` writes it: thumbnails and a table in one file, which a browser opens without a server or a network. The photos
themselves are not in it. Its template is page.html.
"""

import base64
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
from PIL import Image

from visavis import boxes, metrics
from visavis.boxes import Boxes, as_boxes
from visavis.drawing import COLOURS, LEFT_OUT, MASKS, Colour
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import MAX_PIXELS, Picture, fit, header, read_reduced, taken

LARGEST = 29_000_000
"""The default limit of a page in bytes: a browser opens it at once, and it still fits into a mail or a chat."""
ON_A_PAGE = 5000
"""The most entries on one of several pages, so that their thumbnails have a good size."""

NEAR = 0.1
"""A false detection with at least this IoU with a missed face is that face, badly placed."""

STRIPS, OF_A_STRIP = 300, 12_000
"""As many strips as a page should have at most, and bytes of one's picture."""

_SIDES = (64, 640)
"""The longer side of a thumbnail, pixels: least and most."""
_QUALITIES = (80, 65, 50, 35, 20, 8)
_BYTES_A_PIXEL = 0.06
"""Of WebP at a quality of about 65, to estimate how large thumbnails may be."""


@dataclass(frozen=True)
class Entry:
    """A picture on the page.

    picture: its path, a Pillow image, or (height, width, 3) uint8 RGB. truth: the labels, None if there are none.
    found: what a detector found, None if none was run: then nothing is missed or false.
    ignore: (M, 4), pixels. row: values to show, name -> text; the page can filter by `identity` and `reason`.
    max_pixels: larger photos are not decoded. video: of which it is a frame, as `Strip.name`; empty for others.
    kind: what others are, for the page's counts.
    """

    name: str
    picture: str | os.PathLike[str] | Image.Image | Picture
    truth: Faces | None = None
    found: Faces | None = None
    ignore: Boxes = field(default_factory=lambda: as_boxes([]))
    row: Mapping[str, str] = field(default_factory=dict)
    max_pixels: int = MAX_PIXELS
    video: str = ""
    kind: Literal["photo", "face"] = "photo"


@dataclass(frozen=True)
class Strip:
    """A person of a video on the page. name: of the video. number: of the person, which the finds of `Entry` have as
    their attribute `track`. picture: (height, width, 3) uint8 RGB. facts: a short line about it."""

    name: str
    number: int
    picture: Picture
    facts: str


def look(
    entries: Sequence[Entry],
    out: str | Path = "look.html",
    title: str = "visavis",
    threshold: float = 0.0,
    iou: float = 0.5,
    largest: int = LARGEST,
    strips: Sequence[Strip] = (),
    linked: bool = True,
    unshown: int = 0,
) -> Path:
    """Write a page of `entries` to `out`, replacing what is there, and return its path.

    threshold: detections with lower scores are left out. iou: the overlap that makes a detection correct. largest:
    limit of the page in bytes; thumbnails are as large as that allows, 640 pixels at most. strips: the people of
    videos, above the photos. linked: to the photos' files. unshown: how many more people videos have. A photo that
    cannot be read is shown with its reason. Raises InputError if the data alone are too large for the page, or `out` is
    a folder.
    """
    out = Path(out)
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a page, such as look.html")
    for entry in entries:
        if not isinstance(entry, Entry):
            raise InputError(f"entries must be visavis.page.Entry, not {type(entry).__name__}")
    page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    head = {
        "title": title,
        "colours": _written(COLOURS),
        "masks": _written(MASKS),
        "untold": LEFT_OUT,
        "scored": any(entry.found is not None for entry in entries),
        "judged": any(entry.found is not None and entry.truth is not None for entry in entries),
        "strips": [_strip(strip) for strip in strips],
        "unshown": unshown,
    }
    rows = [_row(entry, threshold, iou) for entry in entries]
    places = [Path(one.picture) if isinstance(one.picture, str | os.PathLike) else None for one in entries]
    paths = sum(3 * len(os.path.relpath(place, out.parent)) for place in places if place is not None)
    facts = len(page) + len(_json(head)) + sum(len(_json(row)) for row in rows) + paths + 1000
    share = (largest - facts) // max(1, len(rows)) - 50  # bytes in base64; 50 for the size and the fields' names
    if rows and share < 200:
        raise InputError(f"{len(rows)} entries are too many for a page of {largest:,} bytes; show fewer")
    for row, entry, place in zip(rows, entries, places, strict=True):
        _add_picture(row, entry.picture if place is None else place, share * 3 // 4, entry.max_pixels)
        if place is not None and linked:  # a link to follow, from the page's folder; never fetched by itself
            row["f"] = quote(os.fsencode(Path(os.path.relpath(place, out.parent)).as_posix()))
    with replaced(out) as file:
        before, after = page.split("{{photos}}")
        file.write(before.replace("{{head}}", _json(head)))
        for number, row in enumerate(rows):
            file.write((",\n" if number else "") + _json(row))
        file.write(after)
    return out


def look_at_many(
    entries: Iterable[Entry],
    out: Path,
    title: str,
    strips: Sequence[Strip] = (),
    linked: bool = True,
    unshown: int = 0,
) -> None:
    """`look` on several pages, of `ON_A_PAGE` entries each: `out`, such as look.html, then look-2.html ... beside it.

    The strips are on the first. Pages that an earlier call wrote are replaced, or removed where it had more.
    """
    entries = iter(entries)
    for number in count(1):
        some = list(islice(entries, ON_A_PAGE))
        if number > 1 and not some:
            break
        people = (strips, unshown) if number == 1 else ((), 0)
        look(some, _numbered(out, number), title, strips=people[0], linked=linked, unshown=people[1])
    for old in count(number):
        if not _numbered(out, old).exists():
            break
        _numbered(out, old).unlink()


def _written(colours: Mapping[str, Colour]) -> dict[str, str]:
    return {name: "#%02x%02x%02x" % colour for name, colour in colours.items()}  # noqa: UP031


def _numbered(out: Path, number: int) -> Path:
    return out if number == 1 else out.with_stem(f"{out.stem}-{number}")


def mistakes(truth: Faces, found: Faces, ignore: Boxes, iou: float = 0.5) -> tuple[list[str], list[str]]:
    """The kind of each truth (`label`, `missed`) and of each find (`found`, `false`, `placed`, `neither`).

    `placed`: badly placed, a false find that has `NEAR` in common with a face which no other find took; that face
    then is no missed one. `neither`: on an ignored region.
    """
    assert found.scores is not None
    matches = metrics.match(truth, found, iou, ignore)
    missed = np.setdiff1d(np.arange(len(truth)), matches)
    false = np.flatnonzero(matches == metrics.FALSE)
    overlaps = boxes.iou(found.boxes[false], truth.boxes[missed])
    near = boxes.match(found.scores[false], overlaps, NEAR)
    labels = ["label"] * len(truth)
    for number in np.delete(missed, near[near >= 0]):
        labels[number] = "missed"
    finds = ["neither" if match == metrics.NEITHER else "found" for match in matches]
    for number, face in zip(false, near, strict=True):
        finds[number] = "false" if face < 0 else "placed"
    return labels, finds


def _row(entry: Entry, threshold: float, iou: float) -> dict[str, Any]:
    """All that the page has of one photo except its picture. Keys are short, since there may be many."""
    truth = Faces() if entry.truth is None else entry.truth
    labels, finds = ["label"] * len(truth), []
    found = Faces()
    if entry.found is not None:
        found = entry.found.above(threshold)
        if entry.truth is not None:
            labels, finds = mistakes(truth, found, entry.ignore, iou)
        else:
            finds = ["found"] * len(found)
    drawn = [[*_corners(box), kind] for box, kind in zip(truth.boxes, labels, strict=True)]
    drawn += [[*_corners(box), "ignore"] for box in entry.ignore]
    scores = np.asarray(found.scores)
    drawn += [
        [*_corners(box), kind, round(float(score), 3), *([attributes] if attributes else [])]
        for box, kind, score, attributes in zip(found.boxes, finds, scores, _attributes(found), strict=True)
    ]
    kind = {"v": entry.video} if entry.video else {"k": entry.kind} if entry.kind != "photo" else {}
    return {"n": entry.name, "b": drawn, "r": {name: str(text) for name, text in entry.row.items()}} | kind


def _strip(strip: Strip) -> dict[str, Any]:
    data = _thumbnail(strip.picture, max(strip.picture.shape[:2]), OF_A_STRIP)
    height, width = strip.picture.shape[:2]
    picture = base64.b64encode(data).decode()
    return {"n": strip.name, "p": strip.number, "w": width, "h": height, "t": picture, "f": strip.facts}


def _attributes(faces: Faces) -> list[dict[str, float | str]]:
    """The attributes of each face by name; what is not known of a face is left out."""
    columns = {name: values.tolist() for name, values in faces.attributes.items()}
    rows = [{name: column[number] for name, column in columns.items()} for number in range(len(faces))]
    return [{name: _short(value) for name, value in one.items() if value == value and value != ""} for one in rows]


def _short(value: Any) -> float | str:
    return round(value, 3) if isinstance(value, float) else value if isinstance(value, int) else str(value)


def _corners(box: np.ndarray) -> list[float]:
    return [round(float(value), 1) for value in box]


def _add_picture(
    row: dict[str, Any], photo: str | os.PathLike[str] | Image.Image | Picture, most: int, max_pixels: int
) -> None:
    """The photo's size and its thumbnail (WebP, base64) of at most `most` bytes, or why there is none."""
    side = int(np.clip(np.sqrt(most / _BYTES_A_PIXEL), *_SIDES))
    if isinstance(photo, Path):
        try:
            picture, _ = read_reduced(photo, side, max_pixels)
        except ImageError as error:
            row |= {"h": 3, "w": 4, "x": str(error)}
            return
        height, width = header(photo) or picture.shape[:2]  # of the whole photo: boxes are in its pixels
    else:
        picture = taken(photo)
        height, width = picture.shape[:2]
    row |= {"h": height, "w": width}
    row["t"] = base64.b64encode(_thumbnail(picture, side, most)).decode()


def _thumbnail(picture: Picture, side: int, most: int) -> bytes:
    """At most `side` pixels a side and `most` bytes: coarser, then smaller, where the photo is full of detail."""
    while True:
        small = Image.fromarray(fit(picture, side)[0])
        for quality in _QUALITIES:
            stream = io.BytesIO()
            small.save(stream, "WEBP", quality=quality, method=2)
            if len(stream.getvalue()) <= most or (side <= 16 and quality == _QUALITIES[-1]):
                return stream.getvalue()
        side //= 2


def _json(value: Any) -> str:
    """JSON that may stand inside a script element: no `<` of it can end one."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
