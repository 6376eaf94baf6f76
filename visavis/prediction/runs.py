"""A run in its folder of results: begun there, gone on with after it was stopped, and brought to its end."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from visavis.errors import InputError
from visavis.files import sweep
from visavis.messages import say
from visavis.prediction import pages, results, sheets
from visavis.prediction.copies import CROPS, DRAWN, REDACTED
from visavis.prediction.formats import FORMATS, load_format, written
from visavis.prediction.frames import FRAMES
from visavis.prediction.records import Journal, Record
from visavis.sources import Input

JOURNAL = ".predict.jsonl"
"""What a run has done so far; it goes when all is done."""

NAMES = (results.FILES, results.FACES, pages.PAGE, DRAWN, REDACTED, CROPS, FRAMES, sheets.SHEETS)
NAMES += tuple(written())
"""All that a run may leave in its folder."""


def check(out: Path, may_hold_results: bool) -> None:
    """Raise InputError where `out` cannot be a run's folder, or holds results that nobody said may be touched."""
    if os.path.lexists(out) and not out.is_dir():
        raise InputError(f"`out` {out} is a file; give a folder")
    if may_hold_results:
        return
    if Journal.exists(out / JOURNAL):
        raise InputError(f"a run was stopped in {out}; give `resume` to go on, or `overwrite` to begin anew")
    for name in NAMES:
        if os.path.lexists(out / name):
            raise InputError(f"{out} already holds {name}; give another `out`, or `overwrite`")


def begin(out: Path, settings: dict[str, Any], inputs: Sequence[Input]) -> Journal:
    """The journal of a new run. settings: all that its records depend on. Raises InputError where the folder cannot be
    made."""
    _make(out)
    journal = Journal.begin(out / JOURNAL, settings, inputs)
    _forget(out)
    sweep(out)
    return journal


def stopped(out: Path) -> Journal | None:
    """The journal of the run that was stopped in `out`; None where it had not come to write one."""
    return Journal(out / JOURNAL) if Journal.exists(out / JOURNAL) else None


def go_on(out: Path, journal: Journal, settings: dict[str, Any]) -> None:
    """Make ready to go on with a run that was stopped. Raises InputError where it had other settings."""
    for name, value in journal.settings.items():
        if settings.get(name) != value:
            raise InputError(f"`resume`: the run in {out} had {name} = {value}, this one has {settings.get(name)}; "
                             "give the same again, or `overwrite` to begin anew")  # fmt: skip
    sweep(out)
    say(f"{journal.done} of {len(journal.inputs)} inputs were done before")


def conclude(out: Path, held: Journal, formats: Iterable[str], page: bool, sheet: bool) -> None:
    """Write what is made of all records; then the run is over, and its journal goes."""

    def seen() -> Iterator[tuple[Input, Record]]:
        return zip(held.inputs, held.records(), strict=True)

    for name in formats:
        if name in FORMATS:
            load_format(name).write(out, seen)
    if page:
        pages.write_page(out, seen)
    if sheet:
        sheets.write_sheets(out, seen)
    sweep(out)  # what a worker was at when it died
    held.path.unlink()
    sheets.tidy(out)


def ended(out: Path) -> bool:
    """Whether a run came to its end in `out`, so that none is to go on. Raises InputError where there was none."""
    if (out / JOURNAL).exists():
        return False
    if not (out / results.FILES).exists():
        raise InputError(f"`resume`: no run was stopped in {out}; leave `resume` out")
    sheets.tidy(out)
    say(
        f"the run in {out} came to its end before: nothing is left to do (other options: --overwrite, or another --out)"
    )
    return True


def failed(out: Path) -> bool:
    """Whether the run that came to its end could not read some input."""
    with (out / results.FILES).open(encoding="utf-8", newline="") as file:
        return any(row["status"] == "unreadable" for row in csv.DictReader(file))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; give another `out`") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"`out` {folder} cannot be written to; give another")


def _forget(out: Path) -> None:
    """Remove the tables and pages of an earlier run, before one that may write others."""
    names = (results.FACES, pages.PAGE, *(name for name in written() if "." in name))
    for path in (*(out / name for name in names), *out.glob("look-[0-9]*.html")):
        path.unlink(missing_ok=True)
