"""Where the points of labelled faces are: points.csv of a data folder, a row a face, empty cells where nobody said.

Columns: image_id, x1, y1, x2, y2, and `NAME_x`, `NAME_y` of every point of one of visavis.keypoints.LAYOUTS.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visavis.data import join, tables
from visavis.errors import InputError
from visavis.keypoints import LAYOUTS, Layout, Points

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Pointed:
    """A labelled face. points: (K, 2) float32, pixels of the photo as displayed; NaN where nobody said."""

    box: Box
    points: Points


def columns(layout: Layout) -> tuple[str, ...]:
    """Those of a points.csv with the points of a layout."""
    return (*tables.COLUMNS["points.csv"], *(f"{name}_{axis}" for name in layout.names for axis in "xy"))


def read(folder: Path) -> dict[str, list[Pointed]]:
    """The rows of points.csv by image_id; all of one layout, the largest whose columns are there. Raises InputError
    with file and row for a value that cannot be."""
    path = folder / "points.csv"
    found: dict[str, list[Pointed]] = {}
    layout: Layout | None = None
    sizes = join.sizes(folder)
    for line, row in enumerate(tables.rows(path), start=2):
        layout = layout or _layout(path, row)
        points = np.full((len(layout), 2), np.nan, np.float32)
        for number, name in enumerate(layout.names):
            cells = [row[f"{name}_{axis}"] for axis in "xy"]
            if all(cells):
                points[number] = [tables.number(row, f"{name}_{axis}", path, line) for axis in "xy"]
            elif any(cells):
                raise InputError(f"points.csv row {line}: {name} has one of x and y; give both, or leave both empty")
        if np.isnan(points).all():
            raise InputError(f"points.csv row {line}: all points are empty; remove the row")
        box = tables.box(row, path, line, sizes.get(row["image_id"]))
        found.setdefault(row["image_id"], []).append(Pointed(box, points))
    return found


def _layout(path: Path, row: tables.Row) -> Layout:
    for layout in LAYOUTS.values():
        if row.keys() >= set(columns(layout)):
            return layout
    sets = "; ".join(f"of {len(one)}: {one.names[0]}_x, {one.names[0]}_y, …" for one in LAYOUTS.values())
    raise InputError(f"{path}: the columns of no whole set of points are there ({sets}); import the faces anew")
