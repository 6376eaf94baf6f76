"""python -m demo: all steps on a small set of real photos, with the commands that a user types.

It makes the photos, serves them on loopback from a site with the faults of the web, and runs each command as a process
of its own. Everything goes into demo-out/, which is replaced each time.
"""

import json
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dataset import tables
from demo import photos
from demo.site import FAULTS, Site
from visavis.commands.commandline import main
from visavis.messages import say
from visavis.options import Count, Seed

OUT = Path("demo-out")
WEIGHTS = "shipped"
HELD_OUT = ("Joe_Biden_far", "Joe_Biden_newspaper")
"""Identities of the test split: neither trained on nor validated on."""


@dataclass
class Options:
    """Do all steps on a small set of photos: download, clean, evaluate, train, evaluate, predict. Writes demo-out/."""

    epochs: Count = 3
    """Epochs of the fine-tuning; one takes about 20 seconds on two cores."""
    seed: Seed = 0
    """Seed of the photos that are made, of the faults of the site, and of the training."""


class Stopped(RuntimeError):
    """A command ended with an unexpected exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


def run(options: Options) -> int:
    """Do all steps, then print the results and where the pictures are."""
    began = time.monotonic()
    for made in ("photos", "data", "run", "before", "after", "boxed"):
        shutil.rmtree(OUT / made, ignore_errors=True)
    say("making the demo's photos")
    count = photos.build(OUT / "photos", options.seed)
    say(f"{count} photos in {OUT / 'photos'}, of {len(photos.SOURCES)} portraits and {len(photos.SCENES)} scenes")
    try:
        with Site(OUT / "photos", with_faults=True, seed=options.seed) as site:
            _download_and_clean(site)
            _train_and_predict(options)
            _report(site, time.monotonic() - began)
    except Stopped as error:
        say(f"the demo stops here: the last command ended with {error}")
        return error.status
    return 0


def _download_and_clean(site: Site) -> None:
    data = str(OUT / "data")
    _command("-m", "download", "lists", site.archive_address, "--data", data)
    # 3: done, but some images failed, as the truncated ones do.
    _command("-m", "download", "images", "--data", data, "--allow-private", expected=(0, 3))
    _command("-m", "clean", "--data", data)
    _command("-m", "dataset", "summary", "--data", data)
    _command("-m", "dataset", "sheet", "--data", data, "--split", "all", "--out", str(OUT / "labels.jpg"))


def _train_and_predict(options: Options) -> None:
    data, best = str(OUT / "data"), str(OUT / "run" / "best.safetensors")
    _command("evaluate.py", "--detector", WEIGHTS, "--data", data, "--out", str(OUT / "before"))
    # A learning rate for a few dozen photos of three people: high enough to see the loss fall.
    training = [
        "--arch",
        "mobilenet_v2_slim_fpnlite",
        "--init",
        WEIGHTS,
        "--epochs",
        str(options.epochs),
        "--lr",
        "5e-5",
    ]
    training += ["--batch-size", "4", "--workers", "1", "--seed", str(options.seed)]
    _command("train.py", "--data", data, "--out", str(OUT / "run"), *training)
    # The shipped detector has an ONNX file; with one, the times before and after are of the same back end.
    _command("-m", "visavis.export", best)
    _command("evaluate.py", "--detector", best, "--data", data, "--out", str(OUT / "after"))
    looked_at = [str(OUT / "data" / "images" / identity) for identity in HELD_OUT] + [str(OUT / "photos" / "scenes")]
    _command("predict.py", *looked_at, "--detector", best, "--out", str(OUT / "boxed"))


def _command(*arguments: str, expected: tuple[int, ...] = (0,)) -> None:
    """Echo the command line and run it with this Python. Raises Stopped."""
    say(f"\n$ python {shlex.join(arguments)}")
    began = time.monotonic()
    status = subprocess.run([sys.executable, *arguments]).returncode
    if status not in expected:
        raise Stopped(status)
    say(f"({time.monotonic() - began:.0f} s)")


def _report(site: Site, seconds: float) -> None:
    say("\nWhat the site did to some photos, and what became of them:")
    became = outcomes(OUT / "data")
    for fault, what in FAULTS.items():
        planted = [image_id for image_id, planted in site.faults.items() if planted == fault]
        planted += [site.first_of[image_id] for image_id in planted if image_id in site.first_of]
        ends = Counter(became[image_id] for image_id in planted)
        say(f"  {what:<58} {', '.join(f'{count} {end}' for end, count in sorted(ends.items()))}")
    for title, folder in (("before", "before"), ("after ", "after")):
        figures = json.loads((OUT / folder / "evaluation.json").read_text())
        scores = figures["detectors"][0]
        say(f"{title} training: AP {scores['ap']:.3f}, AP50 {scores['ap50']:.3f} on {figures['photos']} photos (val)")
    say("These few photos only show the steps; figures from many people are in visavis/weights/README.md.")
    say(f"\nDone in {seconds / 60:.1f} minutes. Look at")
    pictures = {
        "labels.jpg": "the labels: a contact sheet",
        "run/curves.png": "the loss and the validation figures",
        "run/predictions.png": "detections on the validation photos",
        "boxed/drawn": "detections on photos of a person never trained on, and on scenes without a face",
    }
    for path, what in pictures.items():
        if not (OUT / path).exists():
            raise FileNotFoundError(OUT / path)
        print(f"  {OUT / path!s:<30} {what}")


def outcomes(data: Path) -> dict[str, str]:
    """image_id -> what became of it: `kept`, or the reason of downloads.csv or clean.csv."""
    ends = {}
    for row in tables.rows(data / "downloads.csv"):
        ends[row["image_id"]] = "kept" if row["status"] == "ok" else row["reason"]
    for row in tables.rows(data / "clean.csv"):
        if row["keep"] == "0" and ends[row["image_id"]] == "kept":
            ends[row["image_id"]] = row["reason"]
    return ends


if __name__ == "__main__":
    main(run, Options)
