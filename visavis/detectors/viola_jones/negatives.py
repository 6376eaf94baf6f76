"""Windows without a face to learn from: those of photos without a face that the cascade so far takes for one.

After some stages that is one window in a million, so that photos are searched anew only when too few windows are left.
Windows that the new stage lets through stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.detectors.viola_jones.cascade import Cascade
from visavis.detectors.viola_jones.features import SIDE
from visavis.detectors.viola_jones.integral import grey, integral
from visavis.detectors.viola_jones.scanning import scaled_features, scan
from visavis.errors import ImageError
from visavis.reduced_photos import UsefulSize, read_reduced_photo

LONGEST = 640
"""Pixels of a photo's longer side at which it is searched."""
TURNS = 8
"""Ways in which to look at a photo: turned by quarters, and so mirrored. One after the other, for other windows."""
SPARE = 2
"""So many times more windows are looked at than would do, if every photo were like the others."""


@dataclass
class Negatives:
    """photos: without a face, in the order in which they are searched. most: windows that one photo may give at a time.
    patches: (N, 24, 24) float16, windows found so far, as the cascade sees them: with mean 0, and divided by the
    standard deviation in the photo. next: the number of the search that is due; photos are searched again when all have
    been. seen: windows that were looked at."""

    photos: Sequence[Path]
    most: int = 40
    patches: NDArray[np.float16] = field(default_factory=lambda: np.zeros((0, SIDE, SIDE), np.float16))
    next: int = 0
    seen: int = 0

    def keep(self, cascade: Cascade) -> None:
        """Drop the windows that do not pass the last stage."""
        self.patches = self.patches[cascade.stages[-1].margins(integrals(self.patches)) >= 0]

    def fill(self, cascade: Cascade, wanted: int, searches: int, seed: int) -> None:
        """Search photos, at most so many, until there are `wanted` windows."""
        found, count, passed, seen = [self.patches], len(self.patches), 1, 2
        for _ in range(searches):
            if count >= wanted:
                break
            rng = np.random.default_rng([seed, self.next])
            part, through, looked = self._search(cascade, rng, passed / seen)
            found.append(part)
            count, passed, seen = count + len(part), passed + through, seen + looked
            self.next += 1
        self.seen += seen
        self.patches = np.concatenate(found)[:wanted]

    def _search(self, cascade: Cascade, rng: np.random.Generator, share: float) -> tuple[NDArray[np.float16], int, int]:
        """Some windows that pass, of the photo whose turn it is, how many pass, and at how many it was looked. share:
        of windows that are likely to pass."""
        round_, number = divmod(self.next, len(self.photos))
        try:
            picture = read_reduced_photo(self.photos[number], UsefulSize(longest=LONGEST)).picture
        except ImageError:  # `python -m clean` names photos that cannot be read; there are enough others
            return self.patches[:0], 0, 0
        turned = np.rot90(grey(picture), round_ % 4)
        turned = np.ascontiguousarray(turned[:, ::-1] if round_ % TURNS >= 4 else turned)
        layers = list(scaled_features(cascade, turned, 1.25, 1.5, float(rng.uniform(1, 1.25))))
        windows = sum(len(layer.starts) for layer in layers)
        part = min(1.0, SPARE * self.most / max(1.0, share * windows))
        few = [replace(layer, starts=_some(layer.starts, part, rng)) for layer in layers]
        passed = scan(cascade, few)
        chosen = rng.permutation(len(passed))[: self.most]
        sums = (passed.integrals * passed.norms)[:, chosen].T.reshape(-1, SIDE + 1, SIDE + 1)
        pixels = np.diff(np.diff(sums, axis=1), axis=2) * (SIDE * SIDE)
        pixels -= pixels.mean(axis=(1, 2), keepdims=True)  # which no feature sees, but 16 bits would
        return pixels.astype(np.float16), len(passed), sum(len(layer.starts) for layer in few)


def _some(starts: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    return starts if share >= 1 else starts[rng.random(len(starts)) < share]


def standard(patches: NDArray[Any]) -> NDArray[np.float32]:
    """(N, 24, 24) windows with mean 0 and standard deviation 1."""
    exact = patches.astype(np.float32)
    exact -= exact.mean(axis=(1, 2), keepdims=True)
    return exact / np.maximum(exact.std(axis=(1, 2), keepdims=True), 1e-3)


def integrals(patches: NDArray[Any]) -> NDArray[np.float32]:
    """(C, N) integral images of (N, 24, 24) windows with mean 0, divided by their area as a window's values are."""
    sums = integral(patches.astype(np.float32), np.float32) / np.float32(SIDE * SIDE)
    return np.ascontiguousarray(sums.reshape(len(patches), (SIDE + 1) ** 2).T, np.float32)
