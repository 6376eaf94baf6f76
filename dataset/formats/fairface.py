"""FairFace: crops with a group of ages and a gender in a table (Kärkkäinen and Joo 2021), CC BY 4.0."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from dataset.formats import crops
from dataset.formats.imported import ImportedPhoto, Wanted
from dataset.formats.names import located
from visavis.data.attributes import GENDERS, OLDEST
from visavis.errors import InputError
from visavis.texts import read_text

TABLES = ("fairface_label_train.csv", "fairface_label_val.csv", "attributes.csv")
SPREADSHEETS = {"03-Sep": "3-9", "Oct-19": "10-19", "10-Oct": "10-19", "Sep-03": "3-9"}
"""Groups of ages that a spreadsheet took for days."""


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of a table of FairFace's, or of those in a folder. Nobody in it wears a mask: the photos are of before
    2015. Raises InputError with file and row."""
    tables = [source] if source.is_file() else [source / name for name in TABLES if (source / name).is_file()]
    if not tables:
        raise InputError(f"{source} has none of {', '.join(TABLES)}; give the folder of FairFace, or its table")
    photos = []
    for table in tables:
        folders = [wanted.images] if wanted.images else [table.parent, table.parent / "images"]
        for line, row in enumerate(csv.DictReader(read_text(table).splitlines()), start=2):
            where = f"{table} row {line}"
            name, gender = row.get("file") or row.get("image") or "", (row.get("gender") or "").strip().lower()
            group = row.get("age_group") or row.get("age") or ""
            if not name or gender not in GENDERS:
                raise InputError(f"{where}: it must name a file, and a gender of {', '.join(GENDERS)}; mend the row")
            low, high = ages(group, where)
            attributes = {"mask": "none", "age_low": str(low), "age_high": str(high), "gender": gender}
            photos.append(ImportedPhoto(f"fairface/{name}", located(name, folders), where, attributes=[attributes]))
    yield from crops.with_faces(photos)


def ages(group: str, where: str) -> tuple[int, int]:
    """The youngest and the oldest of a group such as `30-39` or `more than 70`. Raises InputError."""
    group = SPREADSHEETS.get(group.strip(), group.strip())
    if found := re.fullmatch(r"(\d+)-(\d+)", group):
        low, high = int(found[1]), int(found[2])
    elif found := re.fullmatch(r"more than (\d+)|(\d+)\+", group):
        low, high = int(found[1] or found[2]), OLDEST
    else:
        raise InputError(f"{where}: the ages {group!r} are no group such as 30-39 or `more than 70`; mend the row")
    if not low <= high <= OLDEST:
        raise InputError(f"{where}: the ages {group!r} are not from young to old, up to {OLDEST}; mend the row")
    return low, high
