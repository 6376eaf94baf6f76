"""Fifteen points on 96 x 96 grey pixels: one, two and three blocks, with dropout and without, beside a constant answer.

    python -m benchmarks.fifteen_points --data data3 --epochs 20

Each is `train.py --arch keypoints_cnn`; an interrupted comparison is resumed. The constant answer is the mean place of
each point over the training faces: on faces that are all in the middle of their crop, its error looks small, and a
network must be compared with it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

import train
from dataset.photos import Photos
from dataset.point_crops import unlike
from dataset.split import Shares
from visavis.analysers.crops import Frame
from visavis.analysers.points.keypoints_cnn import MARGIN, POINTS, SIDE
from visavis.commands.commandline import DataFolder, main
from visavis.data import points
from visavis.files import replaced
from visavis.keypoints import Points, converted
from visavis.messages import counted
from visavis.options import Count, Range, TrainingPrecision
from visavis.training import config, state
from visavis.training.points import Located


@dataclass
class Options:
    """Train keypoints_cnn in six designs on a data folder's points.csv, and print their errors."""

    data: DataFolder = Path("data")
    out: Path = Path("runs/fifteen")
    """Folder for the six runs and fifteen.json."""
    epochs: Count = 20
    dropout: Annotated[float, Range(0, 1, without=(1,))] = 0.3
    """Dropout rate of the designs that have dropout."""
    batch_size: Count = 32
    lr: float = 1e-3
    shares: Shares = Shares()
    precision: TrainingPrecision = "auto"
    """As train.py has it: bf16 takes half of the time on CPUs that multiply in it (AMX)."""
    channels_last: bool = False
    workers: Annotated[int, Range(0)] = 0


def run(options: Options) -> int:
    """Train, and print a line for each design. Returns the exit status."""
    constant = baseline(options.data, options.shares)
    rows: list[dict[str, Any]] = [{"design": "constant mean"} | constant.figures()]
    _print(rows[0])
    for blocks in (1, 2, 3):
        for dropout in (0.0, options.dropout):
            out = options.out / f"{blocks}-{dropout:g}"
            asked = {
                "data": options.data, "out": out, "arch": "keypoints_cnn", "blocks": blocks, "dropout": dropout,
                "epochs": options.epochs, "batch_size": options.batch_size, "lr": options.lr, "ema": 0.99,
                "val": options.shares.val, "test": options.shares.test, "workers": options.workers,
                "precision": options.precision, "channels_last": options.channels_last,
            }  # fmt: skip
            if (out / state.NAME).exists():
                asked = {"out": out, "resume": True}
            if status := train.train(config.renewed(train.Options(), asked)):
                return status
            lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
            best = max((line for line in lines if "auc" in line), key=lambda line: line["auc"])
            rows.append({"design": f"{counted(blocks, 'block')}, dropout {dropout:g}"} | best)
            _print(rows[-1])
    with replaced(options.out / "fifteen.json") as file:
        json.dump(rows, file, indent=2)
        file.write("\n")
    return 0


def baseline(data: Path, shares: Shares) -> Located:
    """The error of a constant answer, the mean place of each point in the crops of the training faces, on those faces
    that a validation counts."""
    labelled = points.read(data)
    parts = []
    for split in ("train", "val"):
        photos = Photos.load(data, split, shares)
        faces = [one for photo in photos for one in labelled.get(photo.image_id, [])]
        if split == "val":
            faces = [faces[number] for number in unlike(photos, labelled)]
        frames = [Frame.around(np.array(one.box), MARGIN) for one in faces]
        parts.append((frames, [converted(one.points, POINTS) for one in faces]))
    (frames, truth), (held_out, wanted) = parts
    inside = np.stack([frame.inside(one) for frame, one in zip(frames, truth, strict=True)])
    constant: Points = np.nanmean(inside, axis=0)
    found = np.stack([frame.outside(constant) for frame in held_out])
    return Located(found, np.stack(wanted), np.array([2 * frame.half / SIDE for frame in held_out]))


def _print(row: dict[str, Any]) -> None:
    error = "-" if row["nme"] is None else f"{row['nme']:.2%}"
    print(f"{row['design']:<24} RMSE {row['rmse_pixels']:.2f} pixels, NME {error}", flush=True)


if __name__ == "__main__":
    main(run, Options)
