"""How soon a new face is shown on the live page: `python -m benchmarks.arrivals`.

The demo's portraits, at several sizes and places, appear in a picture that was empty. The page sends it as it does: as
JPEG, small for quick looks and large for thorough ones. For each size of face, the share that is found in a quick look,
which the next frame has, and in a thorough look, which comes within a second. Figures go to
benchmarks/results/arrivals.json.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

import visavis
from demo import photos
from visavis import images
from visavis.boxes import Boxes, as_boxes, iou
from visavis.commands.commandline import main
from visavis.images import Picture
from visavis.live.finders import QUICK
from visavis.messages import say

HEIGHT, WIDTH = 480, 640
QUALITY = 80
"""Of the page's JPEG files (visavis/live/page/camera.js)."""
SAME = 0.5
"""IoU from which on a find is the face."""


@dataclass
class Options:
    """Measure how soon faces of several sizes are found by the looks that live frames have."""

    sizes: tyro.conf.Positional[tuple[int, ...]] = (32, 40, 48, 64, 96)
    """Shorter sides of the faces, in pixels of a frame of 640 x 480."""
    out: Path = Path("benchmarks/results/arrivals.json")
    """File for the figures, as JSON."""


def measure(options: Options) -> int:
    """Measure all sizes, and write the figures."""
    detector = visavis.load_detector(device="cpu").detector
    quick = detector.quick(QUICK)  # type: ignore[missing-attribute]
    figures = {}
    for size in options.sizes:
        found = np.zeros((2, 0), bool)
        for picture, box in pictures(size):
            small = images.resize(picture, (HEIGHT // 2, WIDTH // 2))
            in_quick = iou(quick.detect([_sent(small)])[0].boxes * 2, box).max(initial=0) >= SAME
            in_thorough = iou(detector.detect([_sent(picture)])[0].boxes, box).max(initial=0) >= SAME
            found = np.append(found, [[in_quick], [in_thorough]], axis=1)
        figures[size] = {"faces": found.shape[1], "quick": int(found[0].sum()), "thorough": int(found[1].sum())}
        say(f"{size} pixels: {figures[size]}")
    options.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def pictures(size: int) -> Iterator[tuple[Picture, Boxes]]:
    """Frames with one face whose shorter side has `size` pixels, and its box: each portrait in three scenes."""
    originals = photos.load()
    for number, portrait in enumerate(originals.portraits.values()):
        x1, y1, x2, y2 = portrait.boxes[0].tolist()
        factor = size / min(x2 - x1, y2 - y1)
        more = (x2 - x1) / 3
        height, width = portrait.picture.shape[:2]
        corners = max(0, x1 - more), max(0, y1 - more), min(width, x2 + more), min(height, y2 + more)
        left, top, right, bottom = (round(side) for side in corners)
        cut = np.ascontiguousarray(portrait.picture[top:bottom, left:right])
        head = images.resize(cut, (round(cut.shape[0] * factor), round(cut.shape[1] * factor)))
        for turn, scene in enumerate(("coffee.png", "chelsea.png", "motorcycle_left.png")):
            frame = images.resize(originals.scenes[scene], (HEIGHT, WIDTH)).copy()
            x = round((WIDTH - head.shape[1]) * (0.15 + 0.35 * turn))
            y = round((HEIGHT - head.shape[0]) * (0.2 + 0.15 * number))
            frame[y : y + head.shape[0], x : x + head.shape[1]] = head
            box = np.array([x1 - left, y1 - top, x2 - left, y2 - top]) * factor + [x, y, x, y]
            yield frame, as_boxes([box])


def _sent(picture: Picture) -> Picture:
    return images.decode(images.encode(picture, quality=QUALITY))


if __name__ == "__main__":
    main(measure, Options)
