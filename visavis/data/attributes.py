"""What is known of labelled faces: attributes.csv of a data folder, a row a face; what is not known is empty."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from visavis.data import join, tables
from visavis.errors import InputError

MASKS = ("worn", "wrong", "none")
"""A mask over nose, mouth and chin; one that leaves one of them free; none."""
GENDERS = ("female", "male")
"""As the sets label it: what somebody took a face for."""
CLASSES = {"mask": MASKS, "gender": GENDERS}
ATTRIBUTES = ("mask", "age", "gender")
OLDEST = 120
"""Years; a label of more is a mistake."""


@dataclass(frozen=True)
class KnownAttributes:
    """What is known of one face. mask, gender: "" where not known; ages: youngest and oldest that it may be, years,
    both included, or None. An age that is known is both."""

    box: tuple[float, float, float, float]
    mask: str = ""
    gender: str = ""
    ages: tuple[float, float] | None = None

    @property
    def age(self) -> float | None:
        """The age where it is known to the year."""
        return self.ages[0] if self.ages is not None and self.ages[0] == self.ages[1] else None


def read(folder: Path) -> dict[str, list[KnownAttributes]]:
    """The rows of attributes.csv by image_id. Raises InputError with file and row for a value that cannot be."""
    path = folder / "attributes.csv"
    found: dict[str, list[KnownAttributes]] = {}
    sizes = join.sizes(folder)
    needed = ("image_id", "x1", "y1", "x2", "y2")
    for line, row in enumerate(tables.rows(path, needed), start=2):
        known = KnownAttributes(
            tables.box(row, path, line, sizes.get(row["image_id"])),
            _one_of(MASKS, row, "mask", path, line),
            _one_of(GENDERS, row, "gender", path, line),
            _ages(row, path, line),
        )
        found.setdefault(row["image_id"], []).append(known)
    return found


def of(labelled: dict[str, list[KnownAttributes]], names: Iterable[str]) -> dict[str, list[KnownAttributes]]:
    """The faces of which any of these `ATTRIBUTES` is known, and their photos."""
    fields = ["ages" if name == "age" else name for name in names]
    known = {image_id: [one for one in some if any(getattr(one, field) for field in fields)]
             for image_id, some in labelled.items()}  # fmt: skip
    return {image_id: some for image_id, some in known.items() if some}


def _one_of(classes: tuple[str, ...], row: tables.Row, column: str, path: Path, line: int) -> str:
    value = row.get(column, "")
    if value and value not in classes:
        raise InputError(
            f"{path.name} row {line}: {column} is {value!r}; it must be one of {', '.join(classes)}, or empty"
        )
    return value


def _ages(row: tables.Row, path: Path, line: int) -> tuple[float, float] | None:
    given = {name: row[name] for name in ("age", "age_low", "age_high") if row.get(name)}
    if not given:
        return None
    if given.keys() not in ({"age"}, {"age_low", "age_high"}):
        raise InputError(
            f"{path.name} row {line}: give `age`, or both `age_low` and `age_high`; it has {', '.join(given)}"
        )
    values = [tables.number(row, name, path, line) for name in given]
    for name, value in zip(given, values, strict=True):
        if not 0 <= value <= OLDEST:
            raise InputError(f"{path.name} row {line}: {name} is {value:g}; it must lie between 0 and {OLDEST}")
    if values[0] > values[-1]:
        raise InputError(
            f"{path.name} row {line}: age_low {values[0]:g} is more than age_high {values[-1]:g}; swap them"
        )
    return values[0], values[-1]
