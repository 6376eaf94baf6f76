"""python -m download merge: joins the data folders of several machines, each of which fetched a share of the hosts."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from dataset import tables
from download import limits, placeholders
from download.photos import Photos
from download.plan import is_safe
from download.report import report
from download.scratch import alone_in, rewrite
from download.tally import Tally
from visavis import images
from visavis.errors import InputError
from visavis.messages import counted, say

_RANK = {"failed": 1, "refused": 2, "ok": 3}  # of two rows for an image, the higher one wins


@dataclass
class Options:
    """Join the downloads.csv and the photos of several data folders, as made with --shard, into one.

    You can stop it at any moment and start it again; the other folders are not changed.
    """

    source: Positional[tuple[Path, ...]]
    """The other data folders."""
    data: Path = Path("data")
    """The data folder that receives everything; what it already has stays."""
    placeholder: placeholders.Least = 10


def run(options: Options) -> int:
    """Copy the photos, then replace the table. Returns the exit status: 3 if a photo is missing or has changed.

    Raises InputError for a folder without a table, another run on the data folder, a full disk.
    """
    if not options.source:
        raise InputError("give the data folders to join")
    placeholders.check(options.placeholder)
    for folder in options.source:
        next(tables.rows(folder / "downloads.csv"), None)
        if folder.resolve() == options.data.resolve():
            raise InputError(f"{folder} is the data folder that receives everything; give only the others")
    folders = [*([options.data] if (options.data / "downloads.csv").exists() else []), *options.source]
    options.data.mkdir(parents=True, exist_ok=True)
    try:
        with alone_in(options.data) as scratch:
            with closing(sqlite3.connect(scratch / "rows", isolation_level=None)) as database:
                lost, tally = _join(options, scratch, database)
            if options.placeholder:
                placeholders.mark(options.data, scratch, options.placeholder, tally)
            limits.write(limits.strictest(map(limits.read, folders)), options.data, scratch)
            report(tally, options.data, scratch)
    except OSError as error:
        raise InputError(
            f"{error.filename or options.data}: {error.strerror or error}; correct this and start again"
        ) from None
    except sqlite3.OperationalError as error:
        raise InputError(f"{options.data}: {error}; free some space and start again") from None
    for folder, count in lost.items():
        say(
            f"of {folder}, {counted(count, 'photo is', 'photos are')} missing or not what its table says: left out, "
            "and to be fetched again"
        )
    return 3 if lost else 0


def _join(options: Options, scratch: Path, database: sqlite3.Connection) -> tuple[Counter[Path], Tally]:
    """Gather the rows on disk, copy the photos, write the table."""
    for setting in ("journal_mode = OFF", "synchronous = OFF"):
        database.execute(f"PRAGMA {setting}")
    database.execute("BEGIN")
    database.execute(
        "CREATE TABLE rows (image_id TEXT PRIMARY KEY, rank INTEGER, source INTEGER, row TEXT) WITHOUT ROWID"
    )
    folders = [options.data, *options.source]
    for number, folder in enumerate(folders):
        path = folder / "downloads.csv"
        if number == 0 and not path.exists():
            continue
        database.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?) ON CONFLICT (image_id) DO UPDATE "
            "SET rank = excluded.rank, source = excluded.source, row = excluded.row WHERE excluded.rank > rank",
            (
                (row["image_id"], _rank(row, path), number, json.dumps([row[name] for name in _COLUMNS]))
                for row in tables.rows(path)
            ),
        )
    lost: Counter[Path] = Counter()
    tally = Tally()
    photos = Photos(options.data)

    def chosen() -> Iterator[tables.Row]:
        for source, values in database.execute("SELECT source, row FROM rows ORDER BY image_id"):
            row = dict(zip(_COLUMNS, json.loads(values), strict=True))
            if source and row["path"] and not _brought(folders[source], photos, row):
                lost[folders[source]] += 1
                continue
            tally.note(row, "")
            tally.total += 1
            yield row

    with photos:
        rewrite(options.data / "downloads.csv", chosen(), scratch)
    return lost, tally


_COLUMNS = tables.COLUMNS["downloads.csv"]


def _rank(row: tables.Row, path: Path) -> int:
    if row["status"] not in _RANK:
        raise InputError(f"{path}: {row['image_id']} has the status {row['status']!r}; there is ok, failed and refused")
    names = {f"images/{row['image_id']}{extension}" for extension in images.EXTENSIONS.values()}
    if not is_safe(row["image_id"]) or (row["path"] and row["path"] not in names):
        raise InputError(
            f"{path}: {row['image_id']!r} has its photo at {row['path']!r}; only images/<image_id> will do"
        )
    return _RANK[row["status"]]


def _brought(source: Path, photos: Photos, row: tables.Row) -> bool:
    """Whether the row's photo is in images/ now, with the row's hash."""
    try:
        body = (source / row["path"]).read_bytes()
    except FileNotFoundError:
        return False
    if hashlib.sha256(body).hexdigest() != row["sha256"]:
        return False
    here = photos.folder.parent / row["path"]
    if not here.exists() or here.read_bytes() != body:
        photos.save(row["image_id"], here.suffix, body)
    return True
