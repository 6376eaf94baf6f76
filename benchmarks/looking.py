"""How large a page of many photos is, and how fast it opens: `python -m benchmarks.looking PHOTOS`.

The photos of a folder, repeated until there are enough, each with two labels and two detections, on one page; then a
headless Chromium opens it, five times. Figures go to benchmarks/results/looking.json.
"""

import json
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import tyro

import visavis
from visavis.boxes import as_boxes
from visavis.commands.commandline import main
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.messages import say
from visavis.page import Entry


@dataclass
class Options:
    """Write a page of many photos and open it in Chromium."""

    photos: tyro.conf.Positional[Path]
    """Folder of photos."""
    count: int = 10_000
    """Photos on the page."""
    out: Path = Path("benchmarks/results/looking.json")
    """File for the figures, as JSON."""


def measure(options: Options) -> int:
    """Write the page, open it, print and keep the figures."""
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium")
    if browser_path is None:
        raise InputError("no chromium; Debian: apt-get install chromium")
    paths = list(visavis.images.find(options.photos))
    if not paths:
        raise InputError(f"{options.photos} holds no photos")
    random = np.random.default_rng(0)
    entries = [_entry(number, path, random) for number, path in enumerate(islice(cycle(paths), options.count))]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        page = visavis.look(entries, Path(folder) / "page.html")
        written = time.perf_counter() - began
        seconds = []
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            for _ in range(5):
                tab = browser.new_page()
                began = time.perf_counter()
                tab.goto(page.as_uri())
                tab.wait_for_selector("html[data-ready]")
                tab.wait_for_function("() => [...document.querySelectorAll('.photo img')].every(one => one.complete)")
                seconds.append(time.perf_counter() - began)
                tab.close()
            browser.close()
        size = page.stat().st_size
    figures = {
        "photos": options.count,
        "megabytes": size / 1e6,
        "seconds_to_open_median": statistics.median(seconds),
        "seconds_to_open": seconds,
        "seconds_to_write": written,
        "load_before": os.getloadavg()[0],
    }
    print(f"{options.count} photos: {size / 1e6:.1f} MB, written in {written:.0f} s, opens in "
          f"{min(seconds):.2f} to {max(seconds):.2f} s (median {statistics.median(seconds):.2f})")  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n")
    say(f"figures: {options.out}")
    return 0


def _entry(number: int, path: Path, random: np.random.Generator) -> Entry:
    boxes = as_boxes([[x, y, x + side, y + 1.3 * side] for x, y, side in random.uniform(10, 200, (2, 3))])
    row = {
        "identity": f"Somebody_{number % 300}",
        "reason": ("", "faceless", "duplicate")[number % 3],
        "split": "train",
    }
    found = Faces(as_boxes(boxes + random.normal(0, 8, (2, 4))), random.uniform(0.3, 1, 2).astype(np.float32))
    return Entry(f"{row['identity']}/{number:08}", path, Faces(boxes), found, row=row)


if __name__ == "__main__":
    main(measure, Options)
