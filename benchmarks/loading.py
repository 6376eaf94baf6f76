"""How fast photos are loaded, and the memory of a loading process: `python -m benchmarks.loading`.

FaceDataset, as in train.py, compared with a plain dataset (PIL.Image.open().convert() and a resize), both to the same
size and to floats in the end, by the number of loading processes, on photos of 2,000 pixels and on small ones. Then the
memory that a process comes to own while it goes through a table of a million rows, as arrays and as a list of objects.
Figures: benchmarks/results/loading.json.
"""

import gc
import io
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dataset.photos import Photo, Photos
from visavis.boxes import as_boxes
from visavis.commands.commandline import main
from visavis.cores import cores
from visavis.messages import say

SECONDS = 4.0
"""Seconds for which each is measured, three times."""


@dataclass
class Options:
    """Measure images a second by the number of loading processes, and memory a process at a million rows."""

    source: Path | None = None
    """Folder of photos to make the sets of; without one, scikit-image's."""
    longest: tuple[int, ...] = (2000, 400)
    """Longer side of the photos of each set, pixels."""
    count: int = 200
    """Photos in each set."""
    size: int = 320
    """Shorter side that training needs, pixels."""
    workers: tuple[int, ...] = (0, 1, 2)
    """Loading processes."""
    rows: int = 1_000_000
    """Rows of the table whose memory is measured; 0 leaves it out."""
    out: Path = Path("benchmarks/results/loading.json")
    """File for the figures, as JSON."""


def measure(options: Options) -> int:
    """Measure, print a table, write the figures."""
    speeds = []
    with tempfile.TemporaryDirectory() as folder:
        for longest in options.longest:
            photos = _made(options, longest, Path(folder) / f"{longest}")
            for workers in options.workers:
                speeds.append({"longest": longest, "workers": workers} | _speeds(photos, options.size, workers))
    print(f"{'photos of':>10}{'processes':>11}{'plain':>10}{'FaceDataset':>13}{'times':>7}   (images a second)")
    for row in speeds:
        times = row["ours"] / row["plain"]
        print(f"{row['longest']:>10}{row['workers']:>11}{row['plain']:>10.1f}{row['ours']:>13.1f}{times:>7.2f}")
    memory = {}
    if options.rows:
        memory = {"arrays": _memory(options.rows, Photos), "objects": _memory(options.rows, list)}
        for name, held in memory.items():
            print(f"{options.rows:,} rows as {name}: a process comes to own {held:.0f} MB while it reads them all")
    figures = {"cores": cores(), "load_before": os.getloadavg()[0], "count": options.count, "size": options.size,
               "images_a_second": speeds, "rows": options.rows, "own_memory_mb": memory}  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n")
    say(f"figures: {options.out}")
    return 0


class Plain:
    """The obvious dataset: open, convert, resize, make a tensor; the boxes are as large as the picture."""

    def __init__(self, photos: Sequence[Photo], size: int) -> None:
        self.photos, self.size = list(photos), size

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Any, dict[str, Any]]:
        import torch

        photo = self.photos[index]
        image = Image.open(photo.path).convert("RGB")
        factor = min(1.0, self.size / min(image.size))
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
        return pixels, {"boxes": torch.from_numpy(photo.boxes * np.float32(factor))}


def _made(options: Options, longest: int, folder: Path) -> list[Photo]:
    """`count` JPEGs of that size, made of real photos, each cropped a little differently."""
    from visavis.images import find, read

    if options.source is not None:
        paths = list(find(options.source))[: options.count]
    else:
        import skimage

        data = Path(skimage.__file__).parent / "data"
        paths = [data / name for name in ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")]
    folder.mkdir()
    random = np.random.default_rng(0)
    photos = []
    for number in range(options.count):
        picture = Image.fromarray(read(paths[number % len(paths)]))
        left, top = random.integers(0, 20, 2).tolist()
        picture = picture.crop((left, top, picture.width, picture.height))
        factor = longest / max(picture.size)
        picture = picture.resize((round(picture.width * factor), round(picture.height * factor)))
        path = folder / f"{number}.jpg"
        picture.save(path, quality=88)
        photos.append(Photo(f"{number}", "", path, as_boxes([[10, 10, longest / 3, longest / 3]])))
    return photos


def _speeds(photos: list[Photo], size: int, workers: int) -> dict[str, float]:
    """Images per second of both, the best of three rounds in turn, so that other work on the machine affects both."""
    from dataset.faces import FaceDataset
    from dataset.transforms import preset

    both = {"plain": Plain(photos, size), "ours": FaceDataset(photos, preset("none"), size=size, as_bytes=True)}
    best = dict.fromkeys(both, 0.0)
    for _ in range(3):
        for name, dataset in both.items():
            best[name] = max(best[name], _speed(dataset, workers))
    return best


def _speed(dataset: Any, workers: int) -> float:
    import torch
    from torch.utils.data import DataLoader

    from dataset.loader import collate

    torch.set_num_threads(1)  # in training the device converts to floats; here, more threads would only compete
    again: Any = cycle(range(len(dataset)))
    loader = DataLoader(dataset, 8, sampler=again, num_workers=workers, collate_fn=collate)
    batches = islice(loader, len(dataset) // 8, None)  # once through: processes run, modules and pages are loaded
    seen = len(next(batches)[0])
    began, start = time.perf_counter(), seen
    for images, _ in batches:
        seen += len([image.float().div(255) if image.dtype == torch.uint8 else image for image in images])
        if (spent := time.perf_counter() - began) > SECONDS:
            break
    return (seen - start) / spent


def _memory(rows: int, hold: Callable[[Iterator[Photo]], Sequence[Photo]]) -> float:
    """MB that a forked process comes to own while it looks at every photo, as a loading process does in an epoch."""
    held = hold(_rows(rows))
    fork = multiprocessing.get_context("fork")
    mine, others = fork.Pipe()
    process = fork.Process(target=_look_at_all, args=(held, others))
    process.start()
    grown = mine.recv()
    process.join()
    return grown


def _rows(rows: int) -> Iterator[Photo]:
    folder = Path("data/images")
    for n in range(rows):
        identity = f"Somebody_{n // 400}"
        boxes = as_boxes([[n % 300, 10, n % 300 + 100, 140]])
        yield Photo(f"{identity}/{n:08}", identity, folder / identity / f"{n:08}.jpg", boxes, size=(600, 800))


def _look_at_all(photos: Sequence[Photo], told: Any) -> None:
    if isinstance(photos, Photos):
        gc.freeze()  # as FaceDataset does in its processes
    before = _own()
    for index in np.random.default_rng(0).permutation(len(photos)):
        photo = photos[int(index)]
        assert photo.boxes.shape == (1, 4)
    gc.collect()
    told.send(_own() - before)


def _own() -> float:
    """MB of memory that this process has for itself (Linux)."""
    text = Path("/proc/self/smaps_rollup").read_text()
    fields = dict(line.split(":", 1) for line in io.StringIO(text) if ":" in line[:30] and "kB" in line)
    return sum(int(fields[name].split()[0]) for name in ("Private_Clean", "Private_Dirty")) / 1000


if __name__ == "__main__":
    main(measure, Options)
