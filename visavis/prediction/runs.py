"""A run in its folder of results: begun there, gone on with after it was stopped, and brought to its end."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from visavis.command import InputError, say
from visavis.files import sweep
from visavis.prediction import results, sheets
from visavis.prediction.copies import CROPS, DRAWN, REDACTED
from visavis.prediction.records import Journal, Record
from visavis.sources import Input

JOURNAL = ".predict.jsonl"
"""What a run has done so far; it goes when all is done."""

NAMES = (results.FILES, results.FACES, results.PAGE, DRAWN, REDACTED, CROPS, sheets.SHEETS, *results.WRITTEN.values())
"""All that a run may leave in its folder."""


def check(out: Path, may_hold_results: bool) -> None:
    """Raise InputError where `out` cannot be a run's folder, or holds results that nobody said may be touched."""
    if os.path.lexists(out) and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder")
    if may_hold_results:
        return
    if Journal.exists(out / JOURNAL):
        raise InputError(f"a run was stopped in {out}; give --resume to go on, or --overwrite to begin anew")
    for name in NAMES:
        if os.path.lexists(out / name):
            raise InputError(f"{out} already holds {name}; give another --out, or --overwrite")


def journal(out: Path, settings: dict[str, Any], inputs: Sequence[Input], resume: bool) -> Journal:
    """The journal of a new run, or of the one that this goes on with. settings: all that its records depend on.

    Raises InputError where that run had other settings, or the folder cannot be made.
    """
    if not resume:
        _make(out)
        held = Journal.begin(out / JOURNAL, settings, inputs)
        sweep(out)
        return held
    held = Journal(out / JOURNAL)
    for name, value in held.settings.items():
        if settings.get(name) != value:
            raise InputError(f"--resume: the run in {out} had {name} = {value}, this one has {settings.get(name)}; "
                             "give the same again, or --overwrite to begin anew")  # fmt: skip
    sweep(out)
    say(f"{held.done} of {len(held.inputs)} inputs were done before")
    return held


def conclude(out: Path, held: Journal, formats: Iterable[str], page: bool, sheet: bool) -> None:
    """Write what is made of all records; then the run is over, and its journal goes."""

    def seen() -> Iterator[tuple[Input, Record]]:
        return zip(held.inputs, held.records(), strict=True)

    for name in formats:
        if name in results.FORMATS:
            results.FORMATS[name](out, seen)
    if page:
        results.write_page(out, seen)
    if sheet:
        sheets.write_sheets(out, seen)
    held.path.unlink()
    sheets.tidy(out)


def ended(out: Path) -> bool:
    """Whether a run came to its end in `out`, so that none is to go on. Raises InputError where there was none."""
    if Journal.exists(out / JOURNAL):
        return False
    if not (out / results.FILES).exists():
        raise InputError(f"--resume: no run was stopped in {out}; leave --resume out")
    sheets.tidy(out)
    say(f"the run in {out} came to its end before: nothing is left to do")
    return True


def failed(out: Path) -> bool:
    """Whether the run that came to its end could not read some input."""
    with (out / results.FILES).open(encoding="utf-8", newline="") as file:
        return any(row["status"] == "unreadable" for row in csv.DictReader(file))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; give another --out") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--out {folder} cannot be written to; give another")
