"""Several detectors on photos of many kinds: `python -m benchmarks.wild --data DATA --detector shipped centerface`.

The validation split of a data folder, in which the first part of a photo's name says its kind (`web/…`), and photos
made of it:

- close-ups of each kind: photos of 1080 x 1440 that one face fills to .5, .6 .. .9 of the width;
- turned, of each kind: photos of faces wider than an eighth of the photo, turned by 90, 180 and 270 degrees;
- poor, of each kind: noisy, shaken, screened as newspapers are, interlaced … (benchmarks/poor_photos.py);
- small in large: photos of 3000 x 2250 without a face, into which four faces of 28 to 60 pixels are pasted;
- faceless: the photos that have none.

Of each kind there is AP50, the best F1 and F1 at the detector's own threshold, or the share of the faces that are
found there and the false finds a photo. --redaction: the share of faces that are left recognisable, compared with
deface: those less than two thirds of whose box is covered. All figures go to --out as JSON.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest
from tqdm import tqdm

import visavis
from benchmarks.poor_photos import POOR
from visavis import metrics
from visavis.boxes import Boxes, as_boxes, clip, quarter_turned
from visavis.commands.commandline import main
from visavis.data.photos import Photo, labels_within, load_photos
from visavis.data.split import Shares
from visavis.detectors.protocol import about
from visavis.effects.redaction import Redaction
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture, read, resize

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""The share of a close-up's width that the face fills."""
FOUND = 0.4
"""The least IoU with which a face of a made photo counts as found: detectors have conventions of their own."""
LOWEST = 0.05
COVERED = 2 / 3
"""Share of a face's box: a face of which less is covered is left recognisable."""
DEFACE = 1.3
"""What deface enlarges a box by; it covers the ellipse in it."""


@dataclass
class Options:
    """Score detectors on photos of many kinds."""

    data: Path = Path("data")
    """Data folder; the first part of each photo's name is its kind."""
    val: float = 0.1
    """Share of the photos for validation, as given to train.py."""
    detector: tuple[str, ...] = ("shipped",)
    """Names of detectors, and paths of checkpoints."""
    kinds: tuple[str, ...] = ()
    """Only these kinds: of photos (web), or closeup, turned, poor, small, faceless. All by default."""
    limit: int = 60
    """Photos of each kind at most: the first ones by name."""
    redaction: bool = False
    """Measure also what redaction leaves of the faces, compared with deface."""
    out: Path = Path("benchmarks/results/wild.json")
    """File for the figures, as JSON."""


@dataclass
class Shot:
    """A picture of a kind, with its faces, and the ignored regions."""

    kind: str
    picture: Picture
    faces: Boxes
    ignore: Boxes


def run(options: Options) -> int:
    """Print a table and write it as JSON."""
    photos = [one for one in load_photos(options.data, "val", Shares(options.val, 0.0)) if "~" not in one.image_id]
    detectors = {name: visavis.load_detector(name, "cpu") for name in options.detector}
    own = {name: detector.threshold for name, detector in detectors.items()}
    covering = {name: about(one.detector).covering or own[name] for name, one in detectors.items()}
    for name, detector in detectors.items():
        raw = about(detector.detector).calibration.apply(np.array(LOWEST))
        detector.threshold = min(own[name], covering[name], float(raw))
    kinds: dict[str, dict[str, list[tuple[Shot, Faces]]]] = {}
    seconds: dict[str, float] = dict.fromkeys(detectors, 0.0)
    for shot in tqdm(_shots(photos, options), unit="photo", disable=None):
        shown = Shot(shot.kind, shot.picture[:0, :0], shot.faces, shot.ignore)
        for name, detector in detectors.items():
            began = time.process_time()
            found = detector.detect(shot.picture)
            seconds[name] += time.process_time() - began
            kinds.setdefault(shot.kind, {}).setdefault(name, []).append((shown, found))
            if options.redaction:
                left = _left(shot, found, covering[name], name == "centerface")
                rows = kinds.setdefault(f"redacted {shot.kind}", {}).setdefault(name, [])
                rows.append((Shot("", shown.picture, as_boxes([left]), as_boxes([])), Faces()))
    results: list[dict[str, Any]] = []
    for kind, of in sorted(kinds.items()):
        for name, seen in of.items():
            figures = _redacted(seen) if kind.startswith("redacted ") else _figures(seen, own[name])
            results.append({"kind": kind, "detector": name, "threshold": round(own[name], 4)} | figures)
            print(
                f"{kind:22} {name[-40:]:40} " + "  ".join(f"{key} {value}" for key, value in figures.items()),
                flush=True,
            )
    with replaced(options.out) as file:
        json.dump({"results": results, "cpu_seconds": seconds}, file, indent=1)
        file.write("\n")
    return 0


def _figures(seen: list[tuple[Shot, Faces]], threshold: float) -> dict[str, Any]:
    truth = [Faces(shot.faces) for shot, _ in seen]
    found, ignore = [faces for _, faces in seen], [shot.ignore for shot, _ in seen]
    faces = sum(map(len, truth))
    if not faces:
        finds = sum(len(one.above(threshold)) for one in found)
        return {"photos": len(seen), "finds": finds}
    judged = metrics.judge(truth, found, 0.5, ignore)
    loose = metrics.judge(truth, [one.above(threshold) for one in found], FOUND, ignore)
    right = int(loose.right.sum())
    within = binomtest(right, faces).proportion_ci(0.95, method="wilson")
    best_threshold, best = metrics.best_threshold(judged)
    return {
        "photos": len(seen),
        "faces": faces,
        "ap50": round(metrics.average_precision(judged), 4),
        "best_f1": round(best, 4),
        "at": round(best_threshold, 3),
        "f1": round(metrics.at_threshold(judged, threshold)[2], 4),
        "found": round(right / faces, 4),
        "found_interval": (round(float(within.low), 4), round(float(within.high), 4)),
        "false": len(loose.right) - right,
    }


def _redacted(seen: list[tuple[Shot, Faces]]) -> dict[str, Any]:
    """Of rows (recognisable, faces, share of pixels covered, 0)."""
    left = sum(float(shot.faces[0, 0]) for shot, _ in seen)
    faces = sum(float(shot.faces[0, 1]) for shot, _ in seen)
    area = float(np.mean([shot.faces[0, 2] for shot, _ in seen]))
    share = round(left / faces, 4) if faces else None
    return {"faces": int(faces), "recognisable": int(left), "share": share, "picture_covered": round(area, 4)}


def _left(shot: Shot, found: Faces, threshold: float, as_deface: bool) -> list[float]:
    size = (shot.picture.shape[0], shot.picture.shape[1])
    if as_deface:
        mask = Redaction("oval-blur", (DEFACE - 1) / 2).mask(size, found.above(threshold))
    else:
        mask = Redaction("blur").mask(size, found.above(threshold))
    left = 0
    for x1, y1, x2, y2 in np.round(clip(shot.faces, size)).astype(int).tolist():
        left += bool(mask[y1:y2, x1:x2].mean() < COVERED) if x2 > x1 and y2 > y1 else 0
    return [float(left), float(len(shot.faces)), float(mask.mean()), 0.0]


def _shots(photos: list[Photo], options: Options) -> Iterator[Shot]:
    faceless = [one for one in photos if not len(one.boxes) and not len(one.ignore)]
    origins: dict[str, list[Photo]] = {}
    for one in photos:
        if len(one.boxes):
            origins.setdefault(one.image_id.split("/")[0], []).append(one)
    as_they_are = {"faceless": faceless, **origins, "crowds": [one for one in photos if len(one.boxes) >= 10]}
    made = {"closeup": _close_ups, "turned": _turned, "poor": _poor}
    for kind in options.kinds or (*as_they_are, *made, "small"):
        if kind == "small":
            yield from _small(photos, options.limit)
        elif kind in made:
            for origin, some in origins.items():
                yield from made[kind](some, f"{kind} {origin}", options.limit)
        else:
            for one in as_they_are[kind][: options.limit]:
                yield _shot(kind, one)


def _shot(kind: str, photo: Photo) -> Shot:
    picture = read(photo.path)
    faces, ignore = labels_within(photo, (picture.shape[0], picture.shape[1]))
    return Shot(kind, picture, faces.boxes, ignore)


def _alone(photos: list[Photo], wide: float) -> Iterator[tuple[Picture, np.ndarray]]:
    """Photos with a single face that is at least so many pixels wide, the widest first."""
    some = [one for one in photos if len(one.boxes) == 1 and not len(one.ignore)]
    some = [one for one in some if one.boxes[0, 2] - one.boxes[0, 0] >= wide]
    for one in sorted(some, key=lambda one: (one.boxes[0, 0] - one.boxes[0, 2], one.image_id)):
        yield read(one.path), one.boxes[0]


def _close_ups(photos: list[Photo], kind: str, limit: int) -> Iterator[Shot]:
    count = 0
    for picture, box in _alone(photos, 80):
        height, width = picture.shape[:2]
        x, y, wide = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0]
        across = wide / SHARES[0]
        if across > width or across * 4 / 3 > height or box[3] - box[1] > wide / SHARES[-1] * 4 / 3:
            continue  # the widest window must lie in the photo, and the narrowest must contain the whole face
        for share in SHARES:
            w = wide / share
            h = w * 4 / 3
            left = int(np.clip(x - w / 2, 0, width - w))
            top = int(np.clip(y - h / 2, 0, height - h))
            part = picture[top : top + round(h), left : left + round(w)]
            factor = 1080 / part.shape[1], 1440 / part.shape[0]
            moved = (box - [left, top, left, top]) * [factor[0], factor[1], factor[0], factor[1]]
            shown = resize(np.ascontiguousarray(part), (1440, 1080))
            yield Shot(f"{kind} {share}", shown, clip(as_boxes([moved]), (1440, 1080)), as_boxes([]))
        count += 1
        if count >= limit:
            return


def _turned(photos: list[Photo], kind: str, limit: int) -> Iterator[Shot]:
    some = [one for one in photos if len(one.boxes) == 1 and not len(one.ignore)]
    count = 0
    for one in some:
        shot = _shot(kind, one)
        height, width = shot.picture.shape[:2]
        if not len(shot.faces) or shot.faces[0, 2] - shot.faces[0, 0] < width / 8:
            continue
        for angle in (0, 90, 180, 270):
            boxes = quarter_turned(shot.faces, (height, width), angle // 90)
            picture = np.ascontiguousarray(np.rot90(shot.picture, angle // 90))
            yield Shot(f"{kind} {angle:03}", picture, boxes, as_boxes([]))
        count += 1
        if count >= limit:
            return


def _poor(photos: list[Photo], kind: str, limit: int) -> Iterator[Shot]:
    for one in photos[:limit]:
        shot = _shot(kind, one)
        for name, change in POOR.items():
            yield Shot(f"{kind} {name}", change(shot.picture), shot.faces, shot.ignore)


def _small(photos: list[Photo], limit: int) -> Iterator[Shot]:
    """Faceless photos of 3000 x 2250 with four small faces, each pasted with some of its surroundings."""
    grounds = [one for one in photos if not len(one.boxes) and not len(one.ignore)][: max(1, limit // 3)]
    faces = iter(list(_alone(photos, 60)))
    random = np.random.default_rng(0)
    for ground in grounds:
        picture, boxes = resize(read(ground.path), (2250, 3000)).copy(), []
        for number in range(4):
            cut = next(faces, None)
            if cut is None:
                return
            shown, box = cut
            side = float(random.uniform(28, 60))
            factor = side / (box[2] - box[0])
            x1, y1, x2, y2 = (
                max(0, int(box[0] - 0.6 * (box[2] - box[0]))),
                max(0, int(box[1] - 0.5 * (box[3] - box[1]))),
                min(shown.shape[1], int(box[2] + 0.6 * (box[2] - box[0]))),
                min(shown.shape[0], int(box[3] + 0.8 * (box[3] - box[1]))),
            )
            part = np.ascontiguousarray(shown[y1:y2, x1:x2])
            part = resize(part, (max(8, round(part.shape[0] * factor)), max(8, round(part.shape[1] * factor))))
            left = int(random.integers(0, 1300)) + 1500 * (number % 2)
            top = int(random.integers(0, 900)) + 1125 * (number // 2)
            picture[top : top + part.shape[0], left : left + part.shape[1]] = part
            moved = (box - [x1, y1, x1, y1]) * factor + [left, top, left, top]
            boxes.append(moved)
        yield Shot("small in large", picture, as_boxes(boxes), as_boxes([]))


if __name__ == "__main__":
    main(run, Options)
