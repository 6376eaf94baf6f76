"""Whether a training that is often killed ends as an undisturbed one: `python -m benchmarks.resume --data DATA`.

One run is not disturbed. Others, with the same options, are killed with SIGKILL at random moments, every second time
while they save, and resumed, until they end; then another begins, until there were `--kills` kills. After each kill the
checkpoint must load; after each end the weights must be those of the first run, bit for bit. Exit status 1 if not.
"""

import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import train
from visavis.commands.commandline import main
from visavis.errors import InputError
from visavis.messages import say
from visavis.training import config


@dataclass
class Options:
    """Kill training at random moments, resume it, and compare the weights with those of an undisturbed run."""

    data: Path = Path("data")
    """Data folder, as for train.py."""
    kills: int = 100
    """Number of kills."""
    limit: int = 32
    """Photos to train on."""
    epochs: int = 3
    """Epochs of each run."""
    batch_size: int = 4
    """Photos in a step."""
    mosaic: int = 64
    """Side of the training pictures, pixels."""
    workers: int = 1
    """Processes that load photos."""
    seed: int = 0
    """Seed of the moments, and of the training."""
    add: bool = False
    """Add to the figures of another seed that are in the folder, instead of replacing them."""
    results: Path = Path("benchmarks/results")
    """Folder for the JSON."""


def run(options: Options) -> int:
    """Kill, resume, compare; return 0 if all was as it should be."""
    from visavis import checkpoint
    from visavis.training import state

    chance = random.Random(options.seed)
    kills = during_a_save = ends = wrong = 0
    with tempfile.TemporaryDirectory(prefix="resume-") as name:
        folder = Path(name)
        asked: dict[str, Any] = {
            "arch": "mobilenet_v2_fpnlite",
            "init": "none",
            "ema": 0.9,
            "device": "cpu",
            "save_every": 0,
        }
        names = ("data", "limit", "epochs", "batch_size", "mosaic", "workers", "seed")
        asked |= {option: getattr(options, option) for option in names}
        begun = time.monotonic()
        process = _start(config.renewed(train.Options(out=folder / "alone"), asked), folder / "said")
        process.join()
        if process.exitcode:
            raise InputError(f"training ends with status {process.exitcode}: {(folder / 'said').read_text()[-300:]}")
        lasts = time.monotonic() - begun
        expected = checkpoint.load(folder / "alone" / "last.safetensors")[0]
        number, resume = 0, False
        while kills < options.kills or resume:
            out = folder / f"run{number}"
            process = _start(
                config.renewed(train.Options(out=out, resume=resume), {} if resume else asked), folder / "said"
            )
            if kills < options.kills and _wait(process, out, chance.random() < 0.5, chance.uniform(0, lasts)):
                saving = any(out.glob(".visavis-*.tmp"))
                process.kill()
                process.join()
                kills, during_a_save = kills + 1, during_a_save + saving
                resume = (out / config.NAME).exists()
                if (out / "last.safetensors").exists():
                    checkpoint.load(out / "last.safetensors")
                    state.load(out / state.NAME)
                continue
            process.join()
            weights = checkpoint.load(out / "last.safetensors")[0] if process.exitcode == 0 else {}
            equal = weights.keys() == expected.keys() and all(weights[key].equal(expected[key]) for key in expected)
            ends, wrong, number, resume = ends + 1, wrong + (not equal), number + 1, False
            say(f"{kills} kills, {ends} runs ended, {wrong} of them otherwise than the first")
    print(
        f"{kills} kills, {during_a_save} of them during a save; {ends} runs ended, {wrong} otherwise than undisturbed"
    )
    record = {"kills": kills, "during_a_save": during_a_save, "ended": ends, "wrong": wrong, "seeds": [options.seed]}
    path = options.results / "resume.json"
    if options.add and path.exists():
        before = json.loads(path.read_text())
        record = {name: before[name] + value for name, value in record.items()}
    options.results.mkdir(parents=True, exist_ok=True)
    settings = config.plain(options) | {"data": options.data.name, "results": ""}
    text = json.dumps(record | {"settings": settings} | config.surroundings(), indent=2)
    path.write_text(text + "\n")
    return 1 if wrong else 0


def _wait(process: Any, out: Path, for_a_save: bool, seconds: float) -> bool:
    """Wait that long, and then for the next save if asked to; False if the process ended meanwhile."""
    until = time.monotonic() + seconds
    while process.is_alive():
        if time.monotonic() > until and (not for_a_save or any(out.glob(".visavis-*.tmp"))):
            return True
        time.sleep(0.002)
    return False


def _start(given: train.Options, said: Path) -> Any:
    """A run in a process forked from a server that has torch loaded: it starts within a second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["train", "torchvision.models.detection", "tqdm", "torch._dynamo"])
    process = context.Process(target=_train, args=(given, said))
    process.start()
    return process


def _train(given: train.Options, said: Path) -> None:
    with said.open("a", buffering=1) as file, redirect_stderr(file):
        os.setpgrp()  # Ctrl-C is for the benchmark
        sys.exit(train.train(given))


if __name__ == "__main__":
    main(run, Options)
