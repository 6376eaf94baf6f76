"""The options of evaluate, and which combinations are refused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from visavis.commands import evaluate_identity
from visavis.commands.commandline import DataFolder, Names
from visavis.commands.network import Network
from visavis.data.split import Shares, Split
from visavis.detectors import DETECTORS
from visavis.detectors import check as check_detector
from visavis.errors import InputError
from visavis.evaluation.scoreboard import short
from visavis.options import Count, Range, plain

LOWEST_SCORE = 0.05
"""Detectors return faces down to this score, before calibration: AP is computed from the whole curve."""


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


def check(options: Options) -> list[str]:
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
