"""Inspects many photos in worker processes, except those whose inspection in a journal still holds.

The photos may be a shard of a larger table, because each inspection is of one photo alone. Several machines can inspect
a shard each, with their own journals; the concatenated journals serve for judging (`clean.verdicts`).
"""

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from clean import finders, journal
from clean.inspection import Inspection, ListedPhoto, Task, inspect, prepare
from visavis.cores import cores
from visavis.journal import Journal
from visavis.messages import counted, say
from visavis.workers import WorkerDied, Workers

SECONDS = 120.0
"""A process that takes longer for one photo is ended."""

_MODULES = ("clean.inspection", "imagehash", "scipy.fftpack", "simplejpeg")  # what an inspection imports
_AHEAD = 50  # inspections per worker that may wait for one that takes long


def inspect_all(
    photos: Sequence[ListedPhoto], task: Task, path: Path, workers: int | Literal["auto"]
) -> journal.Inspections:
    """The inspections of the photos, in their order; new ones are added to the journal at `path`.

    A photo that kills its worker, or takes longer than `SECONDS`, gets the reason `crashed`; the next run tries it
    again. Raises visavis.errors.InputError if a finder cannot be loaded, or no process can be started.
    """
    keys = {name: finders.load(name).key for name in task.finders}
    places = journal.places(path, photos)
    waiting = array("q")
    for number, photo in enumerate(photos):
        before = journal.read(path, places[number]) if places[number] >= 0 else None
        if before is None or not before.still_holds(photo, task):
            places[number] = -1
            waiting.append(number)
        elif before.unasked(keys) or not before.complete():
            waiting.append(number)
    if known := len(photos) - len(waiting):
        say(f"of {counted(len(photos), 'photo')}, {counted(known, 'was', 'were')} judged before, with no change since")
    # A process that must load torch takes as long to start as ten photos take.
    count = min(cores(), len(waiting) // 10) if workers == "auto" else min(workers, len(waiting))

    def jobs() -> Iterator[tuple[ListedPhoto, Task]]:
        for number in waiting:
            before = journal.read(path, places[number]) if places[number] >= 0 else None
            yield photos[number], replace(task, finders=before.unasked(keys)) if before else task

    with (
        Workers(max(1, count), SECONDS, _MODULES, partial(prepare, *task.finders)) as pool,
        Journal(path) as file,
        tqdm(total=len(waiting), desc="clean", unit=" photos", smoothing=0.05, disable=not waiting) as bar,
    ):
        for number, inspection in zip(waiting, _inspections(pool, jobs()), strict=True):
            before = journal.read(path, places[number]) if places[number] >= 0 else None
            places[number] = file.add(vars(before.joined(inspection) if before else inspection))
            bar.update()
    return journal.Inspections(photos, path, places)


def _inspections(pool: Workers, jobs: Iterable[tuple[ListedPhoto, Task]]) -> Iterator[Inspection]:
    """The inspection of each, in order."""
    ahead: deque[tuple[ListedPhoto, Task, Future[Inspection]]] = deque()
    for photo, task in jobs:
        ahead.append((photo, task, pool.submit(inspect, photo, task)))
        if len(ahead) > _AHEAD * pool.count:
            yield _inspected(*ahead.popleft())
    while ahead:
        yield _inspected(*ahead.popleft())


def _inspected(photo: ListedPhoto, task: Task, answer: "Future[Inspection]") -> Inspection:
    try:
        return answer.result()
    except WorkerDied as death:
        return Inspection(photo.image_id, task.settings(photo), "crashed", f"during its inspection: {death}")
