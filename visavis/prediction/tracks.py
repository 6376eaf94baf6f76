"""The people of videos: tracks.csv, a row for each.

A person is a track: who leaves and comes back, or is lost for long, may be two of them (visavis.video.tracking).
"""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from visavis.boxes import SIDES
from visavis.files import csv_rows, replaced
from visavis.prediction.formats.protocol import Records
from visavis.prediction.records import Face, Record
from visavis.prediction.shots import NOT_ATTRIBUTES
from visavis.video.tracking import KEPT

TRACKS = "tracks.csv"
COLUMNS = ("path", "track", "looks", "first", "last", "seconds", "frame", *SIDES, "score")
"""Besides them, a column an attribute."""

_NOT_SAID = NOT_ATTRIBUTES | {"track"}


@dataclass(frozen=True)
class Person:
    """A track of a video. rows: its faces, in the order of time."""

    number: int
    rows: list[Face]

    @property
    def first(self) -> float:
        """When it was seen first, in seconds."""
        return float(self.rows[0]["time"])

    @property
    def last(self) -> float:
        """When it was seen last, in seconds."""
        return float(self.rows[-1]["time"])

    @property
    def seconds(self) -> float:
        """For how long it was in sight: without the times for which it was lost for longer than a track is kept."""
        steps = (after["time"] - before["time"] for before, after in pairwise(self.rows))
        return float(sum(step for step in steps if step <= KEPT))

    @property
    def surest(self) -> Face:
        """The face with the highest score."""
        return max(self.rows, key=lambda face: face["score"])

    def said(self, name: str) -> float | str | None:
        """What its faces say of an attribute together: the middle number, or the most frequent word; None if nothing is
        known."""
        values = [face[name] for face in self.rows if face.get(name) not in (None, "")]
        if not values:
            return None
        if all(isinstance(value, int | float) for value in values):
            return round(float(median(values)), 4)
        return str(Counter(map(str, values)).most_common(1)[0][0])


def people(record: Record) -> list[Person]:
    """The people of a video, by their numbers."""
    found: dict[int, list[Face]] = {}
    for face in record.faces:
        if face.get("track"):
            found.setdefault(face["track"], []).append(face)
    return [Person(number, found[number]) for number in sorted(found)]


def write(out: Path, records: Records) -> None:
    """Write tracks.csv. frame, x1 ... score: of the surest face."""
    rows = []
    more: dict[str, None] = {}
    for _, record in records():
        for person in people(record):
            names = [name for name in person.rows[0] if name not in _NOT_SAID]
            more |= dict.fromkeys(names)
            surest = person.surest
            row: dict[str, Any] = {"path": record.path, "track": person.number, "looks": len(person.rows)}
            row |= {name: f"{getattr(person, name):.3f}" for name in ("first", "last", "seconds")}
            row |= {"frame": surest["frame"], "score": f"{surest['score']:.4f}"}
            row |= {side: f"{surest[side]:.2f}" for side in SIDES}
            rows.append(row | {name: person.said(name) for name in names})
    with replaced(out / TRACKS) as file:
        table = csv_rows(file, (*COLUMNS, *more))
        table.writeheader()
        table.writerows(rows)
