"""The gain from knowing of faces that nobody labelled: `python -m benchmarks.incomplete_labels --source webfaces`.

Of fully labelled photos all labels but one a photo are hidden, as in a list that names one person each. Then the same
photos train the same network four times: (a) as they are; (b) with the faces that `python -m clean` finds left out of
the loss; (c) with them learnt from or left out, as clean decides; (d) with all labels. Each is scored on photos of the
validation split, with all their labels. Prints AP by variant and seed, and which share of the difference from (a) to
(d) is gained back; the figures go to benchmarks/results/incomplete_labels.json.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import train
from dataset import subjects, tables
from dataset.faces import Photo, load_photos
from dataset.formats import import_labels
from dataset.split import Shares
from visavis.boxes import as_boxes
from visavis.commands.commandline import main
from visavis.errors import InputError
from visavis.messages import say
from visavis.training import config

VARIANTS = {
    "a": "one label a photo, as is",
    "b": "what clean finds is ignored",
    "c": "learnt or ignored, as clean decides",
    "d": "all labels",
}


@dataclass
class Options:
    """Measure the gain from ignoring faces without a label, or from learning them."""

    source: Path = Path("webfaces")
    """Folder with images/ and boxes.csv (image,x1,y1,x2,y2): every face labelled."""
    limit: int | None = None
    """Use this many photos, chosen at random; by default all."""
    several: bool = False
    """Use only photos with more than one face, on which the differences are larger than on others."""
    arch: str = "mobilenet_v2_fpnlite"
    """As train.py's."""
    init: str = "imagenet"
    """As train.py's. Not the shipped detector: it was trained on such photos with all their labels."""
    epochs: int = 12
    """As train.py's."""
    batch_size: int = 8
    """As train.py's."""
    size: int | None = 192
    """As train.py's."""
    seeds: int = 3
    """Runs of each variant."""
    workers: int = 1
    """Processes that load photos."""
    device: str = "auto"
    """As train.py's."""
    results: Path = Path("benchmarks/results")
    """Folder for the JSON."""


def run(options: Options) -> int:
    """Prepare the photos, train every variant with every seed, and print the results."""
    if not (options.source / "boxes.csv").is_file():
        raise InputError(f"{options.source / 'boxes.csv'} is not there; give --source")
    with tempfile.TemporaryDirectory(prefix="incomplete-labels-") as name:
        variants, held_out = prepare(options, Path(name))
        counts = {
            key: (sum(len(p.boxes) for p in some), sum(len(p.ignore) for p in some)) for key, some in variants.items()
        }
        for key, (faces, ignored) in counts.items():
            say(f"({key}) {VARIANTS[key]}: {len(variants[key])} photos, {faces} faces, {ignored} ignored")
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for seed in range(options.seeds):
            for key, photos in variants.items():
                found[key].append(_train(options, photos, held_out, seed, Path(name) / f"{key}{seed}"))
                say(f"({key}) seed {seed}: AP {found[key][-1]['ap']:.4f}")
    faces = sum(len(photo.boxes) for photo in held_out)
    print(f"{len(held_out)} photos for validation, {faces} faces, all labelled; {options.seeds} seeds")
    print(f"{'':<40} {'AP':>7} {'+-':>6} {'AP50':>7} {'recall at 0.1 false a photo':>28}")
    for key, scores in found.items():
        aps = [one["ap"] for one in scores]
        spread = statistics.stdev(aps) if len(aps) > 1 else 0.0
        ap50, recall = (statistics.mean(one[figure] for one in scores) for figure in ("ap50", "recall_at_tenth"))
        print(f"({key}) {VARIANTS[key]:<36} {statistics.mean(aps):7.4f} {spread:6.4f} {ap50:7.4f} {recall:28.4f}")
    mean = {key: statistics.mean(one["ap"] for one in scores) for key, scores in found.items()}
    whole = mean["d"] - mean["a"]
    back = {key: (mean[key] - mean["a"]) / whole if whole > 0 else None for key in ("b", "c")}
    for key, share in back.items():
        told = (
            f"{share:.0%} of the difference from (a) to (d)"
            if share is not None
            else "nothing: (d) is no better than (a)"
        )
        print(f"({key}) gains {told}")
    settings = config.plain(options) | {"source": options.source.name, "init": Path(options.init).name, "results": ""}
    record = {"settings": settings, "photos": len(variants["a"]), "held_out": len(held_out), "faces": counts}
    options.results.mkdir(parents=True, exist_ok=True)
    record |= {"scores": found, "won_back": back, "load": os.getloadavg()} | config.surroundings()
    (options.results / "incomplete_labels.json").write_text(json.dumps(record, indent=2) + "\n")
    return 0


def prepare(options: Options, folder: Path) -> tuple[dict[str, list[Photo]], list[Photo]]:
    """The training photos of each variant, which differ only in their labels, and those for validation."""
    rows = defaultdict(list)
    for row in tables.rows(options.source / "boxes.csv", ("image", "x1", "y1", "x2", "y2")):
        rows[row["image"]].append(row)
    images = sorted(image for image in rows if len(rows[image]) > 1 or not options.several)
    chance = random.Random(0)
    if options.limit is not None:
        images = chance.sample(images, min(options.limit, len(images)))
    shown = {image: chance.choice(rows[image]) for image in images}
    _import(folder / "all", options.source, [row for image in images for row in rows[image]])
    _import(folder / "one", options.source, list(shown.values()))
    done = subprocess.run([sys.executable, "-m", "clean", "--data", str(folder / "one")])
    if done.returncode not in (0, 3):
        raise InputError(f"python -m clean ended with status {done.returncode}")
    shares = Shares(0.2, 0.0)
    whole = {photo.image_id: photo for photo in load_photos(folder / "all", "all", shares)}
    cleaned = load_photos(folder / "one", "train", shares)
    listed = {row["image_id"]: row for row in tables.rows(folder / "one" / "labels.csv")}

    def label(photo: Photo) -> Any:
        row = listed[photo.image_id]
        return as_boxes([[float(row[side]) for side in ("x1", "y1", "x2", "y2")]])

    def others(photo: Photo) -> Any:
        own = (np.abs(photo.boxes - label(photo)) < 0.1).all(axis=1)  # clean writes a tenth of a pixel
        return as_boxes(np.concatenate([photo.boxes[~own], photo.ignore]))

    none = as_boxes([])
    variants = {
        "a": [replace(photo, boxes=label(photo), ignore=none) for photo in cleaned],
        "b": [replace(photo, boxes=label(photo), ignore=others(photo)) for photo in cleaned],
        "c": cleaned,
        "d": [replace(photo, boxes=whole[photo.image_id].boxes, ignore=none) for photo in cleaned],
    }
    return variants, load_photos(folder / "all", "val", shares)


def _import(folder: Path, source: Path, rows: list[dict[str, str]]) -> None:
    """A data folder of the photos and faces in `rows`."""
    folder.mkdir()
    (folder / "images").symlink_to((source / "images").resolve())
    tables.write(folder / "boxes.csv", rows, rows[0].keys())
    import_labels("csv", folder / "boxes.csv", folder / "data")
    (folder / "images").unlink()
    for path in (folder / "data").iterdir():
        path.rename(folder / path.name)


def _train(options: Options, photos: list[Photo], held_out: list[Photo], seed: int, out: Path) -> dict[str, Any]:
    """The figures of the last epoch: choosing the best epoch would favour luck on these photos."""
    from visavis.training.distributed import World
    from visavis.training.stopping import Stop

    names = ("arch", "init", "epochs", "batch_size", "size", "workers", "device")
    asked: dict[str, Any] = {name: getattr(options, name) for name in names}
    subject = subjects.of(options.arch)(options.source, photos, held_out)
    session = train.begin(config.renewed(train.Options(out=out, seed=seed), asked), World(), subject)
    with Stop(session.save) as stop:
        if status := session.go(stop):
            sys.exit(status)
    assert session.history is not None
    return {name: value for name, value in session.history.lines[-1].items() if isinstance(value, int | float)}


if __name__ == "__main__":
    main(run, Options)
