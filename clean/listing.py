"""Lists the photos to judge, from the tables of the data folder."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from clean import others
from clean.inspection import ListedPhoto
from clean.shelf import Shelf
from dataset import tables
from visavis.data.missing import none_is_ok
from visavis.errors import InputError
from visavis.images import find
from visavis.messages import counted

_TABLES = """
PRAGMA journal_mode = OFF;
CREATE TABLE file (image_id TEXT PRIMARY KEY, path TEXT, sha256 TEXT, ok INTEGER, pixels INTEGER) WITHOUT ROWID;
CREATE TABLE label (
    image_id TEXT, identity TEXT, x1 REAL, y1 REAL, x2 REAL, y2 REAL, curated INTEGER, score REAL, url TEXT
);
CREATE TABLE given (image_id TEXT, x1 REAL, y1 REAL, x2 REAL, y2 REAL, used TEXT);
"""

_PHOTOS = """
SELECT image_id, path, sha256, identity, x1, y1, x2, y2, curated, score, url, pixels
FROM file LEFT JOIN label USING (image_id) WHERE ok ORDER BY image_id, label.rowid
"""

_GIVEN = "SELECT x1, y1, x2, y2, used FROM given WHERE image_id = ? ORDER BY rowid"


def photos(folder: Path) -> Shelf[ListedPhoto]:
    """Every photo that downloads.csv calls ok or, without that table, each labelled image under images/; each once, by
    image_id. Raises InputError if there is none, and for bad tables.

    A photo in downloads.csv without a label is a negative: it shows no face, on purpose.
    """
    if not folder.is_dir():
        raise InputError(f"no data folder at {folder}; make one with `python -m download lists` or give --data")
    # The tables may be in any order and larger than memory. A database without a name is a temporary file.
    with closing(sqlite3.connect("")) as base:
        base.executescript(_TABLES)
        base.executemany("INSERT INTO label VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _labels(folder / "labels.csv"))
        base.executemany("INSERT INTO given VALUES (?, ?, ?, ?, ?, ?)", _given(folder / "faces.csv"))
        base.execute("CREATE INDEX of_image ON label (image_id)")
        base.execute("CREATE INDEX of_face ON given (image_id)")
        if (folder / "downloads.csv").exists():
            # A later attempt replaces an earlier one.
            base.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", _downloaded(folder))
        else:
            base.executemany("INSERT OR IGNORE INTO file VALUES (?, ?, '', 1, 0)", _lying(folder))
            base.execute("DELETE FROM file WHERE image_id NOT IN (SELECT image_id FROM label)")
        rows = groupby(base.execute(_PHOTOS), itemgetter(0))
        found = Shelf(
            _photo(folder, tuple(some), base.execute(_GIVEN, (image_id,)).fetchall()) for image_id, some in rows
        )
        if not found:
            raise InputError(_none(folder, base))
        return found


def _photo(folder: Path, rows: Sequence[Any], given: Sequence[Any]) -> ListedPhoto:
    """rows: of `_PHOTOS`, one per label, or a single one without a label. given: rows of `_GIVEN`."""
    image_id, path, sha256, identity = rows[0][:4]
    boxes = tuple(row[4:8] for row in rows if row[4] is not None)
    curated, score = (max(row[column] or 0 for row in rows) for column in (8, 9))
    url = next((row[10] for row in rows if row[10]), "")
    path, faces, pixels = folder / path, tuple(map(tuple, given)), rows[0][11]
    return ListedPhoto(image_id, path, identity or "", boxes, bool(curated), float(score), url, sha256, faces, pixels)


def _labels(path: Path) -> Iterator[tuple[Any, ...]]:
    for line, row in enumerate(tables.rows(path), start=2):
        curated = row["curated"].strip() in ("1", "1.0")
        score = tables.number(row, "score", path, line) if row["score"] else 0.0
        yield row["image_id"], row["identity"], *tables.box(row, path, line), curated, score, row["url"]


def _given(path: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of faces.csv that clean did not write."""
    for line, row in enumerate(tables.rows(path) if path.exists() else (), start=2):
        if not others.is_ours(row["source"]):
            yield row["image_id"], *tables.box(row, path, line), row["use"]


def _downloaded(folder: Path) -> Iterator[tuple[Any, ...]]:
    path = folder / "downloads.csv"
    for line, row in enumerate(tables.rows(path), start=2):
        sides = [int(tables.number(row, side, path, line)) if row[side] else 0 for side in ("width", "height")]
        yield row["image_id"], row["path"], row["sha256"].strip().lower(), row["status"] == "ok", sides[0] * sides[1]


def _lying(folder: Path) -> Iterator[tuple[str, str]]:
    images = folder / "images"
    for path in find(images):
        yield path.relative_to(images).with_suffix("").as_posix(), path.relative_to(folder).as_posix()


def _none(folder: Path, base: sqlite3.Connection) -> str:
    """A message that says why there is no photo."""
    if (folder / "downloads.csv").exists():
        return none_is_ok(folder / "downloads.csv")
    (count,) = base.execute("SELECT COUNT(DISTINCT image_id) FROM label").fetchone()
    return (
        f"{folder} has no downloads.csv, and of {counted(count, 'image')} in labels.csv none lies in "
        f"{folder / 'images'}; run `python -m download images` first"
    )
