"""How fast `python -m clean` is beside a plain loop over face_recognition, and how much memory it takes; see
benchmarks.clean."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clean_faults import Folder
from clean.inspection import ListedPhoto
from dataset import tables
from visavis import images
from visavis.errors import InputError
from visavis.messages import counted

Settings = Mapping[str, Sequence[str]]
"""Name -> arguments of clean."""


def cost(photos: Sequence[ListedPhoto], count: int) -> dict[str, Any]:
    """CPU seconds for a photo in one process, which other work on the machine changes little: of a plain loop over
    face_recognition, and of clean's inspection with its hashes."""
    from clean import finders
    from clean.inspection import Task, inspect

    some = [one for one in photos if one.boxes][:count]
    detectors = {name: finders.load(name).detector for name in ("face_recognition", "shipped")}
    face_recognition: Any = import_module("face_recognition")

    def plain(photo: ListedPhoto) -> bool:
        return bool(face_recognition.face_locations(face_recognition.load_image_file(photo.path)))

    def by(name: str) -> Callable[[ListedPhoto], bool]:
        task = Task((name,), 50_000_000, 32)
        return lambda photo: any(row[4] >= 0.5 for row in inspect(photo, task).finds[name])

    ways = {"plain loop": plain, **{name: by(name) for name in detectors}}
    figures: dict[str, Any] = {"photos": len(some)}
    for name, way in ways.items():
        way(some[0])
        began = time.process_time()
        found = sum(way(photo) for photo in some)
        figures[name] = {"seconds a photo": round((time.process_time() - began) / len(some), 4), "with a face": found}
    for name in detectors:
        ratio = figures["plain loop"]["seconds a photo"] / figures[name]["seconds a photo"]
        figures[name]["times the plain loop in one process"] = round(ratio, 2)
    return figures


def both_speeds(
    photos: Sequence[ListedPhoto], place: Path, counts: tuple[int, int], asked: Settings, seed: int
) -> dict[str, Any]:
    """`speed` on photos as they are, and enlarged; counts: of these and of those. Of all parts: speed is not a matter
    of what was learnt from."""
    labelled = [one for one in photos if one.boxes]
    if len(labelled) < max(counts):
        raise InputError(f"--timed and --large: {counted(len(labelled), 'labelled photo')}; give smaller numbers")
    small, large = (random.Random(seed).sample(labelled, count) for count in counts)
    return {
        "as they are": speed(small, place / "small", 1, asked),
        "three times as large": speed(large, place / "large", 3, asked),
    }


def speed(some: Sequence[ListedPhoto], place: Path, times: int, asked: Settings) -> dict[str, Any]:
    """Photos per second: of a plain loop over face_recognition, and of clean with two workers, from start to end."""
    folder = Folder(place)
    for photo in some:
        data, label = photo.path.read_bytes(), photo.boxes[0]
        if times > 1:
            picture = images.decode(data)
            data = images.encode(images.resize(picture, (picture.shape[0] * times, picture.shape[1] * times)))
            label = (label[0] * times, label[1] * times, label[2] * times, label[3] * times)
        folder.add(f"timed/{photo.image_id}", data, label)
    folder.write()
    paths = [str(path) for path in sorted((place / "images").rglob("*.jpg"))]
    loop = (
        "import sys, warnings; warnings.simplefilter('ignore'); import face_recognition\n"
        "print(sum(bool(face_recognition.face_locations(face_recognition.load_image_file(p))) for p in sys.argv[1:]))"
    )
    began = time.monotonic()
    plain = subprocess.run([sys.executable, "-c", loop, *paths], capture_output=True, text=True, check=True)
    figures: dict[str, Any] = {"photos": len(some)}
    seconds = time.monotonic() - began
    figures["plain loop"] = {"photos a second": round(len(some) / seconds, 1), "with a face": int(plain.stdout)}
    for name, arguments in asked.items():
        shutil.rmtree(place / "clean", ignore_errors=True)  # nothing is known from before
        began = time.monotonic()
        folder.clean("--workers", "2", *arguments)
        taken = time.monotonic() - began
        faceless = sum(row["reason"] in ("faceless", "label_moved") for row in tables.rows(place / "clean.csv"))
        figures[name] = {
            "photos a second": round(len(some) / taken, 1),
            "times the plain loop": round(seconds / taken, 2),
            "with a face": len(some) - faceless,
        }
    return figures


def memory(photo: Path, place: Path, rows: int) -> dict[str, Any]:
    """Peak resident memory of clean's main process, in MiB, for 1,000 rows and for many, all judged before."""
    figures: dict[str, Any] = {}
    for count in (1000, rows):
        known_folder(place / str(count), photo, count)
        probe = (
            "import resource, sys; from pathlib import Path; from clean.__main__ import Options, run\n"
            'run(Options(data=Path(sys.argv[1]), also="none"))\n'
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
        )
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-c", probe, str(place / str(count))], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        taken = round(time.monotonic() - began, 1)
        figures[f"{count:,} rows"] = {"MiB": int(done.stdout.splitlines()[-1]), "seconds": taken}
        shutil.rmtree(place / str(count))
    return figures


def known_folder(place: Path, photo: Path, count: int) -> None:
    """A data folder of `count` rows, one file behind them all, and a journal in which each was another photo."""
    from clean import finders, likeness
    from clean.inspection import Inspection, Task
    from visavis.journal import Journal

    chance = np.random.default_rng(0)
    data = photo.read_bytes()
    height, width = images.read(photo).shape[:2]
    (place / "images").mkdir(parents=True)
    (place / "images" / "one.jpg").write_bytes(data)
    status = (place / "images" / "one.jpg").stat()
    box = (10.0, 10.0, 60.0, 70.0)
    ids = [f"{number // 100:05d}/{number:08d}" for number in range(count)]
    corners = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
    tables.write(place / "labels.csv", ({"image_id": one, "identity": one[:5], "url": "", **corners} for one in ids))
    rows = ({"image_id": one, "status": "ok", "path": "images/one.jpg"} for one in ids)
    tables.write(place / "downloads.csv", rows)
    task = Task(("face_recognition",), 50_000_000, 32)
    key = finders.load("face_recognition").key
    with Journal(place / "clean" / "seen.jsonl") as file:
        for one in ids:
            like = likeness.Likeness(
                chance.integers(0, 2**63, 4, dtype=np.uint64), chance.integers(0, 255, (24, 24), dtype=np.uint8)
            )
            facts = {"settings": task.settings(ListedPhoto(one, photo, boxes=(box,))), "height": height, "width": width}
            known = {"bytes": status.st_size, "modified_ns": status.st_mtime_ns, "sha256": f"{one:064}"}
            finds = {"face_recognition": [[*box, 0.9], [80.0, 20.0, 120.0, 70.0, 0.45]]}
            keys = {"face_recognition": key}
            file.add(vars(Inspection(one, finds=finds, keys=keys, likeness=str(like), **facts, **known)))  # type: ignore[arg-type]
