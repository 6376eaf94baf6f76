"""What a perfect judge of sliding windows could find, and at how many windows: for given sizes, and for better ones.

A face can be found if some window overlaps it with an IoU of `FOUND` or more. Which windows do depends on no others, so
each size is tried once with each stride, and all combinations are counted from that.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.photos import Photo, Photos, labels_within
from visavis import charts
from visavis.boxes import Boxes, area
from visavis.cores import cores
from visavis.detectors.sliding_window.windows import Layer, Size, layers, step_of, text_of
from visavis.errors import InputError
from visavis.messages import counted
from visavis.workers import Workers

FOUND = 0.5
"""IoU with a face from which on a window may find it, as detections are judged."""
HEIGHTS, SHAPES = 24, (25, 50, 75)
"""A better set is sought among so many heights, from those of the lowest faces to those of the highest, evenly on a
logarithmic scale, each with the widths that these percentiles of the faces' widths over heights give."""
ENDS = (2, 98)
"""Percentiles of the faces' heights between which those heights lie."""
LONGEST = 600.0
"""Seconds that a worker may take for its photos."""


@dataclass(frozen=True)
class Figures:
    """recall: the share of the faces that can be found. a_face: how many windows can find a face, on average. windows:
    in all photos."""

    recall: float
    a_face: float
    windows: int


@dataclass(frozen=True)
class Reach:
    """What windows of several sizes reach at one stride. hits: (sizes, faces) how many of a size can find a face.
    windows: (sizes,) how many there are in all photos."""

    hits: NDArray[np.int64]
    windows: NDArray[np.int64]

    def of(self, chosen: Sequence[int]) -> Figures:
        """The figures of some of the sizes together, by their numbers."""
        hits = self.hits[list(chosen)].sum(axis=0)
        return Figures(float((hits > 0).mean()), float(hits.mean()), int(self.windows[list(chosen)].sum()))

    def best(self, count: int) -> list[int]:
        """The numbers of `count` sizes that find the most faces together; of equals, those with fewer windows.

        One after the other, the size is taken that adds most; then each is exchanged for a better one while that helps.
        """
        chosen: list[int] = []
        for _ in range(min(count, len(self.hits))):
            chosen.append(self._best_with(chosen))
        while True:
            before = self._worth(chosen)
            for place in range(len(chosen)):
                others = chosen[:place] + chosen[place + 1 :]
                chosen = [*others[:place], self._best_with(others), *others[place:]]
            if self._worth(chosen) == before:
                return sorted(chosen)

    def _best_with(self, others: list[int]) -> int:
        left = [number for number in range(len(self.hits)) if number not in others]
        return max(left, key=lambda number: self._worth([*others, number]))

    def _worth(self, chosen: list[int]) -> tuple[int, int]:
        return int(self.hits[chosen].any(axis=0).sum()), -int(self.windows[chosen].sum())


def candidates(faces: Boxes) -> list[Size]:
    """The sizes among which better ones are sought for (N, 4) faces."""
    sides = faces[:, 2:] - faces[:, :2]
    shapes = np.percentile(sides[:, 0] / sides[:, 1], SHAPES)
    lowest, highest = np.percentile(sides[:, 1], ENDS)
    heights = np.geomspace(lowest, highest, HEIGHTS)
    return [(round(height), max(1, round(height * shape))) for height in heights for shape in shapes]


def reach(photos: Photos, sizes: Sequence[Size], strides: Sequence[float]) -> list[Reach]:
    """What windows of these sizes reach, for each stride in percent; on all cores. Raises InputError for photos without
    a face."""
    together = math.ceil(len(photos) / (4 * cores()))
    with Workers(cores(), LONGEST, [__name__]) as pool:
        parts = [[photos[number] for number in range(len(photos))[first : first + together]]
                 for first in range(0, len(photos), together)]  # fmt: skip
        calls = [pool.submit(_of_photos, part, sizes, strides) for part in parts]
        found = [call.result() for call in calls]
    hits = np.concatenate([hits for hits, _ in found], axis=2)
    if not hits.shape[2]:
        raise InputError(f"of {counted(len(photos), 'photo')}, none has a labelled face, so there is nothing to reach")
    windows = np.sum([windows for _, windows in found], axis=0)
    return [Reach(*both) for both in zip(hits, windows, strict=True)]


def _of_photos(
    photos: Sequence[Photo], sizes: Sequence[Size], strides: Sequence[float]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(strides, sizes, faces) hits, and (strides, sizes) windows."""
    hits, windows = [np.zeros((len(strides), len(sizes), 0), np.int64)], np.zeros((len(strides), len(sizes)), np.int64)
    for photo in photos:
        size = photo.known_size() or (1, 1)
        faces = labels_within(photo, size)[0].boxes
        found = np.zeros((len(strides), len(sizes), len(faces)), np.int64)
        for row, stride in enumerate(strides):
            for column, one in enumerate(sizes):
                for layer in layers(size, [one], step_of(stride)):
                    found[row, column] = finding(layer, faces)
                    windows[row, column] += math.prod(layer.shape)
        hits.append(found)
    return np.concatenate(hits, axis=2), windows


def finding(layer: Layer, faces: Boxes) -> NDArray[np.int64]:
    """(N,): how many windows of a layer can find each of (N, 4) faces.

    A grid's overlaps are products of those of its rows and of its columns, far fewer numbers than it has windows.
    """
    rows, columns = layer.edges()
    down = _shared(rows, faces[:, [1, 3]])
    across = _shared(columns, faces[:, [0, 2]])
    window = np.ptp(rows[0]) * np.ptp(columns[0])
    least = FOUND / (1 + FOUND) * (window + area(faces))  # IoU >= FOUND, solved for the shared area
    return np.asarray((down[:, None] * across[None] >= least).sum(axis=(0, 1)), np.int64)


def _shared(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, M): the length that each of (N, 2) and of (M, 2) stretches have in common."""
    ends = np.minimum(first[:, None, 1], second[None, :, 1])
    return np.maximum(ends - np.maximum(first[:, None, 0], second[None, :, 0]), 0)


@dataclass(frozen=True)
class Row:
    """A set of sizes at a stride, and what it reaches. found: whether the set was sought, and not given."""

    sizes: Sequence[Size]
    stride: float
    figures: Figures
    found: bool

    @property
    def name(self) -> str:
        """For tables and charts."""
        return text_of(self.sizes) + (" (found)" if self.found else "")


def compared(photos: Photos, sets: Sequence[Sequence[Size]], strides: Sequence[float], find: int) -> list[Row]:
    """Every set of sizes at every stride; and the best set of `find` sizes for each stride, unless that is 0."""
    faces = [labels_within(photo, photo.known_size() or (1, 1))[0].boxes for photo in photos] if find else []
    tried = candidates(np.concatenate(faces)) if sum(map(len, faces)) else []
    every = [*dict.fromkeys([one for chosen in sets for one in chosen] + tried)]
    rows = []
    for stride, reached in zip(strides, reach(photos, every, strides), strict=True):
        for chosen in sets:
            figures = reached.of([every.index(one) for one in chosen])
            rows.append(Row(chosen, stride, figures, found=False))
        if find:
            best = reached.best(find)
            rows.append(Row([every[number] for number in best], stride, reached.of(best), found=True))
    return rows


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as lines of text."""
    yield f"{'stride':>7}  {'recall':>6}  {'windows a face':>14}  {'windows':>9}  sizes (height x width)"
    for row in rows:
        figures = row.figures
        counts = f"{figures.recall:6.3f}  {figures.a_face:14.1f}  {figures.windows:9,}"
        yield f"{row.stride:5g} %  {counts}  {row.name}"


def chart(rows: Sequence[Row], path: Path) -> None:
    """The three figures over the stride, a line a set; those that were sought for each stride are one line."""
    sets: dict[str, list[Row]] = {}
    for row in rows:
        sets.setdefault("found for each stride" if row.found else row.name, []).append(row)
    panels = []
    for title, figure in (("possible recall", "recall"), ("windows a face", "a_face"), ("windows", "windows")):
        lines = [
            charts.Line(name, [row.stride for row in some], [getattr(row.figures, figure) for row in some])
            for name, some in sets.items()
        ]
        panels.append((title, lines))
    charts.curves(panels, ("stride, percent of the window", ""), path)
