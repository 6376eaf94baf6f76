"""A folder for a run's temporary files, which the next run empties, however this one ends."""

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
    """Lock the data folder against other runs, and yield an empty scratch folder in it. Raises InputError.

    The system releases the lock when the process ends, however it ends.
    """
    with (data / f"{NAME}.lock").open("a+") as file:
        if not lock(file):
            file.seek(0)
            raise InputError(f"another run is downloading into {data} (process {file.read().strip() or '?'})")
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
    """Make an empty folder. The processes of a killed run may still save a photo there until they notice, so this tries
    again for up to ten seconds. Raises FileExistsError."""
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
    """Replace a table by way of the scratch folder, so that the old one stays until the new one is complete."""
    tables.write(scratch / path.name, rows)
    os.replace(scratch / path.name, path)
