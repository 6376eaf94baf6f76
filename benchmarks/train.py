"""How fast train.py trains here: `python -m benchmarks.train --data DATA`.

Photos from disk through loading, augmentation, forward, backward and step; for each arch, precision, layout and batch,
in a process of its own. The defaults depend on the device (`USUAL`): they take a minute on a CPU, a quarter of an hour
on a GPU. The weights are random and learn nothing, but those that fine-tuning freezes are frozen. Prints a table; the
figures go to benchmarks/results/train-DEVICE.json.
"""

import itertools
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import train
from dataset import subjects
from dataset.photos import Photos
from visavis import device
from visavis.commands.commandline import main
from visavis.errors import InputError
from visavis.messages import say
from visavis.training import config
from visavis.training.run import Run


@dataclass
class Options:
    """Measure photos a second, peak memory and the share of time spent waiting for photos, in training."""

    data: Path = Path("data")
    """Data folder, as for train.py; all of its photos are used."""
    arch: tuple[str, ...] = ()
    """Architectures."""
    precision: tuple[Literal["auto", "fp32", "bf16", "fp16"], ...] = ()
    """Precisions."""
    compile: tuple[Literal["no", "yes"], ...] = ()
    """Whether the backbone is compiled."""
    channels_last: tuple[Literal["no", "yes"], ...] = ()
    """Whether the memory layout is channels last."""
    batch_size: tuple[int, ...] = ()
    """Photos in a step."""
    trainable_layers: int = 3
    """As train.py's."""
    size: int | None = None
    """Shorter side of the photos, pixels; by default as each architecture has it in training, 320 on a CPU."""
    transforms: str = "full"
    """Augmentation, as train.py's."""
    mosaic: int | None = None
    """As train.py's."""
    workers: int | Literal["auto"] = "auto"
    """As train.py's."""
    device: str = "auto"
    """As train.py's."""
    warm_up: int = 5
    """Steps at the start that are not measured."""
    steps: int = 20
    """Steps that are measured."""
    results: Path = Path("benchmarks/results")
    """Folder for the JSON."""


USUAL: dict[str, dict[str, tuple[Any, ...]]] = {
    "cpu": {
        "arch": ("mobilenet_v2_fpnlite",),
        "precision": ("fp32",),
        "compile": ("no",),
        "channels_last": ("yes", "no"),
        "batch_size": (4, 8),
    },
    "cuda": {
        "arch": ("resnet50_fpn", "mobilenet_v2_fpnlite"),
        "precision": ("fp32", "bf16"),
        "compile": ("no", "yes"),
        "channels_last": ("yes",),
        "batch_size": (16, 32),
    },
}
"""What is measured by default."""


def run(options: Options) -> int:
    """Measure every combination; return 0, or 3 if some could not be run."""
    if options.steps < 1 or options.warm_up < 0:
        raise InputError("--steps must be at least 1, and --warm-up at least 0")
    on = device.choose(options.device)[0].type
    usual = USUAL["cuda" if on == "cuda" else "cpu"]
    chosen = {name: getattr(options, name) or values for name, values in usual.items()}
    if on == "cpu" and options.size is None:
        options = replace(options, size=320)
    rows: list[dict[str, Any]] = []
    context = multiprocessing.get_context("spawn")
    for combination in itertools.product(*chosen.values()):
        row = dict(zip(chosen, combination, strict=True))
        ours, theirs = context.Pipe()
        process = context.Process(target=_measure, args=(options, row, theirs))
        process.start()
        theirs.close()
        try:
            rows.append(row | ours.recv())
        except EOFError:
            process.join()
            rows.append(row | {"failed": f"ended with status {process.exitcode}"})
        process.join()
        say(_line(rows[-1]))
    print("\n".join([HEADER, *map(_line, rows)]))
    name = next((row["device"].split()[0] for row in rows if "device" in row), "none")
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()}
    settings["data"] = options.data.name
    busy = {"load": os.getloadavg(), "nice": os.nice(0), "threads": os.environ.get("OMP_NUM_THREADS")}
    path = options.results / f"train-{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"rows": rows, "settings": settings | {"results": ""}, "busy": busy} | config.surroundings()
    path.write_text(json.dumps(record, indent=2) + "\n")
    say(f"figures: {path}")
    return 3 if any("failed" in row for row in rows) else 0


HEADER = "arch                        precision compile last batch | photos/s  ms/step  waiting  peak MiB"


def _line(row: dict[str, Any]) -> str:
    start = (
        f"{row['arch']:<27} {row['precision']:<9} {row['compile']:<7} {row['channels_last']:<4} {row['batch_size']:5} |"
    )
    if "failed" in row:
        return f"{start} {row['failed']}"
    speed = f"{row['photos_per_second']:8.2f} {row['ms_per_step']:8.0f} {row['waiting']:8.1%}"
    return f"{start} {speed} {row['peak_mib']:9.0f}"


def _measure(options: Options, row: dict[str, Any], answer: Any) -> None:
    try:
        answer.send(measure(options, row))
    except (InputError, RuntimeError) as error:  # a device without that precision; out of memory
        answer.send({"failed": str(error).strip().split("\n")[0]})


def measure(options: Options, row: dict[str, Any]) -> dict[str, Any]:
    """Figures of one combination, in this process."""
    import torch

    from visavis import checkpoint
    from visavis.detectors.faster_rcnn.architectures import build, norm_eps
    from visavis.training.distributed import World

    photos = Photos.load(options.data)
    names = ("data", "trainable_layers", "size", "transforms", "mosaic", "workers", "device")
    asked = {name: getattr(options, name) for name in names} | {"arch": row["arch"], "precision": row["precision"]}
    asked |= {name: row[name] == "yes" for name in ("compile", "channels_last")} | {"batch_size": row["batch_size"]}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.safetensors"
        model = build(row["arch"])
        checkpoint.save(weights, model.state_dict(), {"arch": row["arch"], "norm_eps": norm_eps(model)})
        given = config.renewed(train.Options(init=str(weights)), asked | {"lr": 0.0})
        session = train.begin(given, World(), subjects.of(row["arch"])(options.data, photos, photos[:1]))
    on = session.learner.on
    waited, times = [], []
    begun = time.perf_counter()
    for images, targets in _epochs(session):
        loaded = time.perf_counter()
        session.learner.step(images, targets)
        if on.type == "cuda":
            torch.cuda.synchronize(on)
        now = time.perf_counter()
        waited.append(loaded - begun)
        times.append(now - begun)
        begun = now
        if len(times) == options.warm_up + options.steps:
            break
    counted, waits = times[options.warm_up :], waited[options.warm_up :]
    on_gpu = on.type == "cuda"
    peak = (
        torch.cuda.max_memory_allocated(on) / 2**20
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    )
    return {
        "device": torch.cuda.get_device_name(on) if on_gpu else str(on),
        "precision_used": session.learner.precision,
        "photos_per_second": len(counted) * session.batches.batch_size / sum(counted),
        "ms_per_step": 1000 * sum(counted) / len(counted),
        "waiting": sum(waits) / sum(counted),
        "peak_mib": peak,
        "steps": len(counted),
    }


def _epochs(session: Run) -> Iterator[Any]:
    """Batches, repeated without end."""
    for epoch in itertools.count(1):
        session.batches.start(epoch, 0)
        yield from session.loader


if __name__ == "__main__":
    main(run, Options)
