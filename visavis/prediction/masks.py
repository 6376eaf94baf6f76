"""What a run with `mask` says of its videos: a table of looks, one of minutes, and a chart of these for each video.

A look at which no face was found has no row. Who is in sight for long is counted at each look: these are no numbers of
people.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from visavis import charts
from visavis.data.attributes import MASKS
from visavis.drawing import MASKS as COLOURS
from visavis.files import csv_rows, replaced
from visavis.prediction.formats.protocol import Records
from visavis.prediction.records import Face, Record

LOOKS, MINUTES, CHARTS = "masks.csv", "masks_by_minute.csv", "masks"
UNKNOWN = "unknown"
"""A face of which nothing is said: too small, or not sure enough."""
STATES = (*MASKS, UNKNOWN)
_GREY = (150, 150, 150)


def counts(faces: Iterable[Face]) -> Counter[str]:
    """How many of these faces there are of each of `STATES`; none where masks were not asked for."""
    return Counter(face["mask"] or UNKNOWN for face in faces if "mask" in face)


def write(out: Path, records: Records) -> None:
    """Write the tables and the charts of all videos among the inputs."""
    with replaced(out / LOOKS) as looks, replaced(out / MINUTES) as minutes:
        by_look = csv_rows(looks, ("path", "frame", "time", "faces", *STATES))
        by_minute = csv_rows(minutes, ("path", "minute", "looks", "faces", *STATES))
        by_look.writeheader()
        by_minute.writeheader()
        for one, record in records():
            if record.frames is None:
                continue
            of_minutes: dict[int, Counter[str]] = {}
            for row in _looks(record):
                by_look.writerow({"path": record.path} | row)
                its = of_minutes.setdefault(int(row["time"] // 60), Counter())
                its.update({"looks": 1} | {name: row[name] for name in ("faces", *STATES)})
            for minute, its in of_minutes.items():
                by_minute.writerow({"path": record.path, "minute": minute} | its)
            if of_minutes:
                _chart(out / CHARTS / f"{one.place}.png", record.path, of_minutes)


def _looks(record: Record) -> Iterator[dict[str, float]]:
    for _, together in groupby(record.faces, lambda face: face["frame"]):
        faces = list(together)
        seen = counts(faces)
        yield {"frame": faces[0]["frame"], "time": faces[0]["time"], "faces": len(faces)} | {
            name: seen[name] for name in STATES
        }


def _chart(path: Path, title: str, minutes: dict[int, Counter[str]]) -> None:
    all_minutes = range(max(minutes) + 1)
    bars = [
        charts.Bar(name, [minutes.get(one, Counter())[name] for one in all_minutes], COLOURS.get(name, _GREY))
        for name in STATES
    ]
    charts.stacked(bars, ("minute", "faces at all looks"), title, path)
