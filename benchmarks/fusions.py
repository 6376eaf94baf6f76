"""How windows on a face become one detection: their mean, scored again or not, beside NMS, on photos of a data folder.

    python -m benchmarks.fusions --data data --detector runs/windows/best.safetensors --split val

Prints the best F1 of each at IoU 0.5 with a 95 % interval (bootstrap over photos), and milliseconds a photo on this
machine: of judging all windows, and of fusing them.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.photos import Photos, labels_within
from dataset.split import Shares
from visavis import load_detector, metrics
from visavis.commands.commandline import DataFolder, main
from visavis.detectors.sliding_window.detector import LIKELY, SlidingWindow
from visavis.detectors.sliding_window.fusing import by_mean, by_nms
from visavis.errors import InputError
from visavis.evaluation import bootstrap
from visavis.faces import Faces
from visavis.images import fit, read


@dataclass
class Options:
    """Compare ways to make detections of windows."""

    data: DataFolder = Path("data")
    detector: str = "window_cnn"
    """A detector by windows: its name, or the path of its checkpoint."""
    split: str = "val"
    """Which photos: val, test or all."""
    shares: Shares = Shares()


def run(options: Options) -> int:
    """Print the table on stdout."""
    detector = load_detector(options.detector).detector
    if not isinstance(detector, SlidingWindow):
        raise InputError(f"{options.detector} judges no windows; give window_cnn or a checkpoint of --arch window_cnn")
    photos, truth = Photos.load(options.data, options.split, options.shares), []
    found: dict[str, list[Faces]] = {"mean, scored again": [], "mean": [], "NMS": []}
    spent = {"all windows": 0.0} | dict.fromkeys(found, 0.0)
    for photo in photos:
        whole = read(photo.path, photo.max_pixels)
        picture, factor = fit(whole, detector.design.longest)
        labels = labels_within(photo, (whole.shape[0], whole.shape[1]))[0]
        truth.append(Faces(labels.boxes * np.float32(factor)))
        began = time.perf_counter()
        windows = detector.windows(picture).above(LIKELY)
        spent["all windows"] += time.perf_counter() - began
        for name, fused in (("mean, scored again", by_mean), ("mean", by_mean), ("NMS", by_nms)):
            began = time.perf_counter()
            faces = fused(windows)
            found[name].append(detector.scored_again(picture, faces) if "again" in name else faces)
            spent[name] += time.perf_counter() - began
    print(f"{len(photos)} photos; all windows: {1000 * spent['all windows'] / len(photos):.0f} ms a photo")
    for name, faces in found.items():
        judged = metrics.judge(truth, faces)
        threshold, f1 = metrics.best_threshold(judged)
        draws = bootstrap.draw(judged, truth)
        low, high = bootstrap.interval(draws.f1) or (float("nan"), float("nan"))
        took = 1000 * spent[name] / len(photos)
        print(f"{name:20} best F1 {f1:.3f} ({low:.3f} to {high:.3f}) at {threshold:.2f}, {took:.0f} ms a photo")
    return 0


if __name__ == "__main__":
    main(run, Options)
