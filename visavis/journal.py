"""What a run has done so far: JSON objects in a file, one a line, each flushed as it is written.

One rule for what a killed program or a power cut leaves: only a line that is whole, from its brace to its line break,
counts. A torn end is cut off before anything is added; a torn line elsewhere is passed over.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from visavis.errors import InputError
from visavis.locking import lock

_PIECE = 65536


def lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where each whole line begins, in bytes, and the line, from where the open file stands to its end."""
    place = file.tell()
    for line in file:
        if line.startswith(b"{") and line.endswith(b"}\n"):  # a power cut may leave zeros
            yield place, line
        place += len(line)


def cut_torn_end(path: Path) -> None:
    """Cut off what follows the last line break of a file of lines."""
    os.truncate(path, whole_length(path))


def whole_length(path: Path) -> int:
    """Bytes up to and including the last line break."""
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        while place > 0:
            start = max(0, place - _PIECE)
            file.seek(start)
            found = file.read(place - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            place = start
    return 0


class Journal:
    """Adds lines to the file at `path`, which is made if it is not there. Use as a context manager, which raises
    InputError if another program is writing to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab")
        if not lock(self._file):
            self._file.close()
            raise InputError(f"another run is writing to {self.path}; wait until it ends")
        cut_torn_end(self.path)
        self._file.seek(0, os.SEEK_END)
        return self

    def add(self, value: dict[str, Any]) -> int:
        """Write one line and flush it; return where it begins, in bytes."""
        place = self._file.tell()
        self._file.write(json.dumps(value).encode() + b"\n")
        self._file.flush()
        return place

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
