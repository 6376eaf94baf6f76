"""A folder for what a run works with and nobody else needs: it is emptied by the next run, however this one ends."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from dataset import tables
from visavis.errors import InputError
from visavis.locking import lock

NAME = ".download"


@contextlib.contextmanager
def alone_in(data: Path) -> Iterator[Path]:
    """Keep other runs off the data folder; yield an empty scratch folder in it. Raises InputError.

    The system lets go of the lock when the process ends, however it ends.
    """
    with (data / f"{NAME}.lock").open("a+") as file:
        if not lock(file):
            file.seek(0)
            raise InputError(f"another run downloads into {data} (process {file.read().strip() or '?'})")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        scratch = data / NAME
        _make_empty(scratch)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _make_empty(scratch: Path) -> None:
    """Make the folder anew. What a killed run started may still put a photo there, until it notices: so try again, for
    ten seconds at most. Raises FileExistsError."""
    for left in range(200, -1, -1):
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            scratch.mkdir()
            return
        except FileExistsError:
            if not left:
                raise
            time.sleep(0.05)


def rewrite(path: Path, rows: Iterable[tables.Row], scratch: Path) -> None:
    """Replace a table, by way of the scratch folder: what was there stays until all is written."""
    tables.write(scratch / path.name, rows)
    os.replace(scratch / path.name, path)
