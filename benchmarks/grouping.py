"""How long grouping many faces by person takes, and how much memory, each number of faces in a process of its own.

    python -m benchmarks.grouping photos/ --faces 10000 50000

The faces of a folder of photos are encoded. As many as asked for are made from them: each of these faces stands for
several people, whose encodings lie around its own as those of look-alikes do, and each of these people has several
faces, which lie around theirs as those of one person do. Times are of the processor, on one core.
"""

import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

import visavis
from visavis.analysers.identity.encoders import load_encoder
from visavis.analysers.identity.encoding import Encodings
from visavis.analysers.identity.grouping import grouped, tolerance_for
from visavis.commands.commandline import main
from visavis.errors import InputError
from visavis.evaluation.memory import resident
from visavis.files import replaced
from visavis.images import find, read
from visavis.options import Count

LOOK_ALIKES, OWN = 0.4, 0.3
"""How far people lie from the face that they are made from, and faces from their person: root mean squares."""
EACH = 10
"""Faces of a person."""


@dataclass
class Options:
    """Time the grouping of many faces, and measure its memory."""

    photos: tyro.conf.Positional[Path]
    """A folder of photos whose faces are encoded."""
    faces: tuple[Count, ...] = (10_000, 50_000)
    """Numbers of faces to group."""
    out: Path = Path("grouping.json")
    """File for the figures."""


def measure(options: Options) -> int:
    """Group, print the figures and write them to `out`. Returns the exit status."""
    some = _encoded(options.photos)
    figures = []
    for faces in options.faces:
        with (
            tempfile.NamedTemporaryFile(suffix=".npy") as made,
            ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process,
        ):
            people = _make(some, faces, made.name)
            figures.append({"faces": faces, "people": people} | process.submit(_group, made.name).result())
        print(json.dumps(figures[-1]), flush=True)
    with replaced(options.out) as file:
        json.dump(figures, file, indent=2)
        file.write("\n")
    return 0


def _encoded(folder: Path) -> Encodings:
    """(N, size) of the faces of a folder."""
    detector, encoder = visavis.load_detector(), load_encoder()
    pictures = map(read, find(folder))
    found = [encoder.encode(picture, detector.detect(picture)) for picture in pictures]
    encodings = np.concatenate([np.zeros((0, encoder.size), np.float32), *found])
    known = encodings[~np.isnan(encodings).any(axis=1)]
    if not len(known):
        raise InputError(f"there is no face in {folder}")
    return known


def _make(some: Encodings, faces: int, path: str) -> int:
    """Store so many faces that are made from `some`. Returns how many people they are of."""
    random = np.random.default_rng(0)
    size = some.shape[1]
    people = some[random.integers(len(some), size=-(-faces // EACH))]
    people = people + random.normal(0, LOOK_ALIKES / size**0.5, people.shape)
    person = random.permutation(np.repeat(np.arange(len(people)), EACH)[:faces])
    np.save(path, (people[person] + random.normal(0, OWN / size**0.5, (faces, size))).astype(np.float32))
    return len(people)


def _group(path: str) -> dict[str, Any]:
    """The figures of grouping the faces stored there."""
    encodings = np.load(path)
    before, began = resident()[1], time.process_time()
    groups = grouped(encodings, tolerance_for(len(encodings)))
    seconds, after = time.process_time() - began, resident()[0]
    return {
        "groups": len(np.unique(groups)),
        "cpu_seconds": round(seconds, 2),
        "encodings_in_mb": round(encodings.nbytes / 1e6),
        "more_memory_in_mb": round(after - before),
    }


if __name__ == "__main__":
    main(measure, Options)
