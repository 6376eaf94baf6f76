"""How fast predict.py is: `python -m benchmarks.predict PHOTOS --deface PATH --face-detection PATH`.

End to end: each program in a new process, on the same folder and the same cores, from start to exit, files in, tables
and pictures out. Then the detectors alone, on photos of one size. Other programs whose command is not given are left
out. The figures are only valid on a machine that does nothing else.
"""

import csv
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

import visavis
from visavis import boxes, checkpoint
from visavis.checkpoint import SHIPPED
from visavis.commands.commandline import main
from visavis.cores import cores
from visavis.detectors.faster_rcnn import architectures as faster_rcnn
from visavis.detectors.faster_rcnn import exported
from visavis.errors import InputError
from visavis.images import encode, find, read, resize
from visavis.messages import say

ROUNDS = 3
WAYS = (("torch", "fp32"), ("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
"""Back ends and precisions, end to end."""


@dataclass
class Options:
    """Time predict.py beside a plain loop and other programs."""

    photos: tyro.conf.Positional[Path]
    """Folder of photos."""
    count: int = 200
    """Photos for all programs."""
    large_count: int = 8
    """Photos for resnet50_fpn, which takes seconds for each. 0: none."""
    large_weights: Path | None = None
    """A checkpoint of resnet50_fpn; without one its weights are random, and whether both find the same is unchecked."""
    sizes: tuple[int, ...] = ()
    """Time predict.py's default with --size of these, too: fewer pixels are faster and find less."""
    rounds: int = 1
    """How often each program runs; the median counts."""
    width: int | None = None
    """Bring all photos to this width and --height first; by default they stay as they are."""
    height: int | None = None
    """Pixels."""
    deface: Path | None = None
    """deface's command, in an environment of its own."""
    face_detection: Path | None = None
    """face_recognition's command."""
    alone: bool = True
    """Time the detectors alone, too, on photos of 600 x 400."""
    out: Path = Path("benchmarks/results/predict.json")
    """File for the figures, as JSON."""


def measure(options: Options) -> int:
    """Print a table and write the JSON."""
    paths = list(islice(find(options.photos), options.count))
    if not paths:
        raise InputError(f"no photo in {options.photos}")
    if (options.width is None) != (options.height is None):
        raise InputError("--width and --height go together; give both or none")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        photos = _copies(paths, place / "photos", options)
        rows = [row | {"photos": len(paths)} for row in _end_to_end(photos, place, options)]
        if options.large_count:
            few = _copies(paths[: options.large_count], place / "few", options)
            rows += [row | {"photos": options.large_count} for row in _large(few, place, options.large_weights)]
    for row in rows:
        row["photos_per_second"] = round(row["photos"] / row["seconds"], 2)
        same = f"  {row['same']}" if "same" in row else ""
        print(f"{row['photos_per_second']:8.2f} photos/s  {row['name']}{same}", flush=True)
    alone = _alone([read(path) for path in paths[:24]]) if options.alone else []
    for row in alone:
        print(f"{row['ms_median']:8.1f} ms (p95 {row['ms_p95']:.1f})  {row['name']} alone, 600 x 400")
    given = {name: value for name, value in asdict(options).items() if isinstance(value, int | None)}
    record: dict[str, Any] = {"cores": cores(), "options": given, "end_to_end": rows}
    kept = json.loads(options.out.read_text()) if options.out.exists() else {}
    kept[f"{options.width} x {options.height}" if options.width else "as they are"] = record | (
        {"alone": alone} if alone else {}
    )
    options.out.write_text(json.dumps(kept, indent=2) + "\n")
    return 0


PLAIN = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
"""Extensions of photos that every program here reads."""


def _copies(paths: list[Path], folder: Path, options: Options) -> Path:
    """A folder with copies of the photos, under names of their own."""
    folder.mkdir()
    for number, path in enumerate(paths):
        plain = options.width is None or options.height is None
        if plain and path.suffix.lower() in PLAIN:
            shutil.copyfile(path, folder / f"{number:05}{path.suffix.lower()}")
        else:  # as JPEG what the other programs do not read, such as HEIC
            picture = read(path)
            size = (options.height, options.width) if options.height and options.width else picture.shape[:2]
            data = encode(resize(picture, size) if size != picture.shape[:2] else picture)
            (folder / f"{number:05}.jpg").write_bytes(data)
    return folder


def _end_to_end(photos: Path, place: Path, options: Options) -> Iterator[dict[str, Any]]:
    """All programs take turns, so that other work on the machine affects all alike; the median of their turns."""
    few = sorted(photos.iterdir())[:2]  # a run that does not count: from the second on, OpenVINO's cache is filled
    ways = {f"predict.py, shipped, {backend}, {precision}": (backend, precision) for backend, precision in WAYS}
    for backend, precision in ways.values():
        _predict(few, place / f"first-{backend}-{precision}", backend, precision)
    spent: dict[str, list[float]] = {}
    for turn in range(options.rounds):
        here = place / str(turn)
        here.mkdir()
        plain = [sys.executable, "-m", "benchmarks.plain_loop", SHIPPED, photos, here / "plain"]
        spent.setdefault("plain loop, shipped", []).append(_timed(plain))
        for name, way in ways.items():
            spent.setdefault(name, []).append(_predict([photos], here / name, *way))
        for size in options.sizes:
            seconds = _predict([photos], here / str(size), "auto", "fp32", "--size", size)
            spent.setdefault(f"predict.py, shipped, --size {size}", []).append(seconds)
        if options.deface:
            copied = shutil.copytree(photos, here / "deface")  # it writes beside its input
            spent.setdefault("deface", []).append(_timed([options.deface, copied]))
            written = len(list(copied.glob("*_anonymized*")))
            if written != len(list(photos.iterdir())):
                raise InputError(f"deface wrote {written} pictures")
        if options.face_detection:
            command = [options.face_detection, "--cpus", str(cores()), photos]
            spent.setdefault("face_detection (writes no pictures)", []).append(_timed(command))
    plain_finds = _found(place / "0" / "plain" / "faces.csv")
    for name, seconds in spent.items():
        row = {"name": name, "seconds": statistics.median(seconds), "turns": seconds}
        found = place / "0" / name / "faces.csv"
        yield row | ({"same": _same(plain_finds, _found(found))} if name in ways else {})


def _predict(photos: list[Path], out: Path, backend: str, precision: str, *more: Any) -> float:
    how = ["--min-size", "0", "--backend", backend, "--precision", precision]
    return _timed([sys.executable, "predict.py", *photos, "--out", out, *how, *more])


def _large(photos: Path, place: Path, weights: Path | None) -> Iterator[dict[str, Any]]:
    """The same for resnet50_fpn; with random weights, no score is high enough to be drawn."""
    path = place / "resnet50_fpn.safetensors"
    if weights is not None:
        shutil.copyfile(weights, path)
    else:
        torch.manual_seed(0)
        model = faster_rcnn.build("resnet50_fpn")
        known = {"arch": "resnet50_fpn", "norm_eps": faster_rcnn.norm_eps(model), "threshold": 0.999}
        checkpoint.save(path, model.state_dict(), known)
    exported.write(path, path.with_suffix(".onnx"))
    plain = place / "plain-large"
    seconds = _timed([sys.executable, "-m", "benchmarks.plain_loop", path, photos, plain])
    yield {"name": "plain loop, resnet50_fpn", "seconds": seconds}
    for backend, precision in WAYS[1:]:
        out = place / f"large-{backend}-{precision}"
        seconds = _predict([photos], out, backend, precision, "--weights", path)
        row = {"name": f"predict.py, resnet50_fpn, {backend}, {precision}", "seconds": seconds}
        same = {"same": _same(_found(plain / "faces.csv"), _found(out / "faces.csv"))}
        yield row | (same if weights is not None else {})


def _alone(pictures: list[visavis.images.Picture]) -> list[dict[str, Any]]:
    """Each way to run the shipped detector, on photos of 600 x 400; the first of three rounds does not count."""
    pictures = [resize(picture, (400, 600)) for picture in pictures]
    rows = []
    for backend, precision in [*WAYS, ("torch", "bf16")]:
        detector = visavis.load_detector("shipped", "cpu", backend=backend, precision=precision)
        spent = []
        for turn in range(ROUNDS):
            for picture in pictures:
                began = time.perf_counter()
                detector.detect([picture])
                if turn > 0:
                    spent.append(1000 * (time.perf_counter() - began))
        high = statistics.quantiles(spent, n=20)[-1]
        median = statistics.median(spent)
        rows.append({"name": f"{backend}, {precision}", "ms_median": round(median, 1), "ms_p95": round(high, 1)})
    return rows


def _timed(command: list[Any]) -> float:
    """Seconds until the command has ended. Raises InputError where it fails."""
    say(f"running {Path(command[0]).name} {' '.join(str(word) for word in command[1:3])} ...")
    began = time.perf_counter()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise InputError(f"{command[:4]} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return round(time.perf_counter() - began, 2)


def _found(table: Path) -> dict[str, np.ndarray]:
    """File name -> (N, 4) boxes."""
    found: dict[str, list[list[float]]] = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(Path(row["path"]).name, []).append([float(row[side]) for side in ("x1", "y1", "x2", "y2")])
    return {name: boxes.as_boxes(rows) for name, rows in found.items()}


def _same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> str:
    """How many boxes have one of IoU 0.95 or more in the other table."""
    none = boxes.as_boxes([])
    overlaps = [boxes.iou(one.get(name, none), other.get(name, none)) for name in one.keys() | other.keys()]
    near = sum(int((each.max(axis=1, initial=0) >= 0.95).sum()) for each in overlaps)
    total = max(sum(map(len, one.values())), sum(map(len, other.values())))
    return f"{near} of {total} boxes the same (IoU 0.95)"


if __name__ == "__main__":
    main(measure, Options)
