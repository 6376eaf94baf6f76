"""Looks at many photos in worker processes; a photo that kills or hangs its worker costs itself alone."""

import os
import signal
import threading
from collections.abc import Collection, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process

from clean import finders
from clean.look import Photo, Seen, Task, look

Job = tuple[Photo, Task]


def look_at_all(jobs: Collection[Job], workers: int) -> Generator[Seen, None, None]:
    """Yield what was seen of each photo, in the order in which the looks end.

    Where a worker dies, the photos that were in the works are looked at again, one at a time, each in
    a process of its own; the one that kills it again gets the reason `crashed`.
    Raises visavis.command.InputError where a finder cannot be had.
    """
    waiting = iter(jobs)
    asked = {name for _, task in jobs for name in task.finders}
    broken = True
    while broken:
        broken = False
        running: dict[Future[Seen], Job] = {}
        suspects: list[Job] = []
        with _pool(workers, asked) as pool:
            try:
                for job in waiting:
                    suspects = [job]  # until it is submitted: a broken pool takes none
                    running[_submit(pool, job)] = job
                    suspects = []
                    if len(running) >= 2 * workers:
                        yield from _finished(running)
                while running:
                    yield from _finished(running)
            except BrokenProcessPool:
                broken = True
        for job in [*running.values(), *suspects]:
            yield _look_alone(job)


def _finished(running: dict[Future[Seen], Job]) -> Iterator[Seen]:
    """Wait for the next looks to end, and yield them. Those of a broken pool stay in `running`."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        seen = future.result()
        del running[future]
        yield seen


def _look_alone(job: Job) -> Seen:
    photo, task = job
    with _pool(1, task.finders) as pool:
        try:
            return _submit(pool, job).result()
        except BrokenProcessPool:
            detail = f"the process that looked at it died, or took over {task.seconds:g} s"
            return Seen(photo.image_id, task.settings(photo), "crashed", detail)


@contextmanager
def _pool(workers: int, asked: Collection[str]) -> Iterator[ProcessPoolExecutor]:
    # A worker forked from here would inherit the locks of whatever threads (tqdm's, torch's) run here. It is forked
    # from a process without threads, which starts with the first pool and has imported what all workers need.
    context = get_context("forkserver")
    context.set_forkserver_preload(
        ["clean.look", *(finders.PRELOAD[name] for name in asked if name in finders.PRELOAD)]
    )
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(threads,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, job: Job) -> "Future[Seen]":
    """Submitting may start a process, and it inherits the signal mask: Ctrl-C is for this process alone."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_look_in_time, *job)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _look_in_time(photo: Photo, task: Task) -> Seen:
    for name in task.finders:
        finders.load(name).detector.detect([])  # it is made now, not on the photo's time
    signal.setitimer(signal.ITIMER_REAL, task.seconds)  # its signal ends the process, inside a decoder's C code too
    try:
        return look(photo, task)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _begin(threads: int) -> None:
    """In a new worker. threads: of torch and OpenMP; more than there are cores for wait for each other, spinning."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # read when torch is first imported, here with a finder
    _end_with_parent()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
