"""What was seen so far, on disk: one JSON line a look, so that a stopped run goes on where it was."""

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from clean.look import Seen


def read(path: Path) -> dict[str, Seen]:
    """image_id -> the last look at it; nothing where there is no journal.

    A line that is none of ours (torn by a kill, of another version) only costs another look.
    """
    seen: dict[str, Seen] = {}
    if not path.exists():
        return seen
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                one = Seen(**json.loads(line))
            except (json.JSONDecodeError, TypeError):
                continue
            seen[one.image_id] = one
    return seen


class Journal:
    """Adds looks to the file at `path`, each a flushed line. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        if self._file.seek(0, 2):
            self._file.seek(-1, 2)
            if self._file.read(1) != b"\n":  # a killed run's last line: ours must not grow on it
                self._file.write(b"\n")
        return self

    def add(self, seen: Seen) -> None:
        """Write one look."""
        self._file.write(json.dumps(asdict(seen)).encode() + b"\n")
        self._file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
