"""`visavis evaluate --analyse mask,age,gender`: the answers of analysers, compared with the labels in attributes.csv.

Two that give the same attribute are scored beside each other. --out has evaluation.json, ages.png (how many answers are
off by no more than so many years) and reliability.png (how many answers of a score are right).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from visavis import charts
from visavis.analysers import load_analyser
from visavis.analysers.attributes import calibrating
from visavis.analysers.attributes.analyser import FaceAttributes
from visavis.analysers.protocol import Analyser, Analysers
from visavis.boxes import as_boxes
from visavis.data import attributes
from visavis.data.attributes import CLASSES, KnownAttributes
from visavis.data.photos import Photo, load_photos
from visavis.data.split import Shares
from visavis.detectors import load_detector
from visavis.detectors.protocol import Detector
from visavis.errors import ImageError, InputError
from visavis.evaluation import groups
from visavis.evaluation.attributes import Answers, ask, figures, report, said_of_classes, years_off
from visavis.evaluation.in_front import LOWEST, InFront, detected
from visavis.evaluation.scoreboard import short
from visavis.files import replaced
from visavis.images import read
from visavis.messages import counted, say

MOST_YEARS = 20
"""Where the chart of ages ends."""


def evaluate(
    names: list[str],
    data: Path,
    split: str,
    shares: Shares,
    out: Path,
    calibrate: bool,
    by_group: bool,
    detector: str | None = None,
) -> int:
    """Print the figures, and write evaluation.json. Returns the exit status: 0, or 3 if some photos could not be read.

    by_group: also the figures of each group of photos (visavis.evaluation.groups).
    detector: the name of the detector that must find the faces first; by default they are analysed in their labelled
    boxes.
    """
    several = [load_analyser(name) for name in names]
    labelled = attributes.read(data)
    photos = [photo for photo in load_photos(data, split, shares) if photo.image_id in labelled]
    if not photos:
        raise InputError(f"{data}/attributes.csv has no labelled face in the split {split!r}")
    faces = sum(len(labelled[photo.image_id]) for photo in photos)
    say(f"{counted(faces, 'face')} in {counted(len(photos), 'photo')} of {data} ({split})")
    if by_group:
        groups.check([photo.image_id for photo in photos])
    if calibrate:
        for one in several:
            _calibrate(one, photos, labelled, f"{data.name} {split}")
        several = [load_analyser(name) for name in names]
    parts: dict[str, list[Photo]] = {}
    for photo in photos:
        parts.setdefault(groups.group_of(photo.image_id) if by_group else "", []).append(photo)
    in_front = () if detector is None else _detector(detector)
    turns = _turns(names, several)
    scored = []
    for turn in turns:
        if len(turns) > 1:
            print(f"{', '.join(turn)}:")
        scored.append(_scored(turn, parts, labelled, in_front))
    answers = scored[0][0]
    record = {"data": str(data), "split": split, "faces": len(answers.known), "unreadable": answers.unreadable}
    of_turns = [{"analyse": list(turn)} | found for turn, (_, found) in zip(turns, scored, strict=True)]
    record |= of_turns[0] | ({"beside": of_turns[1:]} if of_turns[1:] else {})
    out.mkdir(parents=True, exist_ok=True)
    with replaced(out / "evaluation.json") as file:
        json.dump(record, file, indent=2, allow_nan=False)
        file.write("\n")
    shown = dict(zip(names, short(names), strict=True))
    _draw([(", ".join(map(shown.__getitem__, turn)), one) for turn, (one, _) in zip(turns, scored, strict=True)], out)
    say(f"figures and charts: {out}")
    if answers.unreadable:
        say(f"{counted(len(answers.unreadable), 'photo')} could not be read (named in evaluation.json)")
    return 3 if answers.unreadable else 0


def _draw(several: list[tuple[str, Answers]], out: Path) -> None:
    """ages.png and reliability.png, as far as there are such answers. several: who was asked, and the answers."""
    across = np.arange(0, MOST_YEARS + 0.5, 0.5)
    ages: list[charts.Line] = []
    classes: dict[str, charts.Scored] = {}
    for who, answers in several:
        of = "" if len(several) == 1 else f": {who}"
        if len(off := years_off(answers)):
            ages.append(charts.Line(f"age{of}", across, (off[:, None] <= across).mean(axis=0)))
        classes |= {f"{name}{of}": said for name, said in said_of_classes(answers).items()}
    if ages:
        charts.curves([("How far ages are off", ages)], ("years at most", "share of faces"), out / "ages.png")
    if classes:
        charts.reliability(list(classes), list(classes.values()), out / "reliability.png", "answers")


Turn = dict[str, Analyser]
"""Analysers by name, no two of which give the same attribute."""


def _turns(names: list[str], several: list[Analyser]) -> list[Turn]:
    """Who is asked together: what gives an attribute that an earlier one gives, too, has a turn of its own."""
    turns: list[Turn] = []
    for name, one in zip(names, several, strict=True):
        free = (
            turn for turn in turns if not any(set(one.attributes) & set(other.attributes) for other in turn.values())
        )
        if (turn := next(free, None)) is None:
            turns.append(turn := {})
        turn[name] = one
    return turns


def _scored(
    turn: Turn,
    parts: dict[str, list[Photo]],
    labelled: dict[str, list[KnownAttributes]],
    in_front: tuple[Detector, float] | tuple[()],
) -> tuple[Answers, dict[str, Any]]:
    """The answers on the photos of each group, "" if there are no groups, and the figures, which are printed."""
    whole, by_group = Analysers(list(turn.values())), "" not in parts
    looks = {name: InFront(whole, *in_front) if in_front else whole for name in sorted(parts)}
    asked = {name: ask(one, parts[name], labelled) for name, one in looks.items()}
    answers = Answers.together(list(asked.values()))
    if not answers.known:
        photos = sum(len(part) for part in parts.values())
        raise InputError(f"of {counted(photos, 'photo')}, none can be read; run `python -m clean`")
    if not (found := figures(answers)):
        raise InputError(
            f"`analyse`: {', '.join(turn)} give no attribute that attributes.csv has; name mask, age or gender"
        )
    for line in report(found):
        print(line)
    of_groups = {name: figures(one) for name, one in asked.items()} if by_group else {}
    for name, its in of_groups.items():
        print(f"\nof {name}/:")
        for line in report(its):
            print(line)
    for name, look in looks.items():
        if isinstance(look, InFront):
            its = of_groups.get(name, found)
            its["detected"] = look.figures(asked[name].known)
            for line in detected(its["detected"]):
                print(f"{name}/: {line}" if by_group else line)
    return answers, found | ({"groups": of_groups} if by_group else {})


def _detector(name: str) -> tuple[Detector, float]:
    """The detector, which gives all that counts for AP, and the score from which on a face counts as found."""
    detector = load_detector(name)
    threshold = detector.threshold
    detector.threshold = min(threshold, LOWEST)
    return detector, threshold


def _calibrate(analyser: Any, photos: list[Photo], labelled: dict[str, list[KnownAttributes]], where: str) -> None:
    if not isinstance(analyser, FaceAttributes):
        raise InputError(
            "`calibrate` needs networks that train.py trained on attributes, and one of those in `analyse` is none"
        )
    given: dict[str, list[np.ndarray]] = {name: [] for name in analyser.heads}
    known: list[KnownAttributes] = []
    for photo in photos:
        try:
            picture = read(photo.path, photo.max_pixels)
        except ImageError:  # reported when the answers are collected
            continue
        mine = labelled[photo.image_id]
        rows = analyser.look(picture, as_boxes([one.box for one in mine]))
        for name in given:
            given[name].append(rows[name])
        known += mine
    if not known:
        raise InputError(f"of {counted(len(photos), 'photo')}, none can be read, so nothing can be calibrated")
    fitted = {}
    for name in given:
        rows = np.concatenate(given[name])
        if name == "age":
            ages = np.array([np.nan if one.age is None else one.age for one in known])
            one = calibrating.of_ages(rows[~np.isnan(ages)], ages[~np.isnan(ages)])
        else:
            truth = np.array([CLASSES[name].index(getattr(one, name)) if getattr(one, name) else -1 for one in known])
            one = calibrating.of_classes(rows[truth >= 0], truth[truth >= 0])
        if one is None:
            say(f"{name}: too few labelled faces to calibrate it; it is unchanged")
        else:
            fitted[name] = one
    calibrating.store(analyser.path, fitted, {"on": where, "faces": len(known)})
    temperatures = ", ".join(f"{name} {one:.2f}" for name, one in fitted.items())
    stored = f"temperatures {temperatures}" if fitted else "only the lowest scores"
    say(f"{analyser.path}: {stored} stored; export its ONNX file again with python -m visavis.export")
