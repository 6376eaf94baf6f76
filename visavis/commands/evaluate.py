"""Score one or several detectors on labelled photos: `python evaluate.py --detector shipped dlib_hog`.

It prints a table on standard output and writes into --out: evaluation.json (all figures), pr.png (precision over
recall), reliability.png (how well scores are calibrated), mistakes.jpg and mistakes.html (the worst false detections
and missed faces, as a sheet and as a page; with several detectors, a pair of them for each).
"""

import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import visavis
from visavis import calibration, charts, metrics
from visavis.analysers import Analyser, load_analyser, named
from visavis.checkpoint import SHIPPED
from visavis.commands import evaluate_attributes, evaluate_identity, evaluate_points
from visavis.commands.evaluate_options import LOWEST_SCORE, Options, check
from visavis.data.photos import Photo, load_photos
from visavis.detectors.protocol import about
from visavis.errors import InputError
from visavis.evaluation import groups, mistakes
from visavis.evaluation.contest import (
    Contestant,
    LabelledPhotos,
    calibrated,
    cost,
    differences,
    figures,
    ranked,
)
from visavis.evaluation.detecting import detect_all
from visavis.evaluation.protocols import PROTOCOLS
from visavis.evaluation.reservations import reservations
from visavis.evaluation.scoreboard import COST, DETECTION, sentence, table, with_false
from visavis.files import replaced
from visavis.images import encode
from visavis.messages import counted, say

__all__ = ["Options", "calibrate", "evaluate"]

LOWEST_OF_PROTOCOLS = 0.01
"""LOWEST_SCORE of the published benchmarks, which compare the curves down to very low scores."""


def evaluate(options: Options) -> int:
    """Score the detectors, print the table, write the files. Returns the exit status: 0, or 3 if some photo could not
    be read. Raises InputError, before anything is written, for options that cannot be used.
    """
    from visavis import device

    names = check(options)
    if options.analyse:
        where = options.data, options.split, options.shares, options.out
        asked = named(options.analyse)
        loaded = {name: load_analyser(name) for name in asked}
        if any(one.keypoints for one in loaded.values()):
            return _points(options, loaded)
        how = options.calibrate, options.groups, options.detector[0] if options.detect else None
        return evaluate_attributes.evaluate(asked, *where, *how)
    if options.protocol == "lfw":
        how = asdict(options.network)
        sources = dict(zip(names, options.detector, strict=True))
        return evaluate_identity.evaluate(sources, how, options.threshold, options.data, options.out)
    protocol = import_module(PROTOCOLS[options.protocol]) if options.protocol != "labels" else None
    annotated = {one.name: one for one in protocol.read(options.data)} if protocol else {}
    if protocol:
        photos = [Photo(one.name, "", one.path, one.boxes) for one in annotated.values()]
    else:
        photos = load_photos(options.data, options.split, options.shares)
    if options.groups:
        groups.check([photo.image_id for photo in photos])
    how = asdict(options.network)
    on, chosen = device.named(how.pop("device"))
    lowest = LOWEST_SCORE if protocol is None else LOWEST_OF_PROTOCOLS
    contestants = [
        _contestant(name, source, on, lowest, options.threshold, how)
        for name, source in zip(names, options.detector, strict=True)
    ]
    part = options.split if protocol is None else options.protocol
    say(f"device: {chosen}; {counted(len(photos), 'photo')} of {options.data} ({part})")

    labelled = detect_all(contestants, photos, options.batch_size)
    if not labelled.paths:
        raise InputError(f"of {counted(len(photos), 'photo')}, none can be read; run `python -m clean` to see why")
    results: list[dict[str, Any]] = []
    for contestant in contestants:
        if protocol:
            known = [annotated[name] for name in labelled.ids]
            values = protocol.figures(known, labelled.sizes, contestant.found)
        else:
            values = figures(contestant, labelled, options.false_positives)
        costs = cost(contestant, labelled, on, options.batch_size)
        results.append({"name": contestant.name, "source": contestant.source} | values | costs)
    compared = [] if protocol else differences(contestants, labelled)
    of_groups = groups.by_group(contestants, labelled) if options.groups else []
    print(table((protocol.ROWS if protocol else DETECTION + with_false(options.false_positives)) + COST, results))
    for row in compared:
        print(sentence(row))
    if of_groups:
        print("", groups.table(of_groups), sep="\n")
    results_of = {"detectors": results, "differences": compared, "groups": of_groups}
    _write(options, chosen, contestants, labelled, results_of)
    if protocol:
        protocol.chart(results, options.out / f"{options.protocol}.png")
    else:
        _charts(options.out, contestants, labelled)
    for reservation in reservations(contestants, labelled, options.out):
        say(reservation)
    if labelled.unreadable:
        say(
            f"{len(labelled.unreadable)} of {counted(len(photos), 'photo')} could not be read (named in "
            "evaluation.json)"
        )
    say(f"figures, curves and mistakes: {options.out}")
    if options.calibrate:
        for contestant in contestants:
            say(calibrate(contestant, labelled, options))
    return 3 if labelled.unreadable else 0


def _points(options: Options, loaded: dict[str, Analyser]) -> int:
    """Score points of faces, behind a detector."""
    if not all(one.keypoints for one in loaded.values()):
        others = ", ".join(name for name, one in loaded.items() if not one.keypoints)
        raise InputError(f"`analyse`: {others} gives no points; score points and attributes in two runs")
    if options.calibrate:
        raise InputError("`calibrate` is of scores, and points have none; leave it out")
    where = options.data, options.split, options.shares, options.out
    return evaluate_points.evaluate(loaded, options.detector[0], *where, options.groups)


def _contestant(
    name: str, source: str, on: str, lowest: float, threshold: float | None, how: dict[str, Any]
) -> Contestant:
    """Load a detector, note its own threshold, and then lower it."""
    detector = visavis.load_detector(source, on, **how)
    own = detector.threshold
    has = about(detector).calibration
    # Calibration may move 0.5 to 0.05: the lowest score moves with it, so that the curve covers the same faces.
    detector.threshold = min(own, float(has.apply(np.array(lowest))))
    return Contestant(name, source, detector, own if threshold is None else threshold, has, how)


def calibrate(contestant: Contestant, labelled: LabelledPhotos, options: Options) -> str:
    """Fit a calibration to these photos and store it in the detector's checkpoint. Returns a message that says so."""
    judged = ranked(contestant, labelled)
    raw = contestant.calibration.undo(judged.scores)
    fitted = calibration.fit(raw, judged.right)
    if fitted is None:
        raise InputError(f"{contestant.name}: a calibration needs at least one correct and one false detection")
    path = _checkpoint(contestant.source)
    if (amiss := calibration.trusted(judged.right, fitted)) is not None:
        return f"{path}: its calibration and its threshold are unchanged: {amiss}"
    errors = calibrated(contestant, judged)
    record = {"data": options.data.name, "split": options.split, "photos": judged.photos, "finds": len(raw)}
    record |= {"ece_before": errors["ece_raw"], "ece_after": errors["ece_fitted"]}
    enough = judged.truths >= metrics.FEW
    best = metrics.best_threshold(judged)[0] if options.rethreshold and enough else None
    covering = metrics.best_threshold(judged, beta=2.0)[0] if options.rethreshold and enough else None
    threshold = calibration.store(path, fitted, record, best, covering)
    how = f"temperature {fitted.temperature:.3f}, shift {fitted.shift:+.3f}"
    kept = (
        f" (for the same detections as before: {counted(judged.truths, 'face is', 'faces are')} too few to choose "
        "another threshold)"
        if options.rethreshold and not enough
        else ""
    )
    return f"{path}: {how} stored; its threshold is now {threshold:.3f}{kept}"


def _write(
    options: Options, chosen: str, contestants: list[Contestant], labelled: LabelledPhotos, results: dict[str, Any]
) -> None:
    """evaluation.json and the mistakes."""
    for contestant in contestants:
        mark = f"-{contestant.name.replace('/', '_')}" if len(contestants) > 1 else ""
        sure = [found.above(contestant.threshold) for found in contestant.found]
        judged = labelled.paths, labelled.ids, labelled.truth, sure, labelled.ignore
        with replaced(options.out / f"mistakes{mark}.jpg", "wb") as file:
            file.write(encode(mistakes.sheet(*judged)))
        title = f"{contestant.name}: the worst mistakes at threshold {contestant.threshold:.3f}"
        mistakes.page(*judged, options.out / f"mistakes{mark}.html", title)
    record = {
        "data": str(options.data),
        "protocol": options.protocol,
        "split": options.split,
        "photos": len(labelled.paths),
        "faces": sum(map(len, labelled.truth)),
        "ignored": sum(map(len, labelled.ignore)),
        "unreadable": labelled.unreadable,
        "device": chosen,
        "runs": {one.name: about(one.detector).runs or one.name for one in contestants},
        "batch_size": options.batch_size,
        "lowest_score": LOWEST_SCORE if options.protocol == "labels" else LOWEST_OF_PROTOCOLS,
    }
    with replaced(options.out / "evaluation.json") as file:
        json.dump(record | results, file, indent=2, allow_nan=False)
        file.write("\n")


def _charts(folder: Path, contestants: list[Contestant], labelled: LabelledPhotos) -> None:
    names = [contestant.name for contestant in contestants]
    judged = [ranked(contestant, labelled) for contestant in contestants]
    charts.precision_recall(names, judged, [one.threshold for one in contestants], folder / "pr.png")
    charts.reliability(names, judged, folder / "reliability.png")


def _checkpoint(source: str) -> Path:
    return SHIPPED if source == "shipped" else Path(source)
