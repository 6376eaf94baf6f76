"""A folder for what is worked on, gone with this process, however that ends."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

_WATCH = "import shutil, sys\nsys.stdin.read()\nshutil.rmtree(sys.argv[1], ignore_errors=True)"
"""What a small process runs: its stdin ends when we do, a kill included."""


class Scratch:
    """Use as a context manager. Names in it are numbers: no name that a client gave is ever a path."""

    def __init__(self) -> None:
        self._numbers = count()

    def __enter__(self) -> "Scratch":
        self.path = Path(tempfile.mkdtemp(prefix="visavis-serve-"))
        command = [sys.executable, "-I", "-S", "-c", _WATCH, str(self.path)]
        self._watch = subprocess.Popen(
            command, stdin=subprocess.PIPE, start_new_session=True  # a terminal's Ctrl-C is not for it
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)  # a worker may be writing; the small process comes after it
        assert self._watch.stdin is not None
        self._watch.stdin.close()
        self._watch.wait()

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new folder that is removed at the end of the block, with all in it."""
        folder = self.path / str(next(self._numbers))
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
