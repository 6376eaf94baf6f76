"""What is still to be fetched: labels.csv without what downloads.csv has, grouped by host.

Each run computes it in a scratch database in the data folder, so that memory is constant however long the list is.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from dataset import tables
from download.reasons import REASONS
from download.schedule import Job
from download.scratch import rewrite
from download.tally import Tally
from visavis.errors import InputError

_HOST = re.compile(r"https?://([A-Za-z0-9._\-]+)(?::\d+)?(?:[/?#]|$)", re.IGNORECASE)
_UNSAFE = re.compile(r"[\\\x00-\x1f:]|(?:^|/)(?:[./]|$)|//")
_BATCH = 16  # jobs of a host that are read at once, few because many hosts may wait


class Plan:
    """What labels.csv names without what downloads.csv has. Use as a context manager.

    data: the data folder. scratch: an empty folder for the database. shard: (which, of how many) shares of the hosts,
    from 1. again: reasons whose rows are dropped first, so that their images are fetched again. Raises InputError.
    """

    def __init__(
        self, data: Path, scratch: Path, shard: tuple[int, int] = (1, 1), again: frozenset[str] = frozenset()
    ) -> None:
        self.tally = Tally()
        self.answered: list[tuple[dict[str, str], list[str]]] = []
        """(row, image_ids): images whose address was already fetched for another image."""
        self._data = data
        self._scratch = scratch
        self._database = sqlite3.connect(scratch / "plan", check_same_thread=False, isolation_level=None)
        try:
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.execute("PRAGMA cache_size = -32000")  # KiB
            self._database.execute("BEGIN")
            self._read_labels(data / "labels.csv", shard)
            if (data / "downloads.csv").exists():
                if again:
                    self._forget(data / "downloads.csv", again)
                self._read_downloads(data / "downloads.csv")
            self._gather()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Plan":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the scratch database."""
        self._database.close()

    def hosts(self) -> Iterator[tuple[str, Iterator[Job]]]:
        """Each host with its jobs, which are read lazily; hosts with the most jobs first, because they take longest.

        Must not be read by two threads at once.
        """
        query = "SELECT host, min(id), max(id) FROM jobs GROUP BY host ORDER BY count(*) DESC"
        for host, first, last in self._database.execute(query):
            yield host, self._jobs(host, first, last)

    def _jobs(self, host: str, first: int, last: int) -> Iterator[Job]:
        query = "SELECT url, image_ids FROM jobs WHERE id BETWEEN ? AND ? ORDER BY id"
        while first <= last:
            batch = self._database.execute(query, (first, min(last, first + _BATCH - 1))).fetchall()
            first += _BATCH
            for url, image_ids in batch:
                yield Job(url, host, sorted(image_ids.split("\n")))

    def _read_labels(self, path: Path, shard: tuple[int, int]) -> None:
        # done: 0 no row yet, 1 a row, 2 a row that is ok
        self._database.execute(
            "CREATE TABLE images (image_id TEXT PRIMARY KEY, url TEXT, host TEXT, done INTEGER) WITHOUT ROWID"
        )
        rows = 0

        def values() -> Iterator[tuple[str, str, str, int]]:
            nonlocal rows
            for rows, row in enumerate(tables.rows(path), start=1):
                image_id, url = row["image_id"], row["url"].partition("#")[0]
                if not is_safe(image_id):
                    raise InputError(
                        f"{path} row {rows + 1}: image_id {image_id!r} cannot be a file's name; correct or remove it"
                    )
                host = host_of(url)
                if in_shard(host, shard):
                    yield image_id, url, host, 0

        # OR IGNORE: another face of the same photo
        self._database.executemany("INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?)", values())
        if not rows:
            raise InputError(f"{path} has no rows: nothing to fetch")
        (self.tally.total,) = self._database.execute("SELECT count(*) FROM images").fetchone()

    def _forget(self, path: Path, reasons: frozenset[str]) -> None:
        query = "SELECT 1 FROM images WHERE image_id = ?"
        kept = (
            row
            for row in tables.rows(path)
            if row["reason"] not in reasons or not self._database.execute(query, (row["image_id"],)).fetchone()
        )
        rewrite(path, kept, self._scratch)

    def _read_downloads(self, path: Path) -> None:
        query = "UPDATE images SET done = ? WHERE image_id = ? AND done = 0 RETURNING host"
        for row in tables.rows(path):
            done = 2 if row["status"] == "ok" else 1
            if found := self._database.execute(query, (done, row["image_id"])).fetchone():
                self.tally.note(row, found[0])

    def _gather(self) -> None:
        """Make one job of each address, except those that were already fetched for another image."""
        self._database.execute("CREATE TABLE lost (url TEXT PRIMARY KEY)")
        groups = """
            SELECT host, url, group_concat(image_id, char(10)) FILTER (WHERE done = 0) AS image_ids,
                   substr(max(done || image_id) FILTER (WHERE done > 0), 2) AS answer
            FROM images GROUP BY host, url
        """
        answers = self._database.execute(
            f"SELECT url, image_ids, answer FROM ({groups}) WHERE image_ids IS NOT NULL AND answer IS NOT NULL"
        )
        wanted = {answer: (url, image_ids) for url, image_ids, answer in answers}  # few: rows added to the list later
        for row in tables.rows(self._data / "downloads.csv") if wanted else ():
            url, image_ids = wanted.pop(row["image_id"], (None, ""))
            if url is None:
                continue
            if row["path"] and not (self._data / row["path"]).is_file():
                self._database.execute("INSERT INTO lost VALUES (?)", (url,))
            else:
                self.answered.append((row, sorted(image_ids.split("\n"))))
        # Ordered by host, because `_jobs` reads a host's jobs from its first id to its last.
        self._database.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, host TEXT, url TEXT, image_ids TEXT)")
        self._database.execute(
            f"INSERT INTO jobs SELECT NULL, host, url, image_ids FROM ({groups}) WHERE image_ids IS NOT NULL "
            "AND (answer IS NULL OR url IN (SELECT url FROM lost)) ORDER BY host, url"
        )


def host_of(url: str) -> str:
    """The host's name in an address, in lower case, without the root's dot; empty if there is none."""
    if found := _HOST.match(url):
        return found[1].lower().rstrip(".")
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:  # not a valid address, which the client will report
        return ""


def is_safe(image_id: str) -> bool:
    """Whether it may be a file's path: inside the folder, not hidden, and the same file on every system."""
    return bool(image_id) and not _UNSAFE.search(image_id)


def in_shard(host: str, shard: tuple[int, int]) -> bool:
    """Whether the host belongs to this share, which is the same on every machine and for every list."""
    which, of = shard
    return (
        of == 1 or int.from_bytes(hashlib.sha256(host.encode("utf-8", "surrogatepass")).digest()[:8]) % of == which - 1
    )


def shard_named(text: str | None) -> tuple[int, int]:
    """`3/8` as (3, 8); (1, 1) for none. Raises InputError."""
    if text is None:
        return 1, 1
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"--shard {text}: give the number of the share and of all shares, such as 3/8 (1/8 to 8/8)")
    return int(found[1]), int(found[2])


def reasons_named(retry: str | None) -> frozenset[str]:
    """The reasons that --retry names. Raises InputError."""
    chosen: set[str] = set()
    for word in (retry or "").split(",") if retry is not None else ():
        same_status = {reason for reason, (status, _) in REASONS.items() if word.strip() in (status, reason)}
        if not same_status:
            raise InputError(f"--retry {word.strip()!r}: give failed, refused, or reasons of {', '.join(REASONS)}")
        chosen |= same_status
    return frozenset(chosen)
