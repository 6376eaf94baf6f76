"""What predict.py leaves."""

import csv
import os
from pathlib import Path

from visavis.boxes import Boxes, as_boxes


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def boxes(table: list[dict[str, str]]) -> Boxes:
    """The boxes of rows of faces.csv."""
    return as_boxes([[float(row[side]) for side in ("x1", "y1", "x2", "y2")] for row in table])


def snapshot(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """The bytes of every file, and when it was changed."""
    files = [path for path in folder.rglob("*") if path.is_file() and os.access(path, os.R_OK)]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
