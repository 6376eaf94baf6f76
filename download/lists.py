"""The VGG Face list → labels.csv and labels_rejected.csv. Pure parsing; what is fetched is in `sources.py`."""

import csv
import difflib
import itertools
import math
import re
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm
from tyro.conf import Positional

from dataset import tables
from download import names, sources
from visavis.errors import InputError
from visavis.messages import counted, say
from visavis.options import Count, Number

REASONS: dict[str, str] = {
    "wrong_fields": "not the nine fields `id url left top right bottom pose score curation`, or too long a line",
    "bad_encoding": "an address that is not ASCII or UTF-8",
    "bad_id": "the id is not a whole number of at most 18 digits",
    "bad_url": "not an http or https address",
    "bad_number": "a coordinate, the pose, the score or the curation is not a finite number",
    "empty_box": "the box has no width or no height, or is upside down",
    "repeated_id": "the identity has this id already",
    "not_curated": "left out by --curated",
    "low_score": "left out by --min-score",
    "not_frontal": "left out by --frontal",
    "over_limit": "left out by --per-identity",
}
"""The closed list of labels_rejected.csv, explained in docs/reasons.md."""

_URL = re.compile(r"https?://[^/?#]+.*", re.IGNORECASE)
_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_TEXT_KEPT = 1000


@dataclass
class Options:
    """The VGG Face list → labels.csv and labels_rejected.csv. Each line of the list goes into one of the two."""

    source: Positional[str] = sources.OFFICIAL
    """The list: an archive (.tar.gz), a folder that is searched for .txt files, one .txt file, or the http(s)
    address of an archive, which is kept in the data folder; a broken download is continued."""
    data: Path = Path("data")
    """The data folder; the two tables are replaced."""
    identities: str | None = None
    """Whose lists to read: a number (the first so many), names with commas between them, or @FILE with a
    name a line. All by default."""
    per_identity: Count | None = None
    """At most this many labels per identity, the first ones that the other options leave."""
    curated: bool = False
    """Only lines that are part of the curated dataset (about four in ten)."""
    min_score: Number | None = None
    """Only lines with at least this score of the detector that made the list (most are from 0 to 5)."""
    frontal: bool = False
    """Only frontal faces (pose above 2)."""


class Label(NamedTuple):
    """One good line."""

    id: str
    url: str
    x1: float
    y1: float
    x2: float
    y2: float
    pose: float
    score: float
    curated: int


class Rejected(ValueError):
    """A line that cannot be used; `reason` is a key of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse(line: bytes) -> Label:
    """Read `id url left top right bottom pose score curation`. Raises Rejected."""
    fields = line.split()
    if len(fields) != 9 or len(line) > sources.MAX_LINE:
        raise Rejected("wrong_fields")
    id, url = fields[0], fields[1]
    if not id.isdigit() or len(id) > 18:
        raise Rejected("bad_id")
    try:
        address = url.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("bad_encoding") from None
    if not _URL.fullmatch(address) or not address.isprintable():
        raise Rejected("bad_url")
    for field in fields[2:]:
        if not _NUMBER.fullmatch(field):  # float() takes nan, inf and 1_000 too
            raise Rejected("bad_number")
    x1, y1, x2, y2, pose, score, curated = map(float, fields[2:])
    if not math.isfinite(x1 + y1 + x2 + y2 + pose + score) or curated not in (0, 1):
        raise Rejected("bad_number")
    if x2 <= x1 or y2 <= y1:
        raise Rejected("empty_box")
    return Label(id.decode(), address, x1, y1, x2, y2, pose, score, int(curated))


def run(options: Options) -> int:
    """Write the two tables into `options.data`; return the exit status.

    Raises InputError if the source cannot be read, holds no list, or lacks a requested identity.
    """
    first, wanted = _identities(options.identities)
    left_out = _filters(options)
    files = sources.lists(options.source, options.data)
    head = next(files, None)  # raises for a source that cannot be read, before anything is written
    if head is None:
        raise InputError(f"{options.source} holds no list: no .txt file in it")
    counts: Counter[str] = Counter()
    known: dict[str, array[int]] = {}  # the ids of each finished identity
    kept: Counter[str] = Counter()
    seen: set[str] = set()
    others: set[str] = set()
    labels_path, rejected_path = options.data / "labels.csv", options.data / "labels_rejected.csv"
    with tables.replaced(rejected_path) as rejected_file, tables.replaced(labels_path) as labels_file:
        labels = csv.writer(labels_file, lineterminator="\n")
        labels.writerow(tables.COLUMNS["labels.csv"])
        rejected = csv.writer(rejected_file, lineterminator="\n")
        rejected.writerow(tables.COLUMNS["labels_rejected.csv"])
        total = first if first is not None else len(wanted) if wanted else None
        with tqdm(total=total, unit="list", desc="lists") as bar:
            for file in itertools.chain([head], files):
                if wanted is not None and file.identity not in wanted:
                    others.add(file.identity)
                    continue
                if first is not None and file.identity not in seen and len(seen) == first:
                    break
                seen.add(file.identity)
                folder = names.folder_name(file.identity)
                identity = file.identity if file.identity.isprintable() else folder
                ids = set(known.get(folder, ()))
                for number, line in enumerate(file.lines(), start=1):
                    try:
                        label = parse(line)
                        if int(label.id) in ids:
                            raise Rejected("repeated_id")
                        ids.add(int(label.id))  # before the filters, so that they do not affect which ids are repeated
                        for reason, leave_out in left_out.items():
                            if leave_out(label):
                                raise Rejected(reason)
                        if kept[folder] == options.per_identity:
                            raise Rejected("over_limit")
                    except Rejected as problem:
                        counts[problem.reason] += 1
                        rejected.writerow((_printable(file.name), number, problem.reason, _text(line)))
                        continue
                    kept[folder] += 1
                    labels.writerow((f"{folder}/{label.id}", identity, *label[1:]))
                known[folder] = array("q", ids)
                bar.update(len(seen) - bar.n)
        if missing := (wanted or set()) - seen:
            raise InputError(_missing(missing, others, options.source))
    _report(sum(kept.values()), counts, len(seen), labels_path, rejected_path)
    return 0


def _identities(text: str | None) -> tuple[int | None, set[str] | None]:
    """The meaning of --identities: how many from the start, or which ones. Raises InputError."""
    if text is None:
        return None, None
    if re.fullmatch(r"[-+]?\d+", text):
        if int(text) < 1:
            raise InputError(f"--identities {text}: give 1 or more, or names")
        return int(text), None
    entries = text.split(",")
    if text.startswith("@"):
        try:
            entries = Path(text[1:]).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise InputError(f"--identities {text}: {text[1:]} cannot be read as text ({error})") from None
    chosen = {entry.strip().removesuffix(".txt") for entry in entries if entry.strip()}
    if not chosen:
        raise InputError(f"--identities {text!r} names nobody")
    return None, chosen


def _filters(options: Options) -> dict[str, Callable[[Label], bool]]:
    """Reason -> whether it applies to a label, which is then left out. Raises InputError for an invalid limit."""
    filters: dict[str, Callable[[Label], bool]] = {}
    if options.curated:
        filters["not_curated"] = lambda label: not label.curated
    if (least := options.min_score) is not None:
        if not math.isfinite(least):
            raise InputError(f"--min-score {least}: give a number such as 2.0")
        filters["low_score"] = lambda label: label.score < least
    if options.frontal:
        filters["not_frontal"] = lambda label: label.pose <= 2  # the archive's README: above 2 is frontal
    return filters


def _missing(missing: set[str], others: set[str], source: str) -> str:
    name = min(missing)
    close = difflib.get_close_matches(name, sorted(others), n=3)
    more = f" nor of {counted(len(missing) - 1, 'other')}" if len(missing) > 1 else ""
    return f"{source} has no list of {name!r}{more}" + (f"; there is {', '.join(close)}" if close else "")


def _text(line: bytes) -> str:
    return _printable(line[:_TEXT_KEPT].decode("utf-8", "backslashreplace"))


def _printable(text: str) -> str:
    """The text with control characters as escapes, also line breaks: a table has one row per line."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _report(labels: int, rejected: Counter[str], lists: int, labels_path: Path, rejected_path: Path) -> None:
    lines = labels + rejected.total()
    say(
        f"{counted(lines, 'line')} of {counted(lists, 'identity', 'identities')}: {counted(labels, 'label')} in "
        f"{labels_path}"
    )
    if rejected:
        say(f"{counted(rejected.total(), 'line')} in {rejected_path}:")
        for reason, count in rejected.most_common():
            say(f"  {count:>9,}  {reason}: {REASONS[reason]}")
    if not labels:
        say("no label is left; give less strict options, or look at the rejected lines")
