"""Points of faces in photos that are made harder, and on a still face: the effect of turning, hiding and noise.

    python -m benchmarks.points --data data2 --analyse points,dlib_points

The labelled faces of a split as they are, turned, partly hidden, and small, each found by the shipped detector; then a
camera that films a still face: the same photo with new noise, light and compression in each frame, and how far the
points jump, before and after they are steadied.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

import visavis
from dataset.occluders import occlude
from dataset.photos import Photo, load_photos
from dataset.split import Shares, Split
from visavis.analysers import Analyser, load_analyser, named
from visavis.boxes import as_boxes
from visavis.commands.commandline import DataFolder, main
from visavis.data import points
from visavis.detectors.protocol import Detector
from visavis.errors import InputError
from visavis.evaluation.points import ROWS, Change, Contender, figures, locate_all, matching
from visavis.evaluation.scoreboard import table
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture, decode, encode, fit, read
from visavis.keypoints import Points
from visavis.options import Count
from visavis.video.steadying import Steadier

SMALL = 40
"""The longer side of small faces, in pixels."""
FRAMES, RATE = 60, 30
"""Frames of the camera, and frames per second."""
NOISE, FLICKER, QUALITY = 4.0, 0.02, (70, 85)
"""Standard deviations of the frames' noise, in levels of 255, and of their light, as a share; and JPEG quality."""


@dataclass
class Options:
    """Score points of faces in photos as they are, turned, partly hidden and small, and on a still face."""

    data: DataFolder = Path("data")
    analyse: str = "points,dlib_points"
    """Analysers, separated by commas."""
    split: Split = "val"
    shares: Shares = Shares()
    count: Count = 200
    """Photos at most, chosen by a seed."""
    still: Count = 20
    """Photos that the camera films."""
    out: Path = Path("points.json")
    """File for the figures."""


def turned(degrees: float) -> Change:
    """Turned clockwise about the picture's middle, in a frame large enough for all of it."""

    def change(picture: Picture, truth: Points) -> tuple[Picture, Points]:
        image = Image.fromarray(picture).rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
        angle = math.radians(degrees)
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        before, after = np.array(picture.shape[1::-1]) / 2, np.array(image.size) / 2
        return np.asarray(image), ((truth - before) @ turn + after).astype(np.float32)

    return change


def hidden(picture: Picture, truth: Points) -> tuple[Picture, Points]:
    """Masks, hands, glasses and the like over each face."""
    low, high = np.nanmin(truth, axis=1), np.nanmax(truth, axis=1)
    boxes = as_boxes(np.concatenate([low, high], axis=1))
    return occlude(picture, boxes, 1.0, np.random.default_rng(round(float(low.sum())))), truth


def small(picture: Picture, truth: Points) -> tuple[Picture, Points]:
    """Reduced until the first face has `SMALL` pixels."""
    times = min(1.0, SMALL / float(np.ptp(truth[0], axis=0).max()))
    if times == 1:
        return picture, truth
    reduced = fit(picture, max(1, round(max(picture.shape[:2]) * times)))[0]
    return reduced, (truth * (reduced.shape[1] / picture.shape[1])).astype(np.float32)


CHANGES: dict[str, Change] = {
    "as they are": lambda picture, truth: (picture, truth),
    "turned by 30°": turned(30), "turned by -60°": turned(-60), "turned by 90°": turned(90),
    "partly hidden": hidden, "small": small,
}  # fmt: skip


def run(options: Options) -> int:
    """Print a table for each condition, and one of the still face. Returns the exit status."""
    labelled = points.read(options.data)
    photos = [one for one in load_photos(options.data, options.split, options.shares) if one.image_id in labelled]
    if not photos:
        raise InputError(f"{options.data}/points.csv has no face in the split {options.split!r}")
    chosen = np.random.default_rng(0).permutation(len(photos))[: options.count]
    some = [photos[number] for number in sorted(chosen)]
    detector = visavis.load_detector()
    analysers = {name: load_analyser(name) for name in named(options.analyse)}
    record: dict[str, Any] = {}
    for name, change in CHANGES.items():
        contenders = [Contender(one, analyser) for one, analyser in analysers.items()]
        seen = locate_all(contenders, detector, some, labelled, change)
        results = [figures(one, seen.truth) for one in contenders]
        print(f"\n{name}\n{table(ROWS, results)}", flush=True)
        record[name] = [{key: one[key] for _, key, _ in ROWS} | {"name": one["name"]} for one in results]
    print("\na still face: standard deviation of its points, as a share of its width, before and after steadying")
    record["still"] = {}
    for name, analyser in analysers.items():
        before, after = still(some[: options.still], labelled, detector, analyser)
        record["still"][name] = {"before": before, "after": after}
        print(f"  {name}: {before:.3%}, {after:.3%}", flush=True)
    with replaced(options.out) as file:
        json.dump(record, file, indent=2)
        file.write("\n")
    return 0


def still(photos: list[Photo], labelled: dict[str, Any], detector: Detector, analyser: Analyser) -> tuple[float, float]:
    """Mean standard deviation of a point, as a share of the face's width, as found and as steadied."""
    raw, steady = [], []
    for photo in tqdm(photos, unit="photo", disable=None):
        picture, factor = _reduced(read(photo.path, photo.max_pixels))
        truth = labelled[photo.image_id][0].points * factor
        found = _through(_frames(picture), lambda frame, truth=truth: _face(detector, frame, truth), analyser)
        if found is None:
            continue
        width = float(np.ptp(truth[:, 0]))
        for shown, deviations in zip(found, (raw, steady), strict=True):
            late = np.stack(shown[RATE // 2 :])  # once the filter knows that nothing moves
            deviations.append(float(late.std(axis=0).mean()) / width)
    return float(np.mean(raw)), float(np.mean(steady))


def _reduced(picture: Picture) -> tuple[Picture, float]:
    small = fit(picture, 720)[0] if max(picture.shape[:2]) > 720 else picture
    return small, small.shape[1] / picture.shape[1]


def _frames(picture: Picture) -> list[Picture]:
    dice = np.random.default_rng(0)
    frames = []
    for _ in range(FRAMES):
        lit = picture * (1 + dice.normal(0, FLICKER)) + dice.normal(0, NOISE, picture.shape)
        frames.append(decode(encode(np.clip(lit, 0, 255).astype(np.uint8), quality=int(dice.integers(*QUALITY)))))
    return frames


def _face(detector: Detector, frame: Picture, truth: Points) -> Faces:
    (found,) = detector.detect([frame])
    number = matching(found, truth)
    return found[[number]] if number is not None else found[:0]


def _through(
    frames: list[Picture], find: Callable[[Picture], Faces], analyser: Analyser
) -> tuple[list[Points], list[Points]] | None:
    """The points in each frame, as found and as steadied; None where the face is not found in all of them."""
    steadier, raw, steady = Steadier(), [], []
    for number, frame in enumerate(frames):
        faces = find(frame)
        if not len(faces):
            return None
        faces = analyser.analyse(frame, faces)
        raw.append(np.asarray(faces.keypoints)[0])
        steady.append(np.asarray(steadier.steady(faces, number / RATE).keypoints)[0])
    return raw, steady


if __name__ == "__main__":
    main(run, Options)
