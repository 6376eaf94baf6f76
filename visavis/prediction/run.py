"""A run of predict in its folder of results: it begins there, resumes after it was stopped, and writes all results."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from visavis.data import tables
from visavis.errors import ImageError, InputError
from visavis.files import sweep
from visavis.messages import counted, say
from visavis.prediction import masks, pages, results, sheets, strips, tracks
from visavis.prediction.copies import CROPS, DRAWN, FILTERED, REDACTED
from visavis.prediction.formats import FORMATS, load_format, written
from visavis.prediction.formats.protocol import Records
from visavis.prediction.frames import FRAMES
from visavis.prediction.records import Record
from visavis.prediction.results import FaceFields, Report, Tables
from visavis.prediction.run_journal import RunJournal
from visavis.sources import Input

JOURNAL = ".predict.jsonl"
"""The journal of a run that has not ended yet; it is removed when all results are written."""

NAMES = (results.FILES, results.FACES, pages.PAGE, DRAWN, REDACTED, FILTERED, CROPS, FRAMES, sheets.SHEETS,
         masks.LOOKS, masks.MINUTES, masks.CHARTS, tracks.TRACKS)  # fmt: skip
NAMES += tuple(written())
"""All that a run may write into its folder."""


@dataclass(frozen=True)
class Outputs:
    """What to write of all faces. formats: names in `FORMATS`, and csv for faces.csv. page, sheet: look.html,
    sheets/. tracks: the people of videos. masks: what is said of the masks in videos."""

    formats: Sequence[str] = ("csv",)
    page: bool = False
    sheet: bool = False
    tracks: bool = False
    masks: bool = False

    def writers(self) -> Iterator[tuple[str, str, Callable[[Path, Records], None]]]:
        """The option, the name in the folder of results, and what writes it, of each that is written at the end."""
        for name in self.formats:
            if name in FORMATS:
                made = load_format(name)
                yield f"--format {name}", made.WRITES, made.write
        if self.page:
            yield "--look", pages.PAGE, pages.write_page
        if self.sheet:
            yield "--sheet", sheets.SHEETS, sheets.write_sheets
        if self.tracks:
            yield "--out", tracks.TRACKS, tracks.write
        if self.masks:
            yield "--analyse mask", masks.LOOKS, masks.write


class Run:
    """The records of a run, with or without a folder: its journal, its tables, and the results written at its end.

    Use as a context manager. `inputs`: those of the stopped run in the folder, if this run resumes it. `over`: the run
    in the folder had ended already, and nothing is left to do.
    """

    def __init__(
        self, out: Path | None, outputs: Outputs, resume: bool = False, overwrite: bool = False, stdout: bool = False
    ) -> None:
        """Writes nothing yet. stdout: whether to print each record. Raises InputError if `out` cannot be the folder of
        such a run."""
        self._out, self._outputs, self._stdout = out, outputs, stdout
        self._journal: RunJournal | None = None
        self._tables: Tables | None = None
        self._report: Report | None = None
        self.inputs: list[Input] = []
        self.over = False
        if out is None:
            return
        _check(out, overwrite or resume)
        if resume and RunJournal.exists(out / JOURNAL):
            self._journal = RunJournal(out / JOURNAL)
            self.inputs = self._journal.inputs
        elif resume:
            self.over = _ended(out)

    def begin(self, inputs: Sequence[Input], settings: dict[str, Any], fields: FaceFields) -> None:
        """Begin, or resume the stopped run: from now on there are files in the folder.

        settings: all that the records depend on. fields: of each face, besides its box and score. Raises InputError if
        the folder cannot be made, or the stopped run had other settings.
        """
        self.inputs = [*inputs]
        if self._out is not None:
            if self._journal is None:
                _make(self._out)
                self._journal = RunJournal.begin(self._out / JOURNAL, settings, inputs)
                _forget(self._out)
            else:
                _compare(self._out, self._journal.settings, settings)
                say(f"of {counted(len(inputs), 'input')}, {counted(self._journal.done, 'was', 'were')} done before")
            sweep(self._out)
            videos = any(one.is_video for one in inputs)
            masked = videos and "mask" in fields.attributes
            self._outputs = replace(self._outputs, tracks=videos, masks=masked)
            self._tables = Tables(self._out, fields, "csv" in self._outputs.formats, videos)
        self._report = Report(self._tables, self._stdout)
        for record in self._journal.records() if self._journal is not None else ():
            self._report.add(record)

    @property
    def done(self) -> int:
        """The number of inputs that have a record."""
        return self._report.done if self._report is not None else 0

    def add(self, record: Record) -> None:
        """Take the record of the next input."""
        assert self._report is not None
        if self._journal is not None:
            self._journal.add(record)
        self._report.add(record)

    def conclude(self) -> int:
        """Write the results that are made of all records, and a summary to stderr; the run has ended, and its journal
        is removed. Returns the exit status: 0, or 3 if some input could not be read or some result not be written; in
        the latter case the journal stays, so that `resume` can try again."""
        if self.over and self._out is not None:
            return 3 if _failed(self._out) else 0
        assert self._report is not None
        whole = True
        if self._out is not None and self._journal is not None:
            whole = _write(self._out, self._journal, self._outputs)
        say(f"{self._report.summary()}{'' if self._out is None else f'; results in {self._out}'}")
        return self._report.status if whole else 3

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._report is not None and kind is not None and issubclass(kind, KeyboardInterrupt):
            hint = "; continue with --resume" if self._journal is not None else ""
            say(f"stopped after {self.done} of {counted(len(self.inputs), 'input')}{hint}")
        for file in (self._tables, self._journal):
            if file is not None:
                file.close()


def _check(out: Path, may_hold_results: bool) -> None:
    """Raise InputError if `out` cannot be a run's folder, or holds results and may not."""
    if os.path.lexists(out) and not out.is_dir():
        raise InputError(f"`out` {out} is a file; give a folder")
    if may_hold_results:
        return
    if RunJournal.exists(out / JOURNAL):
        raise InputError(f"a run was stopped in {out}; give `resume` to continue it, or `overwrite` to start again")
    for name in NAMES:
        if os.path.lexists(out / name):
            raise InputError(f"{out} already holds {name}; give another `out`, or `overwrite`")


def _ended(out: Path) -> bool:
    """Whether a run has ended in `out`; one that was stopped before it wrote anything has not. Raises InputError if
    there was none."""
    if (out / JOURNAL).exists():
        return False
    if not (out / results.FILES).exists():
        raise InputError(f"`resume`: no run was stopped in {out}; leave `resume` out")
    _tidy(out)
    say(f"the run in {out} has ended: nothing is left to do (for other options, give --overwrite or another --out)")
    return True


def _failed(out: Path) -> bool:
    """Whether the run that ended could not read some input."""
    return any(row["status"] == "unreadable" for row in tables.rows(out / results.FILES, ("status",)))


def _compare(out: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise InputError if the stopped run had other settings."""
    for name, value in before.items():
        if now.get(name) != value:
            raise InputError(f"`resume`: the run in {out} had {name} = {value}, this one has {now.get(name)}; "
                             "give the same options, or `overwrite` to start again")  # fmt: skip


def _write(out: Path, journal: RunJournal, outputs: Outputs) -> bool:
    """Write the results that are made of all records. Returns whether all could be written: one that fails is named on
    stderr and does not keep the others from being written."""

    def records() -> Iterator[tuple[Input, Record]]:
        return zip(journal.inputs, journal.records(), strict=True)

    failed = 0
    for option, name, write in outputs.writers():
        try:
            write(out, records)
        except Exception as error:  # noqa: BLE001 anyone may add a format: whatever it fails with concerns its file alone
            reason = str(error) if isinstance(error, InputError | ImageError | OSError) else repr(error)
            say(f"{option}: {out / name} could not be written: {reason}")
            failed += 1
    sweep(out)  # temporary files of workers that died
    if failed:
        say("the other results are written; after the cause is mended, --resume writes what is missing")
        return False
    journal.path.unlink()
    _tidy(out)
    return True


def _tidy(out: Path) -> None:
    """Remove the small pictures that were kept for what is written at the end."""
    sheets.tidy(out)
    strips.tidy(out)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; give another `out`") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"`out` {folder} cannot be written to; give another")


def _forget(out: Path) -> None:
    """Remove the tables and pages of an earlier run, which this one may not replace."""
    own = results.FACES, pages.PAGE, masks.LOOKS, masks.MINUTES, tracks.TRACKS
    names = (*own, *(name for name in written() if "." in name))
    for path in (*(out / name for name in names), *out.glob("look-[0-9]*.html")):
        path.unlink(missing_ok=True)
