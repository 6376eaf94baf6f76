"""Memory of predict.py and all its workers over many photos: `python -m benchmarks.predict_memory`.

One photo of 12 megapixels under many names goes through the command as a user types it; the proportional set size of
the command and its processes is read ten times a second, and its maximum printed for each tenth of the photos.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from visavis.command import main


@dataclass
class Options:
    """Watch the memory of predict.py."""

    photos: int = 300
    """How many."""
    height: int = 3000
    """Pixels."""
    width: int = 4000
    """Pixels."""
    draw: bool = True
    """Drawn copies, too."""


def measure(options: Options) -> int:
    """Run, and print the maximum of each tenth."""
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "photos", Path(place) / "out"
        folder.mkdir()
        photo = Image.fromarray(skimage.data.astronaut()).resize((options.width, options.height))
        grain = np.random.default_rng(0).integers(-8, 9, (options.height, options.width, 1))
        first = folder / "00000.jpg"
        Image.fromarray((np.asarray(photo) + grain).clip(0, 255).astype(np.uint8)).save(first, quality=92)
        for number in range(1, options.photos):
            os.link(first, folder / f"{number:05}.jpg")
        draw = "--draw" if options.draw else "--no-draw"
        began = time.monotonic()
        run = subprocess.Popen([sys.executable, "predict.py", folder, "--out", out, draw], stderr=subprocess.DEVNULL)
        most = [0.0] * 11
        while run.poll() is None:
            done = (out / "files.csv").read_bytes().count(b"\n") if (out / "files.csv").exists() else 0
            tenth = 10 * done // options.photos
            most[tenth] = max(most[tenth], _megabytes(run.pid))
            time.sleep(0.1)
        seconds = time.monotonic() - began
    for tenth, value in enumerate(most[:10]):
        print(f"photos {tenth * options.photos // 10:>6} to {(tenth + 1) * options.photos // 10:>6}: {value:6.0f} MB")
    print(f"{options.photos} photos of {options.width} x {options.height} in {seconds:.0f} s, status {run.returncode}")
    return 0


def _megabytes(process: int) -> float:
    """Proportional set size of a process and its children."""
    total, waiting = 0, [process]
    while waiting:
        place = Path("/proc") / str(waiting.pop())
        try:
            waiting += [int(child) for task in place.glob("task/*/children") for child in task.read_text().split()]
            total += int(re.findall(r"^Pss:\s+(\d+)", (place / "smaps_rollup").read_text(), re.MULTILINE)[0])
        except (OSError, IndexError):  # it ended meanwhile
            continue
    return total * 1024 / 1e6


if __name__ == "__main__":
    main(measure, Options)
