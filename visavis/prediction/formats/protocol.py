"""What a format is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from visavis.prediction.records import Record
from visavis.sources import Input

Records = Callable[[], Iterator[tuple[Input, Record]]]
"""Gives all inputs of a run with their records. It may be called more than once: they are not all in memory."""


class Format(Protocol):
    """A module that writes all records of a run in its own way, at the run's end."""

    WRITES: str
    """The name of the file or folder that it makes in the folder of results."""
    OF_PICTURES: bool
    """Whether it speaks of files of pictures: then frames of videos become such."""

    def write(self, out: Path, records: Records) -> None:
        """Write it into the folder `out`. What was there of an earlier run is replaced. Raises InputError, OSError."""
        ...
