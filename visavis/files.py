"""Files that appear under their name when they are whole, and CSV rows that keep any text."""

import csv
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_BEGINS, _ENDS = ".visavis-", ".tmp"


@contextmanager
def replaced(path: Path, mode: str = "w", durable: bool = True) -> Iterator[IO[Any]]:
    """A file that takes its name when the block ends well: temporary file, flush, fsync, rename.

    mode: `w` for UTF-8 text whose line breaks are left alone, `wb` for bytes. Until the end, and where
    the block raises, what was at `path` stays as it was. The folder is made if it is not there.
    durable: it is on the disk by then, too, which takes a while; without, it outlives a killed program, but perhaps
    not a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not named after `path`: that name may already be as long as the file system allows.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_BEGINS, suffix=_ENDS)
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with os.fdopen(handle, mode, **text) as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes it private; a result is as public as its folder
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed programs left in `folder` and below."""
    for path in folder.rglob(f"{_BEGINS}*{_ENDS}"):
        path.unlink(missing_ok=True)


def csv_rows(file: IO[str], columns: Iterable[str]) -> "csv.DictWriter[str]":
    """A writer of rows by column name to an open text file; lines end with a line feed."""
    return csv.DictWriter(_LineFeeds(file), list(columns), lineterminator="\r\n")


class _LineFeeds:
    """Turns the line end that csv.writer is told into a line feed. It is told both characters because it
    quotes a field for those alone (before Python 3.13), and a bare carriage return would split the row."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")
