"""What benchmarks.predict compares predict.py with: torchvision's eager model, photo by photo, in one process.

`python -m benchmarks.plain_loop CHECKPOINT PHOTOS OUT` reads each photo with Pillow, runs the network as torchvision
has it, of which ours has another second stage, draws the boxes with Pillow, and writes faces.csv.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from visavis import checkpoint
from visavis.calibration import scoring
from visavis.detectors.faster_rcnn import architectures as faster_rcnn
from visavis.detectors.faster_rcnn.graph import LIKELY


def run(source: Path, photos: Path, out: Path) -> None:
    """Find the faces in all photos of a folder, without its subfolders."""
    weights, metadata = checkpoint.load(source)
    model = faster_rcnn.of_checkpoint(weights, metadata, str(source))
    model.rpn.score_thresh = LIKELY  # the option of torchvision that all back ends of our networks use
    threshold, calibration, _ = scoring(metadata)
    out.mkdir(parents=True)
    with (out / "faces.csv").open("w", newline="") as file, torch.inference_mode():
        rows = csv.writer(file)
        rows.writerow(("path", "x1", "y1", "x2", "y2", "score"))
        for path in sorted(photos.iterdir()):
            picture = Image.open(path).convert("RGB")
            found = model([torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255])[0]
            pen = ImageDraw.Draw(picture)
            for box, score in zip(found["boxes"].tolist(), calibration.apply(found["scores"].numpy()), strict=True):
                if score >= threshold:
                    rows.writerow((path, *box, score))
                    pen.rectangle(box, outline=(255, 196, 0), width=3)
            picture.save(out / f"{path.stem}.jpg", quality=90)


if __name__ == "__main__":
    run(*map(Path, sys.argv[1:]))
