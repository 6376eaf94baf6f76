"""A CSV of boxes, image,x1,y1,x2,y2[,identity][,use][,label], with one row per face: the simplest format."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dataset import tables
from dataset.formats.imported import (
    ImportedPhoto,
    Wanted,
    exported,
    face_classes,
    linked,
    say_some,
    size_in,
    usable,
)
from dataset.formats.names import image_id_of, resolved
from dataset.photos import Photos
from visavis.errors import InputError
from visavis.texts import read_text

SIDES = ("x1", "y1", "x2", "y2")
COLUMNS = ("image", *SIDES)
"""The required columns."""
ALSO = {"filename": "image", "file_name": "image", "xmin": "x1", "ymin": "y1", "xmax": "x2", "ymax": "y2"} | {
    "class": "label",
    "category": "label",
}
"""Other names of columns, as for example TensorFlow's examples have them."""


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of a CSV. Its `image` paths are relative to its folder or to images/ beside it.

    A row with empty coordinates stands for a photo without a face. `identity` is kept where there is such a column;
    `use`, train or ignore, says whether a box is learnt from; `label` is its class.
    """
    rows = list(_rows(source))
    used = Counter(row.get("label", "") for _, row in rows if any(row[side] for side in SIDES))
    if wanted.category or any(row.get("label") for _, row in rows):
        classes = face_classes(used, {name: name for name in used}, wanted.category, str(source))
    else:
        classes = set(used)
    folders = [wanted.images] if wanted.images else [source.parent, source.parent / "images"]
    photos: dict[str, ImportedPhoto] = {}
    called: dict[str, str] = {}
    elsewhere: dict[str, None] = {}
    for line, row in rows:
        where = f"{source} row {line}"
        identity, name = row.get("identity", ""), row["image"]
        image, place, other = resolved(name, folders)
        if other:
            elsewhere[f"{name} is taken for {place.name}"] = None
        image_id = image_id_of(image, where)
        size = size_in(row, where)
        one = photos.setdefault(image_id, ImportedPhoto(image, place, where, identity, size=size))
        if one.path != place:
            raise InputError(f"{where}: {name} and {called[image_id]} differ only in their ending; rename one")
        called.setdefault(image_id, name)
        if one.size != size:
            raise InputError(f"{where}: {name} has another width or height than in {one.where}; correct one of them")
        if one.identity != identity:
            raise InputError(f"{where}: {name} is {identity!r}, and {one.identity!r} above; correct the row")
        if any(row[side] for side in SIDES) and row.get("label", "") in classes:
            use = row.get("use", "").lower()
            if use not in ("", "train", "ignore"):
                raise InputError(f"{where}: use is {use!r}; it must be train or ignore")
            box = tables.box(row, source, line)
            if usable(box, where, []):
                (one.ignore if use == "ignore" else one.boxes).append(box)
    say_some("photo has", "photos have", "another name than in its file:", list(elsewhere))
    yield from photos.values()


def _rows(source: Path) -> Iterator[tuple[int, tables.Row]]:
    """Number and content of each row of a CSV as spreadsheets and other programs write it: in UTF-8, perhaps with a
    byte order mark, with commas, semicolons or tabs, perhaps followed by spaces, with column names in any case, perhaps
    below empty lines or Excel's `sep=;`. Raises InputError."""
    try:
        text = read_text(source)
    except FileNotFoundError:
        raise InputError(f"{source} is not there; check the name") from None
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{source} is not in UTF-8 ({error}); save it as CSV UTF-8") from None
    before = re.match(r"(\s*sep=.\r?\n?)?\s*", text)[0]  # type: ignore[unsupported-operation]  # it always matches
    above, text = len(before.splitlines()), text[len(before) :]
    between = max(",;\t", key=re.split("[\r\n]", text, maxsplit=1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, skipinitialspace=True, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        header = [ALSO.get(name, name) for name in header]
        missing = [column for column in COLUMNS if column not in header]
        if missing:
            raise InputError(
                f"{source}: no column {', '.join(missing)} (it has: {', '.join(header) or 'nothing'}); its first line "
                "must name the columns image,x1,y1,x2,y2"
            )
        if twice := [name for name, count in Counter(header).items() if name and count > 1]:
            raise InputError(f"{source}: the column {twice[0]} is there twice; remove or rename one")
        for line, values in enumerate(reader, start=2 + above):
            if not any(value.strip() for value in values):  # an empty line, usually at the end
                continue
            while len(values) > len(header) and not values[-1].strip():
                values.pop()
            if len(values) != len(header):
                raise InputError(f"{source} row {line}: {len(values)} fields, the header has {len(header)}")
            row = dict(zip(header, (value.strip() for value in values), strict=True))
            if between != ",":  # commas may then be decimal points
                row |= {side: row[side].replace(",", ".") for side in SIDES}
            yield line, row
    except csv.Error as error:
        raise InputError(f"{source} is not a CSV table: {error}") from None


def write(photos: Photos, out: Path) -> None:
    """Write boxes.csv and images/ into `out`. Everything is kept."""
    rows = []
    for photo in photos:
        linked(photo.path, out / "images" / exported(photo))
        start = {"image": exported(photo), "identity": photo.identity, "use": "train"}
        some = [start | _sides(box) for box in photo.boxes.tolist()]
        some += [start | {"use": "ignore"} | _sides(box) for box in photo.ignore.tolist()]
        rows += some or [start | {"use": ""}]
    tables.write(out / "boxes.csv", rows, (*COLUMNS, "identity", "use"))


def _sides(box: list[float]) -> dict[str, object]:
    return {side: round(value, 3) for side, value in zip(SIDES, box, strict=True)}
