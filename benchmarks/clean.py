"""python -m benchmarks.clean: how well `python -m clean` judges photos, how fast, and with how much memory (the latter
two: clean_speed.py).

Faults are planted on real photos of a labelled data folder, which is not changed: everything is made in a temporary
folder. The validation split is used, since the shipped detector was trained on the rest.
"""

import json
import os
import platform
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.clean_faults import COPIES, CORRUPT, FAULTS, Folder, Good, base_photos, same
from benchmarks.clean_speed import both_speeds, cost, memory
from clean import corrupt, listing
from clean.inspection import ListedPhoto
from dataset import tables
from dataset.split import split_of
from visavis import images
from visavis.boxes import area, as_boxes, iou
from visavis.commands import commandline
from visavis.cores import cores
from visavis.errors import ImageError, InputError
from visavis.evaluation.conventions import meets
from visavis.files import replaced
from visavis.messages import counted, say

SETTINGS: dict[str, tuple[str, ...]] = {
    "face_recognition": ("--finder", "face_recognition", "--also", "none"),
    "shipped": ("--finder", "shipped"),
    "face_recognition and shipped": ("--finder", "face_recognition", "--also", "shipped"),
}


@dataclass
class Options:
    """Plant faults, hide faces, measure speed and memory; write the figures as JSON."""

    data: Path
    """A data folder of labelled photos, some with several faces and some without any."""
    out: Path = Path("benchmarks/results/clean.json")
    """File for the figures, as JSON."""
    each: int = 30
    """Photos for each fault."""
    good: int = 200
    """Photos without a fault."""
    others: int = 150
    """Photos with several faces."""
    aside: Path | None = None
    """A faces.csv whose `ignore` rows are faces that nobody labelled, by a detector that is not measured here
    (`python -m benchmarks.set_aside`): a find there is neither right nor wrong."""
    timed: int = 1200
    """Photos for measuring the speed."""
    large: int = 200
    """Photos for measuring the speed that are first enlarged three times, to the usual size on today's web."""
    finders: tuple[str, ...] = ("face_recognition",)
    """Settings whose speed is measured; those with `shipped` take ten times as long."""
    rows: int = 100_000
    """Rows for measuring the memory; compared with 1,000."""
    seed: int = 0
    """Seed of the random choice of photos and faults."""
    only: Literal["faults", "headers", "other faces", "cost", "speed", "memory"] | None = None
    """Measure this alone, and leave the other figures in the file as they are."""


def run(options: Options) -> int:
    """Measure all, write, print. Raises InputError where the data have too few photos."""
    figures: dict[str, Any] = json.loads(options.out.read_text()) if options.only and options.out.exists() else {}
    photos = [one for one in listing.photos(options.data) if split_of(one.identity, one.image_id) == "val"]
    if not photos:
        raise InputError(f"{options.data} has no photo for validation; give a data folder of more people")
    with tempfile.TemporaryDirectory() as place:
        parts: dict[str, Callable[[], Any]] = {
            "faults": lambda: faults(photos, Path(place) / "faults", options),
            "headers": lambda: headers(listing.photos(options.data), options.seed),
            "other faces": lambda: other_faces(photos, Path(place) / "others", options),
            "cost": lambda: cost(photos, options.timed),
            "speed": lambda: both_speeds(
                listing.photos(options.data),
                Path(place) / "speed",
                (options.timed, options.large),
                {name: SETTINGS[name] for name in options.finders},
                options.seed,
            ),
            "memory": lambda: memory(photos[0].path, Path(place) / "memory", options.rows),
        }
        for name, measure in parts.items():
            if options.only not in (None, name):
                continue
            began = time.monotonic()
            load = os.getloadavg()[0]
            figures[name] = measure()
            figures[name]["machine"] = f"{cores()} cores, {platform.machine()}, load {load:.1f} when it began"
            say(f"{name}: {time.monotonic() - began:.0f} s")
            with replaced(options.out) as file:  # after each part: a stopped run keeps what it has
                file.write(json.dumps(figures, indent=2) + "\n")
            print(json.dumps({name: figures[name]}, indent=2), flush=True)
    return 0


def faults(photos: Sequence[ListedPhoto], place: Path, options: Options) -> dict[str, Any]:
    """For each set of finders and each fault, and for good photos: the share that was dropped, and the reasons."""
    random.seed(options.seed)
    folder = Folder(place)
    bases = base_photos(photos, random.Random(options.seed))
    if len(bases) < options.good:
        raise InputError(f"--good {options.good}: {counted(len(bases), 'photo')} for validation with a single face, no "
                         "two alike; give a smaller number")  # fmt: skip
    scenes = [one for one in photos if not one.boxes]
    good = [Good(folder, bases.pop()) for _ in range(options.good)]
    chance = random.Random(options.seed + 1)
    for fault in FAULTS.values():
        fault(folder, good, bases, scenes, options.each, chance)
    folder.write()
    figures: dict[str, Any] = {name: _judged(folder, arguments) for name, arguments in SETTINGS.items()}
    flips = folder.harmless + sum(row["image_id"].startswith("header") for row in folder.downloads)
    return figures | {"header flips": {"tried": flips, "the very same picture, and no fault": folder.harmless}}


def _judged(folder: "Folder", arguments: Sequence[str]) -> dict[str, Any]:
    folder.clean(*arguments)
    return tally({row["image_id"]: row["reason"] for row in tables.rows(folder.path / "clean.csv")})


def tally(reasons: dict[str, str]) -> dict[str, Any]:
    """For each planted fault the share dropped, and the reasons; and the precision of the reasons, by image_id."""
    figures: dict[str, Any] = {}
    for fault in ("good", *FAULTS):
        some = [image_id for image_id in reasons if image_id.startswith(fault + "/")]
        dropped: dict[str, int] = {}
        for image_id in some:
            reason = reasons[image_id]
            original = "good/" + image_id.split("/", 1)[1]
            if fault == "good" and reason == "duplicate":
                reason = ""  # for a copy that is kept in its place
            elif fault in COPIES:  # found if they are not both kept
                reason = reason or reasons[original]
            if reason:
                dropped[reason] = dropped.get(reason, 0) + 1
        share = sum(dropped.values()) / max(1, len(some))
        figures[fault] = {"photos": len(some), "dropped": round(share, 4), "reasons": dropped}
    families = {
        "corrupt": (CORRUPT, ("truncated", "header", "header_recorded", "one_colour")),
        # A flipped byte may leave a decodable picture of nothing.
        "faceless, label_moved": (
            ("faceless", "label_moved"),
            ("scene", "moved", "swapped", "header", "header_recorded"),
        ),
        "duplicate": (("duplicate",), COPIES),
    }
    figures["precision"] = {}
    for name, (expected, planted) in families.items():
        said = [image_id for image_id, reason in reasons.items() if reason in expected]
        # Of two copies either may be the one that is kept.
        right = [one for one in said if one.split("/")[0] in (*planted, *(("good",) if name == "duplicate" else ()))]
        figures["precision"][name] = round(len(right) / len(said), 4) if said else None
    return figures


def headers(photos: Sequence[ListedPhoto], seed: int) -> dict[str, Any]:
    """Each photo as it is, and with a byte before its first scan inverted: which checks notice, without sha256."""
    chance = random.Random(seed)
    figures: dict[str, Any] = {"photos": len(photos), "good photos called corrupt": 0, "inverted": Counter()}
    for photo in photos:
        data = photo.path.read_bytes()
        figures["good photos called corrupt"] += _told(data) != "nothing"
        changed = bytearray(data)
        changed[chance.randrange(max(20, data.find(b"\xff\xda")))] ^= 0xFF
        harmless = same(bytes(changed), images.decode(data))
        figures["inverted"]["no fault: the very same picture" if harmless else _told(bytes(changed))] += 1
    return figures


def _told(data: bytes) -> str:
    """What shows that a photo is corrupt."""
    try:
        picture = images.decode(data)
    except ImageError:
        return "it does not decode"
    try:
        corrupt.check(data, images.MAX_PIXELS)
        corrupt.examine(picture, 32)
    except ImageError as error:
        quantised = "quantisation" in error.detail
        return "quantisation" if quantised else "libjpeg warns" if error.reason == "damaged" else error.reason
    return "nothing"


def other_faces(photos: Sequence[ListedPhoto], place: Path, options: Options) -> dict[str, Any]:
    """Hide all labels but the largest. For each set of finders: precision and recall of `train`, recall of either use.

    A find where no label is counts as wrong in the one precision, and not at all in the other where `aside` has it.
    """
    unlabelled = _set_aside(options.aside) if options.aside else {}
    some = [one for one in photos if len(one.boxes) > 1][: options.others]
    folder = Folder(place)
    hidden: dict[str, np.ndarray] = {}
    for photo in some:
        boxes = as_boxes(photo.boxes)
        main = int(area(boxes).argmax())
        hidden[f"several/{photo.image_id}"] = np.delete(boxes, main, axis=0)
        folder.add(f"several/{photo.image_id}", photo.path.read_bytes(), photo.boxes[main])
    folder.write()
    figures: dict[str, Any] = {"photos": len(some), "hidden faces": sum(len(boxes) for boxes in hidden.values())}
    for name, arguments in SETTINGS.items():
        folder.clean("--only", "faceless", *arguments)
        found: dict[str, dict[str, list[Any]]] = {image_id: {"train": [], "ignore": []} for image_id in hidden}
        for line, row in enumerate(tables.rows(folder.path / "faces.csv"), start=2):
            if row["source"] != "list":
                found[row["image_id"]][row["use"]].append(tables.box(row, folder.path / "faces.csv", line))
        right = wrong = unknown = learnt = left = 0
        for image_id, boxes in hidden.items():
            learn, ignore = (as_boxes(found[image_id][use]) for use in ("train", "ignore"))
            at = _at(learn, boxes)
            aside = _at(learn, as_boxes(unlabelled.get(image_id.removeprefix("several/"), []))).any(axis=1)
            right, wrong = right + int(at.any(axis=1).sum()), wrong + int((~at.any(axis=1)).sum())
            unknown += int((aside & ~at.any(axis=1)).sum())
            learnt += int(at.any(axis=0).sum())
            left += int((at.any(axis=0) | _at(ignore, boxes).any(axis=0)).sum())
        count = max(1, figures["hidden faces"])
        figures[name] = {
            "train precision": round(right / max(1, right + wrong), 4),
            "train precision, unlabelled faces set aside": round(right / max(1, right + wrong - unknown), 4),
            "train recall": round(learnt / count, 4),
            "train or ignore recall": round(left / count, 4),
            "train rows": right + wrong,
        }
    return figures


def _set_aside(path: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for line, row in enumerate(tables.rows(path), start=2):
        if row["use"] == "ignore":
            found.setdefault(row["image_id"], []).append(tables.box(row, path, line))
    return found


def _at(finds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N, M): whether each detection is of each label's face."""
    near = [[bool(meets(find[None], label)[0]) for label in labels] for find in finds]
    return np.asarray((iou(finds, labels) >= 0.3) | np.array(near, bool).reshape(len(finds), len(labels)))


if __name__ == "__main__":
    commandline.main(run, Options)
