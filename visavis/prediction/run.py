"""A run of predict and what it leaves in its folder: begun there, gone on with after it was stopped, and concluded."""

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from visavis.errors import InputError
from visavis.files import sweep
from visavis.messages import say
from visavis.prediction import pages, results, sheets
from visavis.prediction.copies import CROPS, DRAWN, REDACTED
from visavis.prediction.formats import FORMATS, load_format, written
from visavis.prediction.frames import FRAMES
from visavis.prediction.records import Journal, Record
from visavis.prediction.results import FaceFields, Report, Tables
from visavis.sources import Input

JOURNAL = ".predict.jsonl"
"""What a run has done so far; it goes when all is done."""

NAMES = (results.FILES, results.FACES, pages.PAGE, DRAWN, REDACTED, CROPS, FRAMES, sheets.SHEETS)
NAMES += tuple(written())
"""All that a run may leave in its folder."""


@dataclass(frozen=True)
class Wanted:
    """What is written of all faces. formats: names in `FORMATS`, and csv for faces.csv. page, sheet: those, too."""

    formats: Sequence[str] = ("csv",)
    page: bool = False
    sheet: bool = False


class Run:
    """The records of a run, which has a folder or none: its journal, tables, and what is made of all at its end.

    Use as a context manager. `inputs` are those of the run that was stopped in the folder, if this one goes on with
    that. `over`: it came to its end before, and nothing is left to do.
    """

    def __init__(
        self, out: Path | None, wanted: Wanted, resume: bool = False, overwrite: bool = False, stdout: bool = False
    ) -> None:
        """Nothing is written yet. stdout: whether each record is printed. Raises InputError where `out` cannot be the
        folder of such a run."""
        self._out, self._wanted, self._stdout = out, wanted, stdout
        self._journal: Journal | None = None
        self._tables: Tables | None = None
        self._report: Report | None = None
        self.inputs: list[Input] = []
        self.over = False
        if out is None:
            return
        _check(out, overwrite or resume)
        if resume and Journal.exists(out / JOURNAL):
            self._journal = Journal(out / JOURNAL)
            self.inputs = self._journal.inputs
        elif resume:
            self.over = _ended(out)

    def begin(self, inputs: Sequence[Input], settings: dict[str, Any], fields: FaceFields) -> None:
        """Begin, or go on where the run was stopped: from now on there is something in the folder.

        settings: all that the records depend on. fields: of each face, besides its box and score. Raises InputError if
        the folder cannot be made, or the run that was stopped had other settings.
        """
        self.inputs = [*inputs]
        if self._out is not None:
            if self._journal is None:
                _make(self._out)
                self._journal = Journal.begin(self._out / JOURNAL, settings, inputs)
                _forget(self._out)
            else:
                _compare(self._out, self._journal.settings, settings)
                say(f"{self._journal.done} of {len(inputs)} inputs were done before")
            sweep(self._out)
            videos = any(one.is_video for one in inputs)
            self._tables = Tables(self._out, fields, "csv" in self._wanted.formats, videos)
        self._report = Report(self._tables, self._stdout)
        for record in self._journal.records() if self._journal is not None else ():
            self._report.add(record)

    @property
    def done(self) -> int:
        """Inputs that have a record."""
        return self._report.done if self._report is not None else 0

    def add(self, record: Record) -> None:
        """The record of the next input."""
        assert self._report is not None
        if self._journal is not None:
            self._journal.add(record)
        self._report.add(record)

    def conclude(self) -> int:
        """Write what is made of all records, and say what came of them; the run is over, and its journal goes. Returns
        the exit status: 0, or 3 where some input could not be read."""
        if self.over and self._out is not None:
            return 3 if _failed(self._out) else 0
        assert self._report is not None
        if self._out is not None and self._journal is not None:
            _write(self._out, self._journal, self._wanted)
        say(f"{self._report.summary()}{'' if self._out is None else f'; results in {self._out}'}")
        return self._report.status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._report is not None and kind is not None and issubclass(kind, KeyboardInterrupt):
            on = "; --resume goes on" if self._journal is not None else ""
            say(f"stopped after {self.done} of {len(self.inputs)} inputs{on}")
        for file in (self._tables, self._journal):
            if file is not None:
                file.close()


def _check(out: Path, may_hold_results: bool) -> None:
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


def _ended(out: Path) -> bool:
    """Whether a run came to its end in `out`; it did not where it was stopped before it wrote anything. Raises
    InputError where there was none."""
    if (out / JOURNAL).exists():
        return False
    if not (out / results.FILES).exists():
        raise InputError(f"`resume`: no run was stopped in {out}; leave `resume` out")
    sheets.tidy(out)
    say(
        f"the run in {out} came to its end before: nothing is left to do (other options: --overwrite, or another --out)"
    )
    return True


def _failed(out: Path) -> bool:
    """Whether the run that came to its end could not read some input."""
    with (out / results.FILES).open(encoding="utf-8", newline="") as file:
        return any(row["status"] == "unreadable" for row in csv.DictReader(file))


def _compare(out: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise InputError where the run that was stopped had other settings."""
    for name, value in before.items():
        if now.get(name) != value:
            raise InputError(f"`resume`: the run in {out} had {name} = {value}, this one has {now.get(name)}; "
                             "give the same again, or `overwrite` to begin anew")  # fmt: skip


def _write(out: Path, journal: Journal, wanted: Wanted) -> None:
    """What is made of all records."""

    def records() -> Iterator[tuple[Input, Record]]:
        return zip(journal.inputs, journal.records(), strict=True)

    for name in wanted.formats:
        if name in FORMATS:
            load_format(name).write(out, records)
    if wanted.page:
        pages.write_page(out, records)
    if wanted.sheet:
        sheets.write_sheets(out, records)
    sweep(out)  # what a worker was at when it died
    journal.path.unlink()
    sheets.tidy(out)


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
