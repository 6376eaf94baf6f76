"""Boxes on a copy of a picture, and contact sheets. What is drawn fits the picture's size.

Nothing here reads or writes files, or knows where a box comes from.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from visavis.boxes import area, clip
from visavis.faces import Faces
from visavis.images import Picture, as_picture
from visavis.keypoints import LAYOUTS
from visavis.messages import counted

Colour = tuple[int, int, int]
_Rectangle = tuple[int, int, int, int]

COLOURS: dict[str, Colour] = {
    "found": (255, 196, 0),
    "label": (86, 200, 255),
    "false": (255, 116, 20),
    "missed": (230, 70, 190),
    "ignore": (160, 160, 160),
}
"""What a box may be. The colours differ in lightness too, so that colour-blind people can tell them apart."""

APART: tuple[Colour, ...] = (
    (255, 196, 0),
    (86, 200, 255),
    (255, 150, 190),
    (170, 225, 60),
    (255, 116, 20),
    (200, 170, 255),
)
"""For the boxes of one picture, where those of neighbours are to be told apart. All bear dark letters."""

MASKS: dict[str, Colour] = {"worn": (90, 205, 95), "none": (255, 95, 85), "wrong": (255, 176, 0)}
"""The colour of a face's box by its `mask`. Dark letters are readable on each, and the caption has the word, too."""

LEFT_OUT = ("_score", "_low", "_high", "_error")
"""The endings of attributes that qualify another one (its score, its interval): in tables, but not in captions."""

_EDGE: Colour = (20, 20, 20)
_PAPER: Colour = (250, 250, 249)
_MAT: Colour = (232, 232, 230)
_INK: Colour = (45, 45, 45)
_SMALLEST_TEXT = 10


def boxes_on(
    picture: Picture,
    faces: Faces,
    kind: str = "found",
    texts: Sequence[str | tuple[str, ...]] | None = None,
    colours: Sequence[Colour] | None = None,
    own: Sequence[Colour | None] | None = None,
) -> Picture:
    """A copy of `picture` (height, width, 3) uint8 RGB with the faces' boxes.

    kind: one of `COLOURS`. colours: to take turns from left to right, instead of the kind's one. own: one a face that
    it has before all others, or None.
    texts: one a face, "" for none, or several, of which the first that has room beside the last ones of all others is
    taken; by default the scores of what was found, and nothing for the other kinds.
    Lines and letters grow with the picture and shrink with the face; a text that is too wide for its face, would cover
    a surer one's, or more than an eighth of another face, is left out. Call again for boxes of another kind.
    Raises ValueError for an unknown kind, for no colours, and where texts and faces differ in number.
    """
    if colours is not None and not len(colours):
        raise ValueError("colours must hold one colour or more")
    if kind not in COLOURS:
        raise ValueError(f"no kind of box {kind!r}; there are {', '.join(COLOURS)}")
    if texts is None:
        texts = [f"{score:.2f}" if kind in ("found", "false") else "" for score in np.asarray(faces.scores)]
    if len(texts) != len(faces):
        raise ValueError(f"{counted(len(texts), 'text')} for {counted(len(faces), 'face')}")
    canvas = Image.fromarray(as_picture(picture))  # a copy: Pillow keeps a fourth byte for each pixel
    pen = ImageDraw.Draw(canvas)
    size = (picture.shape[0], picture.shape[1])
    boxes = clip(faces.boxes, size)
    turns = [COLOURS[kind]] if colours is None else colours
    colour = {
        face: turns[n % len(turns)] for n, face in enumerate(np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable"))
    }
    colour |= {face: one for face, one in enumerate(own or ()) if one is not None}
    visible = [i for i in np.argsort(np.asarray(faces.scores), kind="stable") if (boxes[i, 2:] > boxes[i, :2]).all()]
    for index in visible:
        _frame(pen, boxes[index], colour[index], size)
    for index, tag in _tags(boxes, visible[::-1], texts, size).items():  # after all frames: none runs through a text
        pen.rectangle(tag.place, fill=colour[index])
        left, top, right, bottom = tag.place
        pen.text(((left + right + 1) / 2, (top + bottom + 1) / 2), tag.text, _EDGE, tag.font, anchor="mm")
    return np.asarray(canvas)


def points_on(picture: Picture, keypoints: np.ndarray) -> Picture:
    """A copy of the picture with the (N, K, 2) points of each face, and the lines that join them where they are one of
    visavis.keypoints.LAYOUTS. Points that are NaN are left out, and those farther from the picture's middle than twice
    its longer side. What is drawn grows with the face."""
    canvas = Image.fromarray(as_picture(picture))
    pen = ImageDraw.Draw(canvas)
    for points in keypoints:
        near = (np.abs(points - np.array(canvas.size) / 2) <= 2 * max(canvas.size)).all(axis=1)
        face = np.where(near[:, None], points, np.nan)
        known = face[~np.isnan(face).any(axis=1)]
        if not len(known):
            continue
        dot = float(np.clip(np.ptp(known, axis=0).max() / 90, 0.4, max(canvas.size) / 150))
        layout = LAYOUTS.get(len(face))
        for numbers, closed in layout.lines if layout else ():
            path = [tuple(face[number]) for number in (*numbers, *numbers[: int(closed)])]
            path = [(x, y) for x, y in path if x == x and y == y]
            pen.line(path, fill=COLOURS["found"], width=max(1, round(dot * 0.8)))
        for x, y in known.tolist():
            if dot >= 0.8:  # a smaller face would be hidden by the edges
                pen.ellipse((x - 1.6 * dot, y - 1.6 * dot, x + 1.6 * dot, y + 1.6 * dot), fill=_EDGE)
            pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=_PAPER)
    return np.asarray(canvas)


def contact_sheet(
    pictures: Sequence[Picture], captions: Sequence[str] | None = None, columns: int = 6, cell: int = 240
) -> Picture:
    """All pictures on one, row by row, each fitted into `cell` x `cell` pixels, with its caption below.

    A caption that is too long is cut in its middle. No pictures give a sheet that says so.
    Raises ValueError where pictures and captions differ in number, and for sizes below 1.
    """
    if columns < 1 or cell < 1:
        raise ValueError(f"a sheet has at least 1 column and cells of at least 1 pixel, not {columns} and {cell}")
    if captions is not None and len(captions) != len(pictures):
        raise ValueError(f"{counted(len(captions), 'caption')} for {counted(len(pictures), 'picture')}")
    if not pictures:
        return contact_sheet([np.full((cell, cell, 3), _PAPER, dtype=np.uint8)], ["no pictures"], 1, cell)
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    gap = max(4, cell // 20)
    letters = max(_SMALLEST_TEXT, round(cell / 17))
    strip = round(letters * 1.7) if captions and any(captions) else 0
    across, down = cell + gap, cell + strip + gap
    sheet = Image.new("RGB", (columns * across + gap, rows * down + gap), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, picture in enumerate(pictures):
        left, top = gap + number % columns * across, gap + number // columns * down
        pen.rectangle((left, top, left + cell - 1, top + cell - 1), fill=_MAT)
        image = Image.fromarray(as_picture(picture))
        factor = cell / max(image.size)
        width, height = (max(1, round(side * factor)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(image, (left + (cell - width) // 2, top + (cell - height) // 2))
        if strip and captions is not None:
            text, font = _written(captions[number], letters)
            text = _shortened(text, font, cell)
            pen.text((left + cell / 2, top + cell + strip / 2), text, _INK, font, anchor="mm")
    return np.asarray(sheet)


def _frame(pen: ImageDraw.ImageDraw, box: np.ndarray, colour: Colour, size: tuple[int, int]) -> None:
    """A rectangle with a dark edge on both sides of its line, so that it shows on any ground."""
    line = _line(box, size)
    edge = max(1, line // 3) if (box[2:] - box[:2]).min() >= 16 else 0
    x1, y1, x2, y2 = (int(value) for value in np.round(box))
    x1, y1 = max(0, x1 - line // 2), max(0, y1 - line // 2)
    x2 = max(x1, min(size[1], x2 + line // 2) - 1)  # the box's right edge is exclusive, Pillow's is not
    y2 = max(y1, min(size[0], y2 + line // 2) - 1)
    pen.rectangle((x1 - edge, y1 - edge, x2 + edge, y2 + edge), outline=_EDGE, width=line + 2 * edge)
    pen.rectangle((x1, y1, x2, y2), outline=colour, width=line)


def _line(box: np.ndarray, size: tuple[int, int]) -> int:
    """Line width in pixels: by the picture's size, but no more than a face of that size bears."""
    return max(1, round(min(max(size) / 200, (box[2:] - box[:2]).min() / 12)))


@dataclass(frozen=True)
class _Tag:
    """A text and the rectangle that it is to have, whose last column and row are in it."""

    text: str
    font: ImageFont.FreeTypeFont
    place: _Rectangle


def _tags(
    boxes: np.ndarray, order: Sequence[int], texts: Sequence[str | tuple[str, ...]], size: tuple[int, int]
) -> dict[int, _Tag]:
    """What is written at which of the boxes. order: those that are seen, the surest first.

    Each has the last of its texts if there is room for that, and only then an earlier one, which is longer.
    """
    chosen: dict[int, _Tag] = {}
    for longer in (False, True):
        for index in order:
            mine = texts[index]
            mine = [text for text in ((mine,) if isinstance(mine, str) else mine) if text]
            others = boxes[[other for other in order if other != index]]
            taken = [tag.place for other, tag in chosen.items() if other != index]
            for text in mine[:-1] if longer else mine[-1:]:
                tag = _tag(boxes[index], text, size)
                if tag is not None and not _overlaps(tag.place, taken) and not _hides_a_face(tag.place, others):
                    chosen[index] = tag
                    break
    return chosen


def _tag(box: np.ndarray, text: str, size: tuple[int, int]) -> _Tag | None:
    """The text above the box's left corner, or in it where there is no room; None where it does not fit the face."""
    height, width = size
    letters = round(min(max(size) / 32, max(_SMALLEST_TEXT, (box[2] - box[0]) / 4)))
    if letters < _SMALLEST_TEXT:
        letters = min(_SMALLEST_TEXT, min(size) // 4)
    if letters < 6:
        return None
    text, font = _written(text, letters)
    pad = max(1, letters // 4)
    wide, high = round(font.getlength(text)) + 2 * pad, letters + 2 * pad
    left = min(max(0, round(float(box[0])) - _line(box, size) // 2), max(0, width - wide))
    top = round(float(box[1])) - high
    if top < 0:
        top = min(round(float(box[1])), height - high)
        if high > (box[3] - box[1]) / 3:
            return None  # better no text than no eyes
    if wide > 3 * (box[2] - box[0]):
        return None
    return _Tag(text, font, (left, top, left + wide - 1, top + high - 1))


def _overlaps(tag: _Rectangle, others: Sequence[_Rectangle]) -> bool:
    left, top, right, bottom = tag
    return any(left <= x2 and x1 <= right and top <= y2 and y1 <= bottom for x1, y1, x2, y2 in others)


def _hides_a_face(tag: _Rectangle, faces: np.ndarray) -> bool:
    """Whether the rectangle covers more than an eighth of one of the (N, 4) boxes."""
    across = np.minimum(faces[:, 2], tag[2] + 1) - np.maximum(faces[:, 0], tag[0])
    down = np.minimum(faces[:, 3], tag[3] + 1) - np.maximum(faces[:, 1], tag[1])
    return bool((across.clip(0) * down.clip(0) > area(faces) / 8).any())


def _written(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """`text` on one line, and a font that has its letters: Pillow's own, or matplotlib's for accents, Greek, Cyrillic
    and the like. What neither has loses its accents or turns into `?`. The spaces of Pillow's own are so narrow that
    words run together: there are two between words."""
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    if line.isascii():
        return line.replace(" ", "  "), _font(size)
    return "".join(letter if _has(letter) else _plain(letter) for letter in line), _wide_font(size)


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow's wheels carry FreeType
    return font


@lru_cache(maxsize=64)
def _wide_font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib; found without importing that, which takes a while."""
    package = find_spec("matplotlib")
    assert package is not None and package.submodule_search_locations  # visavis needs it
    return ImageFont.truetype(Path(package.submodule_search_locations[0], "mpl-data/fonts/ttf/DejaVuSans.ttf"), size)


@cache
def _has(letter: str) -> bool:
    """Whether the wide font has it, and does not draw its mark for a missing letter instead."""
    return _drawn(letter) != _drawn("\U0010fffd")


def _drawn(letter: str) -> bytes:
    canvas = Image.new("L", (48, 48))
    ImageDraw.Draw(canvas).text((8, 8), letter, 255, _wide_font(20))
    return canvas.tobytes()


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """`text` with at most `width` pixels: its middle goes first, for names differ at their ends."""
    if font.getlength(text) <= width:
        return text
    for keep in range(len(text) - 1, 0, -1):
        head, tail = text[: keep // 2], text[len(text) - (keep - keep // 2) :]
        if font.getlength(f"{head}...{tail}") <= width:
            return f"{head}...{tail}"
    return ""


def _plain(letter: str) -> str:
    """A letter without its accent, or `?`."""
    apart = unicodedata.normalize("NFKD", letter)
    return "".join(part for part in apart if not unicodedata.combining(part)).encode("ascii", "replace").decode()
