"""Memory of predict.py and all its workers over many photos: `python -m benchmarks.predict_memory`.

A few photos of 12 megapixels under many names are given to the command; the proportional set size of the command and
its processes is read twice a second, and its maximum printed for each part of the photos. The files may lie in memory
themselves (TMPDIR=/dev/shm): no process maps them, so they do not count. Drawn copies, which would fill a disk, are
removed once they are written.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image

from visavis.commands.commandline import main
from visavis.cores import cores

STRETCHES = 20
WRITTEN = 10.0
"""Seconds after which a drawn copy is no longer written to."""


@dataclass
class Options:
    """Watch the memory of predict.py."""

    photos: int = 300
    """Number of photos."""
    distinct: int = 8
    """Different photos among them; the others are links."""
    height: int = 3000
    """Pixels."""
    width: int = 4000
    """Pixels."""
    draw: bool = True
    """Write drawn copies, too."""
    backend: str = "auto"
    """The back end."""
    out: Path = Path("benchmarks/results/predict_memory.json")
    """File for the figures, as JSON, with an entry for each set of options."""


def measure(options: Options) -> int:
    """Run, print the maximum of each part, and write the JSON."""
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "photos", Path(place) / "out"
        _photos(folder, options)
        command = ["predict.py", folder, "--out", out, "--draw" if options.draw else "--no-draw"]
        command += ["--backend", options.backend]
        began = time.monotonic()
        run = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
        drawn = 0
        most: list[tuple[float, float]] = [(0.0, 0.0)] * (STRETCHES + 1)
        while run.poll() is None:
            stretch = STRETCHES * _rows(out / "files.csv") // options.photos
            most[stretch] = max(most[stretch], _megabytes(run.pid))
            drawn += _removed(out / "drawn")
            time.sleep(0.5)
        seconds = time.monotonic() - began
        rows, drawn = _rows(out / "files.csv"), drawn + _removed(out / "drawn", 0)
    ends = [(number + 1) * options.photos // STRETCHES for number in range(STRETCHES)]
    curve = [
        {"photos": end, "megabytes": round(every), "of_them_the_command": round(own)}
        for end, (every, own) in zip(ends, most, strict=False)
    ]
    for one in curve:
        print(f"up to photo {one['photos']:>6}: {one['megabytes']:6} MB, {one['of_them_the_command']} of them its own")
    shape = f"{options.width} x {options.height}"
    print(f"{rows} photos of {shape} in {seconds:.0f} s, {drawn} copies drawn, status {run.returncode}")
    given = {name: value for name, value in asdict(options).items() if name != "out"}
    record: dict[str, Any] = {"cores": cores(), "options": given, "seconds": round(seconds), "curve": curve}
    kept = json.loads(options.out.read_text()) if options.out.exists() else {}
    kept[f"{options.photos} photos, {'drawn' if options.draw else 'not drawn'}, {options.backend}"] = record
    options.out.write_text(json.dumps(kept, indent=2) + "\n")
    return run.returncode


def _photos(folder: Path, options: Options) -> None:
    folder.mkdir()
    photo = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((options.width, options.height)))
    for number in range(options.photos):
        path = folder / f"{number:05}.jpg"
        if number >= options.distinct:
            os.link(folder / f"{number % options.distinct:05}.jpg", path)
            continue
        grain = np.random.default_rng(number).integers(-8, 9, (options.height, options.width, 1))
        Image.fromarray((photo + grain).clip(0, 255).astype(np.uint8)).save(path, quality=92)


def _removed(drawn: Path, age: float = WRITTEN) -> int:
    """Remove the copies that are older than so many seconds. Returns their number."""
    before = time.time() - age
    old = [path for path in drawn.rglob("*.jpg") if path.stat().st_mtime <= before]
    for path in old:
        path.unlink()
    return len(old)


def _rows(table: Path) -> int:
    """The number of rows of a table that grows."""
    if not table.exists():
        return 0
    with table.open("rb") as file:
        return max(0, sum(1 for _ in file) - 1)


def _megabytes(process: int) -> tuple[float, float]:
    """Proportional set size of a process with its children, and of the process alone."""
    own, total, waiting = 0, 0, [process]
    while waiting:
        number = waiting.pop()
        place = Path("/proc") / str(number)
        try:
            waiting += [int(child) for task in place.glob("task/*/children") for child in task.read_text().split()]
            size = int(re.findall(r"^Pss:\s+(\d+)", (place / "smaps_rollup").read_text(), re.MULTILINE)[0])
        except (OSError, IndexError):  # it ended meanwhile
            continue
        total += size
        own = size if number == process else own
    return total * 1024 / 1e6, own * 1024 / 1e6


if __name__ == "__main__":
    main(measure, Options)
