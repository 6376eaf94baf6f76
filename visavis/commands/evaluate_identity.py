"""`visavis evaluate --protocol lfw`: whether faces are recognised, on pairs of photos and grouped without names."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import visavis
from visavis import charts
from visavis.analysers.identity.encoders import load_encoder
from visavis.analysers.identity.grouping import grouped, tolerance_for
from visavis.boxes import Boxes, as_boxes
from visavis.charts import Line
from visavis.detectors import dlib_face_recognition
from visavis.evaluation import grouping, lfw, pairs
from visavis.evaluation.lfw import Contender, Pairs
from visavis.evaluation.scoreboard import table
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture
from visavis.messages import counted, say

PACKAGE = "face_recognition"
"""The contender that is this package as it is, with its own detector."""
LEFT = 1e-4
"""Where the chart begins: a smaller share of false matches is drawn there."""
LEAST = 4
"""Photos that somebody has whose faces are grouped."""
ROWS = (
    ("accuracy", "accuracy", ".4f"),
    ("  standard error over the folds", "accuracy_error", ".4f"),
    ("  95 % interval", "accuracy_interval", ".4f"),
    ("pairs in which a face is not found", "unfound", "d"),
    ("  their share", "unfound_share", ".2%"),
    ("threshold, a distance", "threshold", ".4f"),
    ("area under the ROC curve", "auc", ".5f"),
    ("equal error rate", "equal_error", ".4f"),
    ("right matches at 1 % false ones", "right_at_0.01", ".4f"),
    ("  at 0.1 %", "right_at_0.001", ".4f"),
    ("pairs", "pairs", "d"),
    ("folds", "folds", "d"),
    ("grouped without names: B-cubed F1", "bcubed_f1", ".4f"),
    ("  precision", "bcubed_precision", ".4f"),
    ("  recall", "bcubed_recall", ".4f"),
    ("  F1 of pairs", "pairs_f1", ".4f"),
    ("    precision", "pairs_precision", ".4f"),
    ("    recall", "pairs_recall", ".4f"),
    ("  tolerance", "tolerance", ".3f"),
    (f"  faces of people with {LEAST} photos or more", "grouped_faces", "d"),
    ("ms to find the faces of a photo, median", "find_ms", ".1f"),
    ("ms to encode a face, median", "encode_ms", ".1f"),
)


def evaluate(detectors: dict[str, str], how: dict[str, Any], threshold: float | None, data: Path, out: Path) -> int:
    """Print the figures, and write evaluation.json and roc.png. Returns the exit status: 0, or 3 where photos could not
    be read.

    detectors: by name, their sources; each finds the faces for the encoder of the analyser `identity`, and `PACKAGE`
    stands for that package with its own. how: options of `load_detector`. threshold: of the detectors.
    """
    given = lfw.read_pairs(data)
    contenders = [_contender(name, source, how | {"threshold": threshold}) for name, source in detectors.items()]
    say(
        f"{counted(len(given.one), 'pair')} in {counted(len(np.unique(given.fold)), 'fold')}, "
        f"{counted(len(given.photos), 'photo')} of {data}"
    )
    unreadable = lfw.encode_all(contenders, given)
    results = [figures(one, given) for one in contenders]
    print(table(ROWS, results))
    for one in results:
        sizes = ", ".join(f"{count:.1f} in {size}" for size, count in one["false_matches"].items())
        print(f"{one['name']}: of a thousand faces, how many have a stranger's within the threshold: {sizes} faces")
    out.mkdir(parents=True, exist_ok=True)
    _chart(contenders, given, out / "roc.png")
    record = {"data": str(data), "protocol": "lfw", "contenders": results, "unreadable": unreadable}
    with replaced(out / "evaluation.json") as file:
        json.dump(record, file, indent=2, allow_nan=False)
        file.write("\n")
    for one in results:
        if one["unfound"]:
            errors = counted(one["unfound"], "pair counts as an error", "pairs count as errors")
            among = counted(len(one["unfound_photos"]), "photo")
            say(f"{one['name']}: {errors}, since a face is not found in {among} (named in evaluation.json)")
    say(f"figures and the ROC curve: {out}")
    return 3 if unreadable else 0


def figures(contender: Contender, given: Pairs) -> dict[str, Any]:
    """All figures of one contender."""
    distance = contender.distances(given)
    values: dict[str, Any] = {"name": contender.name} | pairs.figures(distance, given.same, given.fold)
    curve = pairs.roc(pairs.errors_where_unfound(distance, given.same), given.same)
    known = sorted(contender.encodings)
    encodings = np.array([contender.encodings[name] for name in known], np.float32)
    people = [lfw.person(name) for name in known]
    values |= _grouping(contender, lfw.people(given.photos, LEAST))
    values["false_matches"] = grouping.false_matches(encodings, people, values["threshold"])
    return values | {"roc": pairs.corners(curve), "unfound_photos": contender.unfound} | lfw.costs(contender)


def _grouping(contender: Contender, people: dict[str, list[str]]) -> dict[str, Any]:
    """How well the faces of these people are grouped without their names; None without a person. A face that was not
    found is in a group of its own."""
    photos = [(who, name) for who, names in people.items() for name in names]
    names = [name for _, name in photos if name in contender.encodings]
    if not names:
        return dict.fromkeys(grouping.FIGURES) | {"tolerance": None, "grouped_faces": 0}
    tolerance = tolerance_for(len(names))
    groups = grouped(np.array([contender.encodings[name] for name in names], np.float32), tolerance)
    group_of = dict(zip(names, groups.tolist(), strict=True))
    alone = {name: -2 - number for number, (_, name) in enumerate(photos)}
    found = grouping.agreement([who for who, _ in photos], [group_of.get(name, alone[name]) for _, name in photos])
    return found | {"tolerance": tolerance, "grouped_faces": len(photos)}


def _contender(name: str, source: str, how: dict[str, Any]) -> Contender:
    """One whose faces `source` finds, a detector's name or path, for our encoder; or `PACKAGE`."""
    if source == PACKAGE:
        package = dlib_face_recognition.package()
        return Contender(name, partial(_package_boxes, package), partial(_package_encodings, package))
    detector, encoder = visavis.load_detector(source, **how), load_encoder()
    return Contender(
        name,
        lambda picture: detector.detect(picture).boxes,
        lambda picture, boxes: encoder.encode(picture, Faces(boxes)),
    )


def _package_boxes(package: Any, picture: Picture) -> Boxes:
    """What face_recognition finds, with its defaults."""
    places = package.face_locations(picture)
    return as_boxes([(left, top, right, bottom) for top, right, bottom, left in places])


def _package_encodings(package: Any, picture: Picture, boxes: Boxes) -> NDArray[np.float32]:
    """What face_recognition makes of faces, with its defaults."""
    places = [(int(y1), int(x2), int(y2), int(x1)) for x1, y1, x2, y2 in boxes]
    return np.array(package.face_encodings(picture, places), np.float32)


def _chart(contenders: Sequence[Contender], given: Pairs, path: Path) -> None:
    """The ROC curves, with the false matches on a logarithmic axis."""
    lines = []
    for one in contenders:
        curve = pairs.roc(pairs.errors_where_unfound(one.distances(given), given.same), given.same)
        lines.append(Line(f"{one.name} (area {curve.area:.4f})", np.maximum(curve.false, LEFT), curve.right))
    title = f"{counted(given.same.sum(), 'pair')} of one person, {(~given.same).sum()} of two"
    labels = "share of pairs of two people taken for one", "share of pairs of one person recognised"
    charts.curves([(title, lines)], labels, path, logarithmic=True)
