"""The journal of a run: its inputs, its settings and a record for each input done, so that a stopped run can resume."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from itertools import islice
from pathlib import Path
from typing import IO, Any

from visavis.errors import InputError
from visavis.files import replaced
from visavis.journal import cut_torn_end, lines
from visavis.locking import lock
from visavis.prediction.records import Record
from visavis.sources import Input


class RunJournal:
    """One file: a first line with the settings and inputs of the run, then a line for each record. Close it after use.

    The first line is written as a whole or not at all. An incomplete last line, as a kill may leave it, is cut off.
    """

    def __init__(self, path: Path, file: IO[bytes] | None = None) -> None:
        """file: the journal, if it is open and locked already. Raises InputError if another run is using it, and if it
        is damaged or another version's."""
        self.path = path
        self._file = file or path.open("r+b")
        if file is None:
            _lock(self._file, path)
        cut_torn_end(path)
        try:
            head = json.loads(self._file.readline())
            self.settings: dict[str, Any] = head["settings"]
            self.inputs = [Input(*fields) for fields in head["inputs"]]
            self._begin = end = self._file.tell()
            for _, first in islice(lines(self._file), 1):
                Record(**json.loads(first))
        except (ValueError, KeyError, TypeError):
            self._file.close()
            raise InputError(
                f"{path} is damaged, or was written by another version of visavis; give `overwrite` to start again"
            ) from None
        self._file.seek(end)
        self.done = 0
        for place, line in lines(self._file):
            if place != end:  # an incomplete line: the inputs from here on are processed again
                break
            end += len(line)
            self.done += 1
        self._file.truncate(end)
        self._file.seek(end)

    @classmethod
    def begin(cls, path: Path, settings: dict[str, Any], inputs: Sequence[Input]) -> "RunJournal":
        """Write a new journal, in place of an old one. Raises InputError if another run is using that."""
        with path.open("ab") as old:
            _lock(old, path)
            with replaced(path) as file:
                _lock(file)  # before it has its name, so that at no moment another run could begin
                json.dump({"settings": settings, "inputs": [astuple(one) for one in inputs]}, file)
                file.write("\n")
                locked = os.dup(file.fileno())
        begun = os.fdopen(locked, "r+b")
        begun.seek(0)
        return cls(path, begun)

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether a run has begun here. One that was stopped before it had begun leaves at most an empty file."""
        return path.exists() and path.stat().st_size > 0

    def records(self) -> Iterator[Record]:
        """The records written so far, in the order of the inputs."""
        with self.path.open("rb") as file:
            file.seek(self._begin)
            for _, line in zip(range(self.done), file, strict=False):
                yield Record(**json.loads(line))

    def add(self, record: Record) -> None:
        """Write the record of the next input, and flush the file."""
        self._file.write(record.as_json().encode() + b"\n")
        self._file.flush()
        self.done += 1

    def close(self) -> None:
        """Release the journal for other runs."""
        self._file.close()


def _lock(file: IO[Any], path: Path | None = None) -> None:
    """Lock an open file, which must still be the one at `path`, until it is closed. Raises InputError if it is
    locked."""
    if not lock(file, path):
        file.close()
        raise InputError(f"another run is writing to {Path(file.name).parent}; wait until it ends")
