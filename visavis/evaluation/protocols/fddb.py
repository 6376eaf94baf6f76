"""FDDB (Jain and Learned-Miller, "FDDB: A Benchmark for Face Detection in Unconstrained Settings", 2010), by the
rules of its official evaluation.

Faces are ellipses. The overlap of an ellipse and a detection is measured in pixels of the photo. At every threshold,
detections and faces of a photo are paired so that the sum of the overlaps is greatest; the discrete score counts the
pairs above 0.5, the continuous score adds up the overlaps. Both are reported over the number of false positives in all
photos.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes
from visavis.charts import Line, curves
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.metrics import or_none

OVERLAP = 0.5
"""The discrete score counts a pair above this overlap."""

FALSE_FINDS = (100, 500, 1000)
"""Numbers of false positives in all photos at which the share of found faces is reported."""

CURVE = 2000
"""The curves go up to this many false positives."""

ROWS = tuple(
    (f"{kind} score at {count} false positives", f"{kind}_at_{count}", ".3f")
    for kind in ("discrete", "continuous")
    for count in FALSE_FINDS
) + (("faces", "faces", "d"),)


@dataclass(frozen=True)
class Annotated:
    """A photo with its faces. ellipses: (N, 5) float64: half of the long axis, half of the short one, the angle
    of the long one to the horizontal (radians, clockwise as seen), centre x and y, pixels."""

    name: str
    path: Path
    ellipses: NDArray[np.float64]

    @property
    def boxes(self) -> Boxes:
        """(N, 4): the upright boxes around the ellipses."""
        long, short, angle, x, y = self.ellipses.T
        across = np.hypot(long * np.cos(angle), short * np.sin(angle))
        down = np.hypot(long * np.sin(angle), short * np.cos(angle))
        return as_boxes(np.stack([x - across, y - down, x + across, y + down], axis=1))


def read(folder: Path) -> list[Annotated]:
    """All folds: FDDB-folds/FDDB-fold-*-ellipseList.txt in `folder`, photos in originalPics/ or in `folder` itself.

    Raises InputError with file and line for a malformed annotation.
    """
    lists = sorted((folder / "FDDB-folds").glob("FDDB-fold-*-ellipseList.txt"))
    if not lists:
        raise InputError(f"no FDDB-folds/FDDB-fold-*-ellipseList.txt in {folder}; unpack FDDB-folds.tgz there")
    pictures = folder / "originalPics" if (folder / "originalPics").is_dir() else folder
    return [photo for path in lists for photo in _fold(path, pictures)]


def figures(annotated: Sequence[Annotated], sizes: Sequence[tuple[int, int]], found: Sequence[Faces]) -> dict[str, Any]:
    """Both scores at some numbers of false positives, and their curves. sizes: (height, width) of each photo."""
    steps = [
        step
        for photo, size, faces in zip(annotated, sizes, found, strict=True)
        for step in changes(overlaps(photo.ellipses, faces.boxes, size), np.asarray(faces.scores))
    ]
    faces = sum(len(photo.ellipses) for photo in annotated)
    false, discrete, continuous = _summed(steps)
    shares = {
        kind: _best_up_to(false, scores, CURVE) / faces if faces else np.full(CURVE + 1, nan)
        for kind, scores in (("discrete", discrete), ("continuous", continuous))
    }
    values: dict[str, Any] = {"faces": faces}
    for kind, share in shares.items():
        values |= {f"{kind}_at_{count}": or_none(float(share[count])) for count in FALSE_FINDS}
        values[f"curve_{kind}"] = [or_none(round(float(one), 4)) for one in share]
    return values


def chart(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw both scores over the number of false positives. results: what `figures` returned, with a name."""
    panels = [
        (f"{kind} score", [Line(r["name"], range(CURVE + 1), r[f"curve_{kind}"]) for r in results])
        for kind in ("discrete", "continuous")
    ]
    curves(panels, ("false positives in all photos", "share of the faces"), path)


def overlaps(ellipses: NDArray[np.float64], found: Boxes, size: tuple[int, int]) -> NDArray[np.float64]:
    """IoU in pixels of every detection (N) and ellipse (M), (N, M), both clipped to the photo's (height, width).

    As in the official evaluation: in whole pixels, with both corners of a rectangle belonging to it.
    """
    height, width = size
    corners = np.rint(np.asarray(found, np.float64)).astype(np.int64)
    left, top = (np.clip(corners[:, side], 0, limit) for side, limit in ((0, width), (1, height)))
    right, bottom = (np.clip(corners[:, side] + 1, 0, limit) for side, limit in ((2, width), (3, height)))
    areas = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
    result = np.zeros((len(found), len(ellipses)))
    for face, ellipse in enumerate(ellipses):
        inside = mask(ellipse, size)
        whole = int(inside.sum())
        for find in range(len(found)):
            shared = int(inside[top[find] : bottom[find], left[find] : right[find]].sum())
            if shared:
                result[find, face] = shared / (whole + areas[find] - shared)
    return result


def mask(ellipse: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of an ellipse in a photo of (height, width); its centre and its axes are rounded to whole pixels."""
    long, short, angle, x, y = ellipse
    down, across = np.ogrid[: size[0], : size[1]]
    down, across = down - np.rint(y), across - np.rint(x)
    along = (across * np.cos(angle) + down * np.sin(angle)) / max(1, int(long))
    aside = (down * np.cos(angle) - across * np.sin(angle)) / max(1, int(short))
    return np.asarray(along**2 + aside**2 <= 1)


def changes(overlap: NDArray[np.float64], scores: NDArray[np.float32]) -> list[tuple[float, int, int, float]]:
    """What each threshold of one photo, highest first, adds: (threshold, false positives, discrete, continuous).

    overlap: (N, M), of detections and faces. scores: (N,).
    """
    from scipy.optimize import linear_sum_assignment

    steps, before = [], (0, 0, 0.0)
    for threshold in np.unique(scores)[::-1]:
        kept = overlap[scores >= threshold]
        pairs = kept[linear_sum_assignment(kept, maximize=True)]
        discrete = int((pairs > OVERLAP).sum())
        now = (len(kept) - discrete, discrete, float(pairs.sum()))
        steps.append((float(threshold), now[0] - before[0], now[1] - before[1], now[2] - before[2]))
        before = now
    return steps


def _summed(
    steps: list[tuple[float, int, int, float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """False positives, discrete and continuous score over all photos at each threshold, highest first; (T,) each."""
    if not steps:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    table = np.array(sorted(steps, key=lambda step: -step[0]), np.float64)
    last = np.flatnonzero(np.diff(table[:, 0], append=-np.inf))
    false, discrete, continuous = np.cumsum(table[:, 1:], axis=0)[last].T
    return false, discrete, continuous


def _best_up_to(false: NDArray[np.float64], scores: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """(most + 1,): the highest score with at most 0, 1 .. false positives."""
    best = np.zeros(most + 1)
    for count, score in zip(false, scores, strict=True):
        if count <= most:
            best[int(count)] = max(best[int(count)], score)
    return np.maximum.accumulate(best)


def _fold(path: Path, pictures: Path) -> list[Annotated]:
    """The photos of one list: a line with the name, one with the number of faces, and one line per face."""
    lines = path.read_text(encoding="utf-8").splitlines()
    photos, at = [], 0
    while at < len(lines):
        name = lines[at].strip()
        at += 1
        if not name:
            continue
        try:
            count = int(lines[at])
            rows = [[float(value) for value in line.split()[:5]] for line in lines[at + 1 : at + 1 + count]]
        except (IndexError, ValueError):
            raise InputError(
                f"{path} line {at + 1}: after the name {name} must come the number of faces and one line per face"
            ) from None
        if len(rows) != count or any(len(row) != 5 or not np.isfinite(row).all() for row in rows):
            raise InputError(f"{path} line {at + 1}: {name} must have {count} faces, with five numbers each")
        photos.append(Annotated(name, pictures / f"{name}.jpg", np.array(rows, np.float64).reshape(-1, 5)))
        at += 1 + count
    return photos
