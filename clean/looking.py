"""What is to be seen of many photos: from a journal where that still holds, else looked at now, in worker processes.

The photos may be a shard of a larger table's: each look is of one photo alone. Several machines look at a shard each,
with a journal of their own; whoever puts the journals together has one of all, and judges from it (`clean.verdicts`).
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
from clean.look import Photo, Seen, Task, look, prepare
from visavis.cores import cores
from visavis.journal import Journal
from visavis.messages import say
from visavis.workers import WorkerDied, Workers

SECONDS = 120.0
"""A process that takes longer over one photo is ended."""

_MODULES = ("clean.look", "imagehash", "scipy.fftpack", "simplejpeg")  # what a look imports
_AHEAD = 50  # looks for each worker that may wait for one that takes long


def look_at_all(photos: Sequence[Photo], task: Task, path: Path, workers: int | Literal["auto"]) -> journal.Looks:
    """A look at each photo, in their order; those that are new are added to the journal at `path`.

    A photo that kills its worker, or takes longer than `SECONDS`, gets the reason `crashed`; the next run tries it
    again. Raises visavis.errors.InputError where a finder cannot be had, or no process.
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
        say(f"{known} of {len(photos)} photos were judged before and have not changed")
    # A process that must load torch takes as long to start as ten photos do.
    count = min(cores(), len(waiting) // 10) if workers == "auto" else min(workers, len(waiting))

    def jobs() -> Iterator[tuple[Photo, Task]]:
        for number in waiting:
            before = journal.read(path, places[number]) if places[number] >= 0 else None
            yield photos[number], replace(task, finders=before.unasked(keys)) if before else task

    with (
        Workers(max(1, count), SECONDS, _MODULES, partial(prepare, *task.finders)) as pool,
        Journal(path) as file,
        tqdm(total=len(waiting), desc="clean", unit=" photos", smoothing=0.05, disable=not waiting) as bar,
    ):
        for number, seen in zip(waiting, _looks(pool, jobs()), strict=True):
            before = journal.read(path, places[number]) if places[number] >= 0 else None
            places[number] = file.add(vars(before.joined(seen) if before else seen))
            bar.update()
    return journal.Looks(photos, path, places)


def _looks(pool: Workers, jobs: Iterable[tuple[Photo, Task]]) -> Iterator[Seen]:
    """What was seen of each, in order."""
    ahead: deque[tuple[Photo, Task, Future[Seen]]] = deque()
    for photo, task in jobs:
        ahead.append((photo, task, pool.submit(look, photo, task)))
        if len(ahead) > _AHEAD * pool.count:
            yield _seen(*ahead.popleft())
    while ahead:
        yield _seen(*ahead.popleft())


def _seen(photo: Photo, task: Task, answer: "Future[Seen]") -> Seen:
    try:
        return answer.result()
    except WorkerDied as death:
        return Seen(photo.image_id, task.settings(photo), "crashed", f"while it was looked at: {death}")
