"""`visavis evaluate --analyse points,dlib_points`: points of faces, compared with points.csv, behind a detector."""

import json
from pathlib import Path
from typing import Any

import numpy as np

import visavis
from visavis import charts
from visavis.analysers.protocol import Analyser
from visavis.charts import Line
from visavis.data import points
from visavis.data.photos import Photo, load_photos
from visavis.data.split import Shares
from visavis.errors import InputError
from visavis.evaluation import groups
from visavis.evaluation.points import ROWS, Contender, figures, locate_all, report
from visavis.evaluation.scoreboard import short, table
from visavis.files import replaced
from visavis.messages import counted, say
from visavis.training.points import FAILED


def evaluate(
    analysers: dict[str, Analyser],
    detector: str,
    data: Path,
    split: str,
    shares: Shares,
    out: Path,
    by_group: bool,
) -> int:
    """Print the figures, and write evaluation.json and curve.png. Returns the exit status: 0, or 3 where photos could
    not be read. by_group: also the figures of each group of photos (visavis.evaluation.groups)."""
    labelled = points.read(data)
    photos = [photo for photo in load_photos(data, split, shares) if photo.image_id in labelled]
    if not photos:
        raise InputError(f"{data}/points.csv has no face in the split {split!r}")
    if by_group:
        groups.check([photo.image_id for photo in photos])
    finder = visavis.load_detector(detector)
    faces = sum(len(labelled[photo.image_id]) for photo in photos)
    say(f"{counted(faces, 'face')} in {counted(len(photos), 'photo')} of {data} ({split}), found by {detector}")
    parts: dict[str, list[Photo]] = {}
    for photo in photos:
        parts.setdefault(groups.group_of(photo.image_id) if by_group else "", []).append(photo)
    asked = {}
    for name, some in sorted(parts.items()):
        contenders = [Contender(one, analyser) for one, analyser in analysers.items()]
        asked[name] = contenders, locate_all(contenders, finder, some, labelled)
    together = [Contender(one, analyser) for one, analyser in analysers.items()]
    for contenders, _ in asked.values():
        for whole, part in zip(together, contenders, strict=True):
            whole.found += part.found
            whole.milliseconds += part.milliseconds
    truth = [one for _, seen in asked.values() for one in seen.truth]
    if not truth:
        raise InputError(f"of {counted(len(photos), 'photo')}, none can be read; run `python -m clean`")
    results = [figures(one, truth) for one in together]
    print(table(ROWS, results))
    for line in report(results):
        print(line)
    of_groups = {}
    for name, (contenders, seen) in asked.items() if by_group else ():
        of_groups[name] = [figures(one, seen.truth) for one in contenders]
        print(f"\nof {name}/:\n{table(ROWS, of_groups[name])}")
    out.mkdir(parents=True, exist_ok=True)
    _chart(results, out / "curve.png")
    unreadable = [row for _, seen in asked.values() for row in seen.unreadable]
    record: dict[str, Any] = {
        "data": str(data),
        "split": split,
        "detector": detector,
        "analysers": [_plain(one) for one in results],
    }
    record["groups"] = {name: [_plain(one) for one in several] for name, several in of_groups.items()}
    with replaced(out / "evaluation.json") as file:
        json.dump(record | {"unreadable": unreadable}, file, indent=2)
        file.write("\n")
    say(f"figures and the curve of errors: {out}")
    if unreadable:
        say(f"{counted(len(unreadable), 'photo')} could not be read (named in evaluation.json)")
    return 3 if unreadable else 0


def _chart(results: list[dict[str, Any]], path: Path) -> None:
    """The share of faces with at most an error, over the error in percent."""
    lines = []
    for name, one in zip(short([one["name"] for one in results]), results, strict=True):
        errors = np.sort(one["errors"])
        across = np.linspace(0, 100 * FAILED, 161)
        share = np.searchsorted(errors, across / 100, side="right") / max(1, len(errors))
        lines.append(Line(name if one["auc"] is None else f"{name} (area {one['auc']:.3f})", across, share))
    charts.curves([(counted(results[0]["faces"], "face"), lines)], ("NME, %", "share of faces"), path)


def _plain(result: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it: the errors of single faces are in the curve alone, and no number is NaN."""
    kept = {name: value for name, value in result.items() if name != "errors"}
    kept["points"] = [None if value != value else round(value, 5) for value in kept["points"]]
    return kept
