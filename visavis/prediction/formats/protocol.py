"""What a format must provide."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from visavis.prediction.records import Record
from visavis.sources import Input

Records = Callable[[], Iterator[tuple[Input, Record]]]
"""Returns all inputs of a run with their records. It may be called several times: they are not all in memory."""


class Format(Protocol):
    """A module that writes all records of a run in its own way, at the run's end."""

    WRITES: str
    """The name of the file or folder that it writes in the folder of results."""
    OF_PICTURES: bool
    """Whether it refers to picture files: then the frames of videos are written as files, too."""

    def write(self, out: Path, records: Records) -> None:
        """Write it into the folder `out`, in place of what an earlier run wrote. Raises InputError, OSError."""
        ...
