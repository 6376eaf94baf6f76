"""How well people are followed through videos: `python -m benchmarks.tracks`.

Videos with known paths are made of the demo's portraits: people who pass each other, one behind the other, who leave
and come back, and who are hidden for a while. The detector looks at every n-th frame, as `predict` does. For each video
and all of them: IDF1, identity switches, and what becomes of both if the tracks were known by overlap alone.
Figures go to benchmarks/results/tracks.json.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

import visavis
from demo import photos
from demo.photos import LabelledPicture
from visavis.boxes import as_boxes, covered, iou
from visavis.commands.commandline import main
from visavis.evaluation.tracking import Look, idf1, switches
from visavis.faces import Faces
from visavis.images import Picture
from visavis.messages import say
from visavis.options import Count
from visavis.video.tracking import Tracker

HEIGHT, WIDTH, RATE = 360, 640, 25
FRAMES = 150
HIDDEN = 0.5
"""A face of which so much is behind another person, or outside the picture, is not there to be found."""


@dataclass
class Options:
    """Measure how well people are followed through made videos."""

    every: tyro.conf.Positional[Count] = 5
    """Every how many frames the detector looks, of 25 a second."""
    out: Path = Path("benchmarks/results/tracks.json")
    """Where the figures go."""


Path_ = Callable[[float], tuple[float, float, float]]
"""From a share of the video, 0 to 1, to the middle of a face and its height, in shares of the picture's height and
width: across, down, high. Who is not there is far outside."""

AWAY = (9.0, 9.0, 0.3)


@dataclass(frozen=True)
class Walk:
    """Somebody in a video. portrait: in demo.photos.SOURCES. Those later in a list are in front of those before."""

    portrait: str
    path: Path_


def _straight(start: float, end: float, down: float, high: float, end_high: float | None = None) -> Path_:
    """From left to right or back, at one height above the ground."""

    def path(share: float) -> tuple[float, float, float]:
        return start + (end - start) * share, down, high + ((end_high or high) - high) * share

    return path


def _out_and_back(away: tuple[float, float]) -> Path_:
    """Leaves at the right between these shares of the video, and comes back where it left."""

    def path(share: float) -> tuple[float, float, float]:
        first, last = away
        if share < first:
            return 0.4 + 0.75 * share / first, 0.5, 0.4
        if share < last:
            return AWAY
        return 1.15 - 0.75 * (share - last) / (1 - last), 0.5, 0.4

    return path


def _shaken(share: float) -> tuple[float, float, float]:
    """Nods and sways without leaving its place."""
    return 0.5 + 0.1 * np.sin(19 * share), 0.5 + 0.08 * np.sin(31 * share), 0.35 * (1 + 0.2 * np.sin(12 * share))


VIDEOS: dict[str, tuple[Walk, ...]] = {
    "one alone": (Walk("obama.jpg", _shaken),),
    "side by side": (
        Walk("obama.jpg", _straight(0.2, 0.5, 0.5, 0.35)),
        Walk("biden.jpg", _straight(0.5, 0.8, 0.5, 0.35)),
    ),
    "they cross": (
        Walk("biden.jpg", _straight(0.1, 0.9, 0.5, 0.3)),
        Walk("obama2.jpg", _straight(0.9, 0.1, 0.5, 0.42)),
    ),
    "three cross": (
        Walk("astronaut.png", _straight(0.05, 0.95, 0.42, 0.28)),
        Walk("biden.jpg", _straight(0.95, 0.05, 0.5, 0.34)),
        Walk("obama3.jpg", _straight(0.5, 0.52, 0.6, 0.3, 0.4)),
    ),
    "one walks past": (
        Walk("obama.jpg", _straight(0.5, 0.5, 0.45, 0.3)),
        Walk("astronaut.png", _straight(-0.2, 1.2, 0.5, 0.4)),
    ),
    "leaves and comes back at once": (
        Walk("biden.jpg", _out_and_back((0.4, 0.6))),
        Walk("obama.jpg", _straight(0.2, 0.22, 0.5, 0.35)),
    ),
    "leaves and comes back later": (
        Walk("obama2.jpg", _out_and_back((0.25, 0.75))),
        Walk("biden.jpg", _straight(0.2, 0.22, 0.5, 0.35)),
    ),
}


def frames(walks: Sequence[Walk], every: int = 1, drawn: bool = True) -> Iterator[tuple[float, Picture, Faces]]:
    """Every so many of the frames of a video: the time in seconds, the picture, and the faces that are there to be
    found in it, with the attribute `person`. drawn: if not, pictures have no pixels."""
    originals = photos.load()
    ground = originals.scenes["coffee.png"]
    scene = Image.fromarray(ground).resize((WIDTH, HEIGHT)).point(lambda value: value // 2 + 60)
    heads = [_head(originals.portraits[walk.portrait]) for walk in walks]
    for number in range(0, FRAMES, every):
        picture = scene.copy() if drawn else Image.new("RGB", (0, 0))
        boxes, outlines = [], []
        for walk, head in zip(walks, heads, strict=True):
            across, down, high = walk.path(number / (FRAMES - 1))
            x1, y1, x2, y2 = head.boxes[0].tolist()
            factor = high * HEIGHT / (y2 - y1)
            left, top = across * WIDTH - (x1 + x2) / 2 * factor, down * HEIGHT - (y1 + y2) / 2 * factor
            height, width = (max(1, round(side * factor)) for side in head.picture.shape[:2])
            boxes.append([x1 * factor + left, y1 * factor + top, x2 * factor + left, y2 * factor + top])
            outlines.append([left, top, left + width, top + height])
            if drawn:
                shown = Image.fromarray(head.picture).resize((width, height), Image.Resampling.BILINEAR)
                picture.paste(shown, (round(left), round(top)))
        yield number / RATE, np.asarray(picture), _visible(as_boxes(boxes), as_boxes(outlines))


def _head(portrait: LabelledPicture) -> LabelledPicture:
    """The head with a little around it, no larger than it needs to be."""
    x1, y1, x2, y2 = portrait.boxes[0].astype(int).tolist()
    more = (x2 - x1) // 3
    height, width = portrait.picture.shape[:2]
    cut = portrait.cropped(max(0, x1 - more), max(0, y1 - more), min(width, x2 + more), min(height, y2 + more))
    return cut.resized(300)


def _visible(boxes: NDArray[np.float32], outlines: NDArray[np.float32]) -> Faces:
    inside = covered(boxes, as_boxes([[0, 0, WIDTH, HEIGHT]]))[:, 0] >= HIDDEN
    hidden = np.triu(covered(boxes, outlines), 1).max(axis=1) > HIDDEN
    there = inside & ~hidden
    return Faces(boxes[there], attributes={"person": np.flatnonzero(there)})


def followed(
    walks: Sequence[Walk], find: Callable[[Picture, Faces], Faces], every: int, tracker: Tracker, drawn: bool = True
) -> tuple[list[Look], list[Look]]:
    """The looks at a video, with the tracks of `tracker`, and with those of overlap alone (IoU with the last place).

    find: the faces in a picture, given what is there to be found.
    """
    ours, plain = [], []
    last, numbers, people = as_boxes([]), np.zeros(0, np.int64), 0
    for seconds, picture, truth in frames(walks, every, drawn):
        found = find(picture, truth)
        tracks = tracker.follow(found, seconds)
        overlaps = iou(found.boxes, last) if len(last) else np.zeros((len(found), 1), np.float32)
        best = overlaps.argmax(axis=1)
        again = np.zeros(len(found), np.int64)
        for face in np.argsort(-overlaps.max(axis=1)):
            if overlaps[face, best[face]] >= 0.3 and numbers[best[face]] not in again:
                again[face] = numbers[best[face]]
            else:
                people += 1
                again[face] = people
        last, numbers = found.boxes, again
        of = truth.boxes, truth.attributes["person"]
        ours.append(Look(*of, found.boxes, tracks))
        plain.append(Look(*of, found.boxes, again))
    return ours, plain


def measure(options: Options) -> int:
    """Measure all videos with the shipped detector, and write the figures."""
    detector = visavis.load_detector(device="cpu")
    figures: dict[str, Any] = {"every": options.every, "videos": {}}
    everything: tuple[list[list[Look]], list[list[Look]]] = ([], [])
    for name, walks in VIDEOS.items():
        both = followed(walks, lambda picture, _: detector.detect([picture])[0], options.every, Tracker())
        figures["videos"][name] = {
            way: {"idf1": round(idf1(looks), 3), "switches": switches(looks), "tracks": tracks(looks)}
            for way, looks in zip(("ours", "overlap"), both, strict=True)
        } | {"people": len(walks)}
        for all_of, looks in zip(everything, both, strict=True):
            all_of.append(looks)
        say(f"{name}: {figures['videos'][name]}")
    figures["all"] = {
        way: {"idf1": round(idf1(_joined(several)), 3), "switches": sum(map(switches, several))}
        for way, several in zip(("ours", "overlap"), everything, strict=True)
    }
    options.out.write_text(json.dumps(figures, indent=1) + "\n")
    say(json.dumps(figures["all"]))
    return 0


def tracks(looks: Sequence[Look]) -> int:
    """How many people there seem to be."""
    return len({int(track) for look in looks for track in look.tracks})


def _joined(several: Sequence[Sequence[Look]]) -> list[Look]:
    """The looks of all videos as of one, in which nobody is in two of them."""
    return [
        Look(look.truth, look.people + 1000 * number, look.found, look.tracks + 1000 * number)
        for number, looks in enumerate(several)
        for look in looks
    ]


if __name__ == "__main__":
    main(measure, Options)
