"""How windows on a face become one detection: by what they say together, by their mean, from the surest window on or
from the smallest on, scored again or not, or by non-maximum suppression (NMS), on photos of a data folder.

    python -m benchmarks.fusions --data data --detector runs/windows/best.safetensors --split val

Prints the best F1 of each at IoU 0.5 with a 95 % interval (bootstrap over photos), and milliseconds a photo on this
machine: of judging all windows, and of fusing them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.photos import Photos, labels_within
from dataset.split import Shares
from visavis import load_detector, metrics
from visavis.analysers.crops import cut
from visavis.boxes import area, as_boxes, iou, nms
from visavis.commands.commandline import DataFolder, main
from visavis.detectors.grouping import SAME
from visavis.detectors.sliding_window.detector import LIKELY, SlidingWindow, by_evidence
from visavis.detectors.sliding_window.windows import SIDE
from visavis.errors import InputError
from visavis.evaluation import bootstrap
from visavis.faces import Faces
from visavis.images import Picture, fit, read


def by_mean(windows: Faces, smallest_first: bool = False) -> Faces:
    """Groups of overlapping windows, each as its mean: box and score. The surest window that is left takes those that
    overlap it, or the smallest one does."""
    boxes, scores = windows.boxes, np.asarray(windows.scores)
    left = np.argsort(area(boxes) if smallest_first else -scores, kind="stable")
    found, values = [], []
    while len(left):
        near = iou(boxes[left[:1]], boxes[left])[0] >= SAME
        near[0] = True
        group = left[near]
        found.append(np.average(boxes[group], axis=0, weights=scores[group]))
        values.append(scores[group].mean())
        left = left[~near]
    return Faces(as_boxes(found), np.array(values, np.float32))


def by_nms(windows: Faces) -> Faces:
    """The windows that no surer one overlaps."""
    return windows[nms(windows.boxes, np.asarray(windows.scores), SAME)]


def scored_again(detector: SlidingWindow, picture: Picture, found: Faces) -> Faces:
    """The same boxes with the scores that the detector's judge gives to each as a window of its own, highest first."""
    if not len(found):
        return found
    crops = np.stack([cut(picture, (x1, y1, x2, y2), SIDE) for x1, y1, x2, y2 in found.boxes.tolist()])
    scores = detector.judge(crops)[:, 0, 0]
    return Faces(found.boxes, scores)[np.argsort(-scores, kind="stable")]


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
    ways: dict[str, Callable[[Faces, Picture], Faces]] = {
        "evidence": lambda windows, _: by_evidence(windows),
        "mean, scored again": lambda windows, picture: scored_again(detector, picture, by_mean(windows)),
        "smallest first": lambda windows, picture: scored_again(detector, picture, by_mean(windows, True)),
        "mean": lambda windows, _: by_mean(windows),
        "NMS": lambda windows, _: by_nms(windows),
    }
    found: dict[str, list[Faces]] = {name: [] for name in ways}
    spent = {"all windows": 0.0} | dict.fromkeys(found, 0.0)
    for photo in photos:
        whole = read(photo.path, photo.max_pixels)
        picture, factor = fit(whole, detector.design.longest)
        labels = labels_within(photo, (whole.shape[0], whole.shape[1]))[0]
        truth.append(Faces(labels.boxes * np.float32(factor)))
        began = time.perf_counter()
        windows = detector.windows(picture).above(LIKELY)
        spent["all windows"] += time.perf_counter() - began
        for name, fused in ways.items():
            began = time.perf_counter()
            found[name].append(fused(windows, picture))
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
