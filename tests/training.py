"""A small data folder of real photos, and training runs on it, in this process or in ones of their own.

Those are forked from a server that has torch loaded: real processes, which can be killed, without the seconds that
loading takes.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from forked import context_with_torch
from PIL import Image
from skimage import data

import train
from dataset import tables
from dataset.checks import fingerprint
from visavis import checkpoint
from visavis.detectors.faster_rcnn.kind import ARCHS
from visavis.training import config
from visavis.training.distributed import World
from visavis.training.history import History
from visavis.training.run import Run
from visavis.training.validation import Validation

FACES = ((75, 50, 180, 185), (80, 45, 170, 180))

RECORD = {
    "config.json",
    "first_batches.png",
    "metrics.jsonl",
    "state.pt",
    "curves.png",
    "best.safetensors",
    "last.safetensors",
}
"""Files that a run of any subject leaves."""


def make_folder(folder: Path, people: int = 10, side: int = 96) -> Path:
    """People with one small photo each, no two alike."""
    picture = Image.fromarray(data.astronaut()).crop((100, 20, 340, 260))
    scale = side / 240
    labels = []
    for number in range(people):
        path = folder / "images" / f"P{number}/1.png"
        path.parent.mkdir(parents=True)
        picture.rotate(2 * number).resize((side, side)).save(path)
        x1, y1, x2, y2 = (scale * value for value in FACES[0])
        labels.append({"image_id": f"P{number}/1", "identity": f"P{number}", "x1": x1, "y1": y1, "x2": x2, "y2": y2})
    tables.write(folder / "labels.csv", labels)
    return folder


def options(folder: Path, out: Path, **more: Any) -> train.Options:
    """Options of a run of a second on the CPU: seven photos to train on, three for validation."""
    common: dict[str, Any] = {
        "arch": "mobilenet_v2_fpnlite",
        "init": "none",
        "epochs": 1,
        "batch_size": 2,
        "workers": 0,
        "device": "cpu",
    }
    if more.get("arch", common["arch"]) in ARCHS:
        common["size"] = 64
    return config.renewed(train.Options(), {"data": folder, "out": out, "val": 0.3, "test": 0.0} | common | more)


def learn(given: train.Options) -> int:
    """`train.train(given)` without its pictures."""
    with no_pictures():
        return train.train(given)


@contextmanager
def no_pictures() -> Iterator[None]:
    """A context in which runs draw nothing, which takes longer than so few steps: for tests that look at no picture."""
    drawing = ((Run, "draw_first"), (History, "chart"), (Validation, "show"))
    with ExitStack() as stack:
        for owner, name in drawing:
            stack.enter_context(mock.patch.object(owner, name))
        yield


def interrupt(given: train.Options, steps: int) -> None:
    """Do the first steps of a run and save, as a signal has it: what is left is to be resumed."""
    subject = train.learnt(given)
    run = train.begin(given, World(), subject)
    run.batches.start(1)
    for images, targets in islice(run.loader, steps):
        run.learner.step(images, targets)
    given.out.mkdir()
    data = fingerprint(given.data, subject.photos, subject.held_out)
    config.write(given.out, {"options": config.plain(given), "data": data} | run.described)
    run.save()


def weights(out: Path, name: str = "last.safetensors") -> dict[str, torch.Tensor]:
    """The weights that a run left."""
    return checkpoint.load(out / name)[0]


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    """Whether all weights are the same, bit for bit."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def start(given: train.Options, said: Path, **environment: str) -> Any:
    """`train.train(given)` in a process of its own; what it says goes to the file `said`."""
    process = context_with_torch().Process(target=_run, args=(given, said, environment))
    process.start()
    return process


def _run(given: train.Options, said: Path, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    # As in a terminal: tests in the background ignore Ctrl-C, and clean's starts the one fork server with it blocked.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with said.open("a", buffering=1) as file, redirect_stderr(file):
        try:
            status = train.train(given)
        except ValueError as error:
            print(error, file=sys.stderr)
            status = 2
    sys.exit(status)
