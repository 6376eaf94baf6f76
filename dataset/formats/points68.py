"""Faces with the 68 points of 300-W: a CSV of an image and 136 numbers a row, or photos with a .pts file beside each.

.pts files (300-W, Helen, AFW, LFPW, IBUG) count pixels from 1 on, at their middle: half a pixel is taken off. The
numbers of a CSV are taken as they are.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dataset.formats import pointed
from dataset.formats.crops import photos_in
from dataset.formats.imported import ImportedPhoto, Wanted, numbers
from dataset.formats.names import located
from visavis.errors import InputError
from visavis.images import SUFFIXES
from visavis.keypoints import Points
from visavis.texts import read_text

COUNT = 68
THRESHOLD = 0.3
"""Score from which on a detection around the points is taken: there is a face."""
MIDDLE = 0.5
"""Pixels from the middle of a pixel to the edge from which we count."""
_COPY = re.compile(r"_\d+$")


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of a CSV, of a folder with one, or of a folder of photos with a .pts file beside each.

    A CSV has a header, the photo's name in its first column, and then x and y of each point. Photos whose names differ
    in a last number alone (of one person, one video or one photo) share an identity, so that no split parts them.
    Raises InputError with file and row.
    """
    tables = [source] if source.is_file() else sorted(source.glob("*.csv")) if source.is_dir() else []
    if len(tables) > 1:
        raise InputError(f"{source} holds {len(tables)} CSV files; give the one with the points")
    photos = list(_of_table(tables[0], wanted) if tables else _of_pts(wanted.images or source))
    yield from pointed.with_boxes(photos, THRESHOLD)


def _of_table(table: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    folders = [wanted.images] if wanted.images else [table.parent, table.parent / "images"]
    photos: dict[str, ImportedPhoto] = {}
    rows = csv.reader(read_text(table).splitlines())
    next(rows, None)
    for line, (name, *cells) in ((line, row) for line, row in enumerate(rows, start=2) if row):
        where = f"{table} row {line}"
        if len(cells) != 2 * COUNT:
            raise InputError(
                f"{where}: {len(cells)} numbers after the photo's name, and {COUNT} points have {2 * COUNT}; "
                "correct or remove the row"
            )
        one = photos.setdefault(name, _photo(table.parent.name, name, located(name, folders), where))
        one.points.append(_points(numbers(cells, where), where))
    yield from photos.values()


def _of_pts(folder: Path) -> Iterator[ImportedPhoto]:
    found = {path.stem: path for path in folder.iterdir() if path.suffix.lower() == ".pts"} if folder.is_dir() else {}
    if not found:
        raise InputError(f"{folder} holds neither a CSV nor .pts files; give the folder of the set as it was unpacked")
    photos = {path.stem: path for path in photos_in(folder)}
    for stem, path in sorted(found.items()):
        if stem not in photos:
            endings = ", ".join(sorted(SUFFIXES))
            raise InputError(f"{path}: no photo {stem} ({endings}) lies beside it; put it there, or remove the file")
        text = read_text(path)
        inside = re.search(r"\{([^{}]*)\}", text)
        if inside is None:
            raise InputError(f"{path}: it has no points between curly brackets; remove or replace it")
        values = numbers(inside[1].split(), str(path))
        if len(values) != 2 * COUNT:
            raise InputError(f"{path}: it has {len(values)} numbers, and {COUNT} points have {2 * COUNT}; remove it")
        one = _photo(folder.name, photos[stem].name, photos[stem], str(path))
        one.points.append(_points(values, str(path)) - np.float32(MIDDLE))
        yield one


def _photo(group: str, name: str, path: Path, where: str) -> ImportedPhoto:
    stem = _COPY.sub("", Path(name).stem)
    return ImportedPhoto(f"{group}/{name}", path, where, f"{group}/{stem}")


def _points(values: list[float], where: str) -> Points:
    points = np.array(values, np.float32).reshape(-1, 2)
    if not np.isfinite(points).all() or np.ptp(points, axis=0).min() <= 0:
        raise InputError(f"{where}: the points are no face: they must be finite and not all on one line; remove it")
    return points
