"""Placeholders for missing pictures: the same bytes under many identities, found at the end of a run."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dataset import tables
from download.photos import Photos
from download.scratch import rewrite
from download.tally import Tally
from visavis.errors import InputError
from visavis.messages import counted, say
from visavis.options import Range

REASON = "placeholder"

Least = Annotated[
    int,
    Range(0),
    tyro.conf.arg(
        help="The same picture under at least this many identities is a placeholder, and refused; 0 accepts all."
    ),
]
"""The option of the commands that look for placeholders, which is then to be checked by `check`."""


@dataclass(frozen=True)
class Placeholder:
    """A picture, by its SHA-256, with the number of photos and of identities for which it came."""

    sha256: str
    photos: int
    identities: int


def check(least: int) -> None:
    """Raise InputError for a number with which every photo would be a placeholder."""
    if least == 1:
        raise InputError("`placeholder` 1 would refuse every photo; give 2 or more, or 0 for none")


def find(downloads: Path, scratch: Path, least: int) -> list[Placeholder]:
    """Pictures that came for at least `least` identities, the commonest first. Works on disk, in constant memory."""
    with closing(sqlite3.connect(scratch / "placeholders", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN")
        database.execute("CREATE TABLE photos (sha256 BLOB, identity TEXT)")
        rows = (row for row in tables.rows(downloads) if row["sha256"])
        database.executemany("INSERT INTO photos VALUES (?, ?)", ((row["sha256"], _identity(row)) for row in rows))
        found = database.execute(
            "SELECT sha256, count(*), count(DISTINCT identity) FROM photos "
            "GROUP BY sha256 HAVING count(DISTINCT identity) >= ? ORDER BY 2 DESC",
            (least,),
        ).fetchall()
        return [Placeholder(*values) for values in found]


def mark(data: Path, scratch: Path, least: int, tally: Tally) -> list[Placeholder]:
    """Refuse the placeholders in downloads.csv and remove their photos; returns the placeholders.

    least: identities. The table is replaced before files are removed: after a kill in between, the next run goes on.
    """
    downloads = data / "downloads.csv"
    found = find(downloads, scratch, least)
    if not found:
        return []
    known = {placeholder.sha256 for placeholder in found}

    def judged() -> Iterator[tables.Row]:
        for row in tables.rows(downloads):
            if row["sha256"] in known and row["status"] == "ok":
                tally.move(row["image_id"], REASON)
                row |= {"status": "refused", "reason": REASON, "path": ""}
            yield row

    if any(row["sha256"] in known and row["status"] == "ok" for row in tables.rows(downloads)):
        rewrite(downloads, judged(), scratch)
    photos = Photos(data)
    for row in tables.rows(downloads):
        if row["reason"] == REASON:
            photos.remove(row["image_id"])
    for placeholder in found:
        say(
            f"placeholder: the same picture for {counted(placeholder.photos, 'photo')} of "
            f"{counted(placeholder.identities, 'identity', 'identities')} (sha256 {placeholder.sha256[:16]})"
        )
    return found


def _identity(row: tables.Row) -> str:
    return row["image_id"].rpartition("/")[0]
