"""The CSV tables of the data folder: their columns, reading, atomic writing, appending.

A table is either replaced as a whole (`write`) or appended to row by row (`Appender`). Both ways a
reader never sees half a row: a replaced table appears under its name when it is complete, and a
torn last row of an appended one is dropped when read and cut off before the next append.
"""

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from visavis.errors import InputError
from visavis.files import csv_rows, replaced
from visavis.journal import cut_torn_end, whole_length
from visavis.messages import say

__all__ = ["COLUMNS", "Appender", "Row", "box", "number", "replaced", "rows", "write"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "labels.csv": ("image_id", "identity", "url", "x1", "y1", "x2", "y2", "pose", "score", "curated"),
    "labels_rejected.csv": ("file", "line", "reason", "text"),
    "downloads.csv": (
        ("image_id", "status", "reason", "http_status", "path", "width", "height", "bytes", "sha256")
        + ("attempts", "seconds")
    ),
    "clean.csv": ("image_id", "keep", "reason", "detail"),
    "faces.csv": ("image_id", "x1", "y1", "x2", "y2", "source", "use"),
    "groups.csv": ("image_id", "group"),
    "attributes.csv": ("image_id", "x1", "y1", "x2", "y2", "mask", "age", "age_low", "age_high", "gender"),
    "points.csv": ("image_id", "x1", "y1", "x2", "y2"),
}
"""The tables of the data folder; README.md says what a row of each is, docs/reasons.md what the reasons mean."""

APPENDED = ("downloads.csv",)
"""Tables that grow row by row; all others appear when they are whole."""

Row = dict[str, str]


def rows(path: Path, columns: Iterable[str] = ()) -> Iterator[Row]:
    """Yield each row as strings, by column name; a torn last row is left out: one without its line break, of a table
    that a killed run may have been appending to, or with too few fields.

    columns: those that must be there; by default what `COLUMNS` has for a file of that name.
    Raises InputError where there is no such file, or a column is missing, or a row is of the wrong length.
    """
    needed = tuple(columns) or COLUMNS.get(path.name, ())
    try:
        # utf-8-sig: spreadsheets put a mark before the header. newline: a carriage return in a field is no line end.
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            lines = _Lines(file)
            reader = csv.reader(lines, strict=True)
            written = next(reader, [])
            header = [name.strip() for name in written]
            if header != written:  # edited by hand, with spaces after the commas, which our own texts keep
                reader = csv.reader(lines, skipinitialspace=True, strict=True)
            missing = [column for column in needed if column not in header]
            if missing:
                raise InputError(f"{path}: no column {', '.join(missing)} (it has: {', '.join(header) or 'nothing'})")
            for number, values in enumerate(_until_torn(reader, lines), start=2):
                if lines.open_end and (path.name in APPENDED or len(values) != len(header)):
                    say(f"{path}: the last row has no line break at its end and is left out, for it may be half a row")
                    return
                if len(values) != len(header):
                    raise InputError(f"{path} row {number}: {len(values)} fields, the header has {len(header)}")
                yield dict(zip(header, values, strict=True))
    except FileNotFoundError:
        raise InputError(f"{path} is not there; {_where_from(path)}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV table in UTF-8: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def write(path: Path, values: Iterable[dict[str, Any]], columns: Iterable[str] = ()) -> int:
    """Replace the table at `path`; return the number of rows. What was there stays until all is written."""
    header = list(columns) or list(COLUMNS[path.name])
    count = 0
    with replaced(path) as file:
        writer = csv_rows(file, header)
        writer.writeheader()
        for row in values:
            writer.writerow(row)
            count += 1
    return count


class Appender:
    """Adds whole rows to a table, each flushed as it comes. Use as a context manager.

    A torn last row, as a killed run leaves it, is cut off first. Raises InputError where the file
    has another header than `COLUMNS` says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns = COLUMNS[path.name]

    def __enter__(self) -> "Appender":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and whole_length(self.path):
            with self.path.open(encoding="utf-8-sig", newline="\n") as file:
                header = file.readline().strip()
            if header != ",".join(self.columns):
                raise InputError(f"{self.path}: the header is {header!r}, not {','.join(self.columns)!r}; move it away")
            cut_torn_end(self.path)
            self._file = self.path.open("a", encoding="utf-8", newline="")
            self._writer = csv_rows(self._file, self.columns)
        else:
            self._file = self.path.open("w", encoding="utf-8", newline="")
            self._writer = csv_rows(self._file, self.columns)
            self._writer.writeheader()
            self._file.flush()
        return self

    def add(self, row: dict[str, Any]) -> None:
        """Write one row and flush it. Line breaks in a text turn into spaces: a torn row is one without its own."""
        self._writer.writerow({name: " ".join(v.splitlines()) if isinstance(v, str) else v for name, v in row.items()})
        self._file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def number(row: Row, column: str, path: Path, line: int) -> float:
    """The value of a numeric column. Raises InputError with file and row where it is none or not finite."""
    try:
        value = float(row[column])
    except ValueError:
        value = float("nan")
    if value != value or value in (float("inf"), float("-inf")):
        raise InputError(
            f"{path.name} row {line}: {column} is {row[column]!r}, not a number; correct or remove the row"
        )
    return value


def box(row: Row, path: Path, line: int, size: tuple[int, int] | None = None) -> tuple[float, float, float, float]:
    """The row's x1, y1, x2, y2. Raises InputError where one is no number or the box is empty or upside down, and where
    none of it lies in a picture of `size` (height, width), if that is given."""
    x1, y1, x2, y2 = (number(row, column, path, line) for column in ("x1", "y1", "x2", "y2"))
    if x2 <= x1 or y2 <= y1:
        raise InputError(f"{path.name} row {line}: the box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) is empty; drop the row")
    if size is not None and not (x1 < size[1] and y1 < size[0] and x2 > 0 and y2 > 0):
        raise InputError(
            f"{path.name} row {line}: the box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) lies outside the photo, which has "
            f"{size[1]} x {size[0]} pixels; correct or drop the row"
        )
    return x1, y1, x2, y2


def _until_torn(reader: Iterator[list[str]], lines: "_Lines") -> Iterator[list[str]]:
    """What the reader gives; a last row that ends in the middle of a quoted field is no field at all."""
    try:
        yield from reader
    except csv.Error:
        if not lines.open_end:
            raise
        yield []


class _Lines:
    """The lines of a file. open_end: the one that came last has no line break."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self.open_end = file, False

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.open_end = not line.endswith("\n")
            yield line


def _where_from(path: Path) -> str:
    makers = {
        "labels.csv": "make it with `python -m download lists` or `python -m dataset import`",
        "downloads.csv": "make it with `python -m download images`",
        "clean.csv": "make it with `python -m clean`",
        "faces.csv": "make it with `python -m clean`",
        "groups.csv": "make it with `python -m clean`",
        "points.csv": "make it with `python -m dataset import points68` or `kaggle-keypoints`",
        "attributes.csv": "make it with `python -m dataset import utkface`, `fairface` or `masks`",
    }
    return makers.get(path.name, "check the name")
