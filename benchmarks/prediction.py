"""Milliseconds that a detector takes for a photo of one size: `python -m benchmarks.prediction PHOTOS`.

Photos of a folder, all brought to that size, go through each detector in turn, three times; the first round does not
count. Decoding and drawing are left out. It means something on a machine that does nothing else.
"""

import statistics
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import tyro

import visavis
from visavis.command import InputError, main
from visavis.images import find, read, resize

ROUNDS = 3


@dataclass
class Options:
    """Time detectors on photos of one size."""

    photos: tyro.conf.Positional[Path]
    """Folder of photos."""
    detector: tuple[str, ...] = ("shipped",)
    """Names or paths of checkpoints, as for predict.py."""
    width: int = 600
    """Pixels."""
    height: int = 400
    """Pixels."""
    count: int = 24
    """Photos."""
    device: str = "auto"
    """auto (a CUDA GPU where there is one), cpu, cuda, cuda:1, mps."""


def measure(options: Options) -> int:
    """Print the median and the 95th percentile of each detector."""
    paths = list(islice(find(options.photos), options.count))
    if not paths:
        raise InputError(f"no photo in {options.photos}")
    pictures = [resize(read(path), (options.height, options.width)) for path in paths]
    detectors = {name: visavis.load_detector(name, options.device) for name in options.detector}
    spent: dict[str, list[float]] = {name: [] for name in detectors}
    for turn in range(ROUNDS):
        for name, detector in detectors.items():
            for picture in pictures:
                began = time.perf_counter()
                detector.detect([picture])
                if turn > 0:
                    spent[name].append(1000 * (time.perf_counter() - began))
    for name, values in spent.items():
        high = statistics.quantiles(values, n=20)[-1]
        print(
            f"{name}: {statistics.median(values):.1f} ms a photo of {options.width} x {options.height}, p95 {high:.1f}"
        )
    return 0


if __name__ == "__main__":
    main(measure, Options)
