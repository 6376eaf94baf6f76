"""Score one or several detectors on labelled photos: `python evaluate.py --detector shipped dlib_hog`.

It prints a table on standard output and writes into --out: evaluation.json (all figures), pr.png (precision over
recall), reliability.png (how well scores are calibrated), mistakes.jpg and mistakes.html (the worst false detections
and missed faces, as a sheet and as a page; with several detectors, a pair of them for each).
"""

import json
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

import visavis
from visavis import calibration, charts, metrics
from visavis.analysers import Analyser, load_analyser, named
from visavis.checkpoint import SHIPPED
from visavis.commands import evaluate_attributes, evaluate_identity, evaluate_points
from visavis.commands.commandline import DataFolder, Names
from visavis.commands.network import Network
from visavis.data.photos import Photo, load_photos
from visavis.data.split import Shares, Split
from visavis.detectors import DETECTORS
from visavis.detectors import check as check_detector
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
from visavis.evaluation.scoreboard import COST, DETECTION, sentence, short, table, with_false
from visavis.files import replaced
from visavis.images import encode
from visavis.messages import say
from visavis.options import Count, Range, plain

LOWEST_SCORE = 0.05
"""Detectors return faces down to this score, before calibration: AP is computed from the whole curve."""

LOWEST_OF_PROTOCOLS = 0.01
"""The same for the published benchmarks, which compare the curves down to very low scores."""


@dataclass
class Options:
    """Score one or several detectors on the labelled photos of a data folder, all on the same photos."""

    detector: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help=f"One or several of {', '.join(DETECTORS)}, or paths of checkpoints that train.py wrote."),
    ] = ("shipped",)
    data: DataFolder = Path("data")
    split: Split = "val"
    """Which part of the photos to use. As in training, photos are split by identity."""
    shares: Shares = Shares()
    groups: bool = False
    """Also print a table with a line for each detector on each group of photos, times included. The group is the part
    of the image_id before the slash."""
    protocol: Literal["labels", "wider", "fddb", "lfw"] = "labels"
    """labels: score on the labels of the data folder. wider, fddb: score by the rules of a published benchmark that is
    unpacked in --data (docs/train-your-own.md): its easy, medium and hard part, or its discrete and continuous
    score. lfw: score how well people are recognised behind each detector, on the photos of images/ and the pairs of
    pairs.csv in --data (docs/identity.md); --detector face_recognition is that package as it is."""
    out: Path = Path("evaluation")
    """Folder for evaluation.json, the charts and the mistakes. It must not hold an evaluation, except with
    --overwrite."""
    overwrite: bool = False
    """Replace the evaluation in --out."""
    threshold: Annotated[float | None, Range(LOWEST_SCORE, 1)] = None
    """Score at which precision, recall and mistakes are determined; by default each detector's own threshold."""
    false_positives: tuple[Annotated[int, Range(0)], ...] = ()
    """Also determine the recall, boxes aligned, with so many false positives in all photos together, one or several
    numbers: points of the ROC curve, as papers give them."""
    network: Network = Network()
    batch_size: Count = 1
    """Photos that go through the network together. Times are those of the batch divided by its photos."""
    calibrate: bool = False
    """Calibrate each detector's scores on these photos (preferably --split val), so that a score is the probability of
    a face, and store the calibration in its checkpoint."""
    analyse: Names = ""
    """Score analysers instead of detectors, names or paths of checkpoints that train.py wrote, separated by commas:
    those of mask, age and gender on the faces of attributes.csv in --data, or those of points on the faces of
    points.csv. With --calibrate, calibrate the former on these faces."""
    detect: bool = False
    """With --analyse: first find the faces with --detector, as in use, so that missed faces count, too. Points are
    always scored so."""
    rethreshold: bool = False
    """With --calibrate: also store new thresholds, that of the best F1 on these photos, and for redaction that of the
    best F2, in which recall weighs twice as much as precision."""


def evaluate(options: Options) -> int:
    """Score the detectors, print the table, write the files. Returns the exit status: 0, or 3 if some photo could not
    be read. Raises InputError, before anything is written, for options that cannot be used.
    """
    from visavis import device

    names = _check(options)
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
    say(f"device: {chosen}; {len(photos)} photos of {options.data} ({part})")

    labelled = detect_all(contestants, photos, options.batch_size)
    if not labelled.paths:
        raise InputError(f"none of the {len(photos)} photos can be read; run `python -m clean` to see why")
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
        say(f"{len(labelled.unreadable)} of {len(photos)} photos could not be read (named in evaluation.json)")
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
        f" (for the same detections as before: {judged.truths} faces are too few to choose another threshold)"
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
        counted = [found.above(contestant.threshold) for found in contestant.found]
        judged = labelled.paths, labelled.ids, labelled.truth, counted, labelled.ignore
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


def _check(options: Options) -> list[str]:
    """A name for each detector. Raises InputError for options that cannot be used."""
    asked, usual = plain(options), plain(Options())
    for name in (
        ("split", "val", "test", "calibrate", "groups", "false_positives") if options.protocol != "labels" else ()
    ):
        if asked[name] != usual[name]:
            dashed = name.replace("_", "-")
            raise InputError(
                f"--{dashed}: --protocol {options.protocol} determines the photos itself; leave out --{dashed}"
            )
    of_attributes = ["data", "split", "val", "test", "out", "overwrite", "calibrate", "groups", "analyse", "detect"]
    of_attributes += ["detector"] if options.detect else []
    if options.detect and (not options.analyse or len(options.detector) != 1):
        raise InputError("--detect needs --analyse and one --detector; give these, or leave it out")
    for name, default in usual.items() if options.analyse else ():
        if name not in of_attributes and asked[name] != default:
            raise InputError(f"--{name.replace('_', '-')} is for detectors; leave it out, or leave out --analyse")
    if options.protocol == "lfw" and options.batch_size != 1:
        raise InputError("--protocol lfw takes no --batch-size: photos are searched one by one; leave it out")
    if evaluate_identity.PACKAGE in options.detector and options.protocol != "lfw":
        raise InputError("--detector face_recognition is for --protocol lfw; its detectors are dlib_hog and dlib_cnn")
    for source in options.detector:
        if source != evaluate_identity.PACKAGE:
            check_detector(source)
    if options.rethreshold and not options.calibrate:
        raise InputError("--rethreshold needs --calibrate, which writes to the checkpoint; give both or neither")
    if options.out.exists() and not options.out.is_dir():
        raise InputError(f"--out {options.out} is a file; give a folder")
    if (options.out / "evaluation.json").exists() and not options.overwrite:
        raise InputError(f"{options.out} already holds an evaluation; give another --out, or --overwrite")
    if not options.detector:
        raise InputError("--detector: give at least one")
    for source in options.detector if options.calibrate and not options.analyse else ():
        if source in DETECTORS and source != "shipped":
            raise InputError(f"--calibrate: {source} has no checkpoint in which to store a calibration; leave it out")
    if len(set(options.detector)) < len(options.detector):
        raise InputError("--detector: the same detector is given twice")
    return short(options.detector)
