"""From inputs to records: photos decoded ahead in workers, the network by batches, copies written in workers.

The records come in the order of the inputs, and what is in memory does not grow with their number. Which photos go
through the network together depends on the inputs alone, never on what is ready first: a run that was stopped and goes
on finds the same to the last digit.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Self

import numpy as np

from visavis import boxes
from visavis.detectors.protocol import Detector, about
from visavis.errors import ImageError, InputError, StillBusy
from visavis.faces import Faces
from visavis.images import MAX_PIXELS
from visavis.prediction.copies import Copies
from visavis.prediction.records import Record, count_unreported, crashed, face_rows, reported, unopened, unreadable
from visavis.prediction.videos import EVERY, VIDEO_MODULES, Progress, video_record
from visavis.sight import Glimpse, Sight, glimpse
from visavis.sources import Input, shown
from visavis.workers import WorkerDied, Workers

WINDOW = 4
"""Batches' worth of photos among which those of one shape are put together."""
AHEAD = 4
"""Windows that are given to the network ahead, for each batch more than one that it takes at the same time."""


@dataclass(frozen=True)
class Task:
    """What to do with each photo.

    batch_size: photos that go through the network together. min_size: pixels of the photo that the shorter side of a
    face must have. threshold: the score that it must have; what the detector finds below that is covered alone.
    max_pixels: of a photo, in all; more are not decoded. copies: what is written of it. every: frames of a video from
    one look to the next. seconds: longest that a step of a video may take.
    """

    batch_size: int = 1
    min_size: float = 0
    max_pixels: int = MAX_PIXELS
    copies: Copies | None = None
    every: int = EVERY
    seconds: float = 120
    threshold: float = 0

    @property
    def window(self) -> int:
        """Photos of which batches are made."""
        return self.batch_size * WINDOW if self.batch_size > 1 else 1


@dataclass
class _Looked:
    """An input on its way: its record, and what is still needed of it. unreported: finds that are not reported."""

    input: Input
    record: Record
    glimpse: Glimpse | None = None
    faces: Faces | None = None
    unreported: Faces | None = None


class Pipeline:
    """A detector at work, as it says itself that it is to be used (`visavis.detectors.protocol.About`).
    Where it may be interrupted, use it as a context manager: an exit in the middle of a look would be a crash."""

    def __init__(self, detector: Detector, workers: Workers, task: Task, progress: Progress = lambda *_: None) -> None:
        """progress: of videos, see visavis.prediction.videos."""
        self._progress = progress
        self.workers, self.task = workers, task
        known = about(detector)
        self.sight, self._shape, self._at_once = known.sight, known.shape, known.at_once
        self._detector = detector
        self.network = Aside(self._at_once)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if not self.network.stop(within=0.5 if interrupted else 60) and interrupted:
            raise StillBusy from None  # a slow detector, deep in its C code, cannot be told to stop

    def records(self, inputs: Sequence[Input], done: int = 0) -> Iterator[Record]:
        """The record of each input from number `done` on. Raises InputError where a copy cannot be written."""
        again = done - done % self.task.window  # the windows are those of a run from the start
        finishing: deque[tuple[Record, Future[Faces] | None]] = deque()
        with Workers(1, self.task.seconds, VIDEO_MODULES) as video_worker:  # it starts with the first video
            for looked in islice(self._looked_at(inputs[again:]), done - again, None):
                if looked.input.is_video:
                    while finishing:  # a video takes its time
                        yield _finished(*finishing.popleft())
                    yield self._filmed(looked.input, video_worker)
                    continue
                finishing.append((looked.record, self._copied(looked)))
                while finishing and (len(finishing) > 2 * self.workers.count or _is_done(finishing[0][1])):
                    yield _finished(*finishing.popleft())
            while finishing:
                yield _finished(*finishing.popleft())

    def _looked_at(self, inputs: Iterable[Input]) -> Iterator[_Looked]:
        decoded = self._decoded(inputs)
        waiting: deque[tuple[list[_Looked], list[Future[None]]]] = deque()
        while window := list(islice(decoded, self.task.window)):
            alike: dict[object, list[_Looked]] = {}
            for looked in window:
                if looked.glimpse is not None:
                    alike.setdefault(self._shape(*looked.glimpse.picture.shape[:2]), []).append(looked)
            finding = [
                self.network.start(self._find, group[start : start + self.task.batch_size])
                for group in alike.values()
                for start in range(0, len(group), self.task.batch_size)
            ]
            waiting.append((window, finding))
            # One large photo is not to keep those behind it waiting.
            if len(waiting) > AHEAD * (self._at_once - 1):
                yield from _found(waiting)
        while waiting:
            yield from _found(waiting)

    def _decoded(self, inputs: Iterable[Input]) -> Iterator[_Looked]:
        """All inputs in order; so many as a window has, and some for each worker, are decoded before they are asked
        for."""
        waiting: deque[tuple[Input, Future[tuple[Glimpse | ImageError, float]] | None]] = deque()
        for one in inputs:
            job = (
                None
                if one.reason or one.is_video
                else self.workers.submit(_look, one.path, self.sight, self.task.max_pixels, bool(self.task.copies))
            )
            waiting.append((one, job))
            if len(waiting) > self.task.window + 2 * self.workers.count:
                yield _opened(*waiting.popleft())
        while waiting:
            yield _opened(*waiting.popleft())

    def _find(self, batch: list[_Looked]) -> None:
        """Run the network, and complete what was looked at."""
        glimpses = [looked.glimpse for looked in batch if looked.glimpse is not None]
        began = time.perf_counter()
        found = self._detector.detect([one.picture for one in glimpses])
        share = (time.perf_counter() - began) / len(batch)
        for looked, seen, faces in zip(batch, glimpses, found, strict=True):
            faces = _in_photo(faces, seen)
            asked = self.task.min_size, self.task.threshold
            told = reported(faces, *asked)
            looked.faces, looked.unreported = faces[told], faces[~told]
            left_out, unsure = count_unreported(faces, *asked)
            looked.record = replace(
                looked.record,
                seconds=looked.record.seconds + share,
                faces=face_rows(looked.faces),
                left_out=left_out,
                unsure=unsure,
            )
            looked.glimpse = replace(seen, picture=seen.picture[:0].copy())  # its pixels are not needed any more

    def _filmed(self, one: Input, video_worker: Workers) -> Record:
        def find(seen: Glimpse) -> Faces:
            return _in_photo(self.network.call(self._detector.detect, [seen.picture])[0], seen)

        task = self.task
        limits = task.every, task.min_size, task.max_pixels
        record = video_record(one, find, video_worker, *limits, self.sight, task.copies, self._progress, task.threshold)
        self.network.rests(within=60)  # Ctrl-C leaves a camera in the middle of a look; an exit then would be a crash
        return record

    def _copied(self, looked: _Looked) -> "Future[Faces] | None":
        copies, seen, faces, others = self.task.copies, looked.glimpse, looked.faces, looked.unreported
        if not copies or seen is None or faces is None or others is None:
            return None
        where = looked.input.path, looked.input.place
        return self.workers.submit(_copy, copies, *where, faces, seen.digest, self.task.max_pixels, others)


_Call = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class Aside:
    """Calls in threads of their own, whose results can be waited for and not: who leaves before they are there says
    `stop`."""

    def __init__(self, threads: int = 1) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads = threads
        self._resting = threading.Condition()
        self._under_way = 0  # those that wait, too
        for _ in range(threads):
            threading.Thread(target=self._work, daemon=True).start()

    def start(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """What will hold what the function returns or raises."""
        future: Future[Any] = Future()
        with self._resting:
            self._under_way += 1
        self._calls.put((future, function, arguments))
        return future

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns or raises."""
        return self.start(function, *arguments).result()

    def rests(self, within: float) -> bool:
        """Whether all calls, if any, end in so many seconds."""
        with self._resting:
            return self._resting.wait_for(lambda: not self._under_way, within)

    def stop(self, within: float) -> bool:
        """Take no more calls and drop those that wait; whether those under way, if any, end in so many seconds. An
        exit of the program would break them off in the middle of C code, which is a crash."""
        with suppress(queue.Empty):
            while True:
                if (call := self._calls.get_nowait()) is not None:
                    call[0].cancel()
                    self._ended()
        for _ in range(self._threads):
            self._calls.put(None)
        return self.rests(within)

    def _ended(self) -> None:
        with self._resting:
            self._under_way -= 1
            self._resting.notify_all()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function, arguments = call
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 it is raised where it was called
                future.set_exception(error)
            del call, future, function, arguments  # or the last batch stays in memory until the next
            self._ended()


def _look(path: str, sight: Sight, max_pixels: int, again: bool) -> tuple[Glimpse | ImageError, float]:
    """In a worker: a photo, or what is wrong with it; and the seconds that it took. again: see `glimpse`."""
    began = time.perf_counter()
    try:
        seen: Glimpse | ImageError = glimpse(path, sight, max_pixels, again)
    except ImageError as error:
        seen = error
    except Exception as error:  # noqa: BLE001 whatever a decoder fails with, memory too, is this photo's matter alone
        seen = crashed(path, error)
    return seen, time.perf_counter() - began


def _copy(copies: Copies, path: str, *more: Any) -> Faces:
    """In a worker: `Copies.write`, whose failures that nobody foresaw are the photo's matter alone, too."""
    try:
        return copies.write(path, *more)
    except (ImageError, InputError):
        raise
    except Exception as error:  # see above
        raise crashed(path, error) from error


def _found(waiting: "deque[tuple[list[_Looked], list[Future[None]]]]") -> list[_Looked]:
    """The first of those that wait, once all was found in them."""
    window, finding = waiting.popleft()
    for batch in finding:
        batch.result()
    return window


def _opened(one: Input, job: "Future[tuple[Glimpse | ImageError, float]] | None") -> _Looked:
    if job is None:
        return _Looked(one, unopened(one))
    try:
        seen, seconds = job.result()
    except WorkerDied:
        return _Looked(one, Record(shown(one.path), "unreadable", "crashed"))
    if isinstance(seen, ImageError):
        return _Looked(one, _unreadable(shown(one.path), seen, seconds))
    note = "first_frame" if seen.animated else ""
    return _Looked(one, Record(shown(one.path), "ok", note, seen.width, seen.height, seconds), seen)


def _is_done(copying: "Future[Faces] | None") -> bool:
    return copying is None or copying.done()


def _finished(record: Record, copying: "Future[Faces] | None") -> Record:
    """The record once the photo's copies are written, with all that is known of its faces by then; a photo that could
    not be read again is unreadable after all."""
    try:
        if copying is not None:
            return replace(record, faces=face_rows(copying.result()))
    except ImageError as error:
        return _unreadable(record.path, error, record.seconds)
    except WorkerDied:
        return Record(record.path, "unreadable", "crashed", seconds=record.seconds)
    return record


def _unreadable(path: str, error: ImageError, seconds: float) -> Record:
    return Record(path, *unreadable(error), seconds=seconds)


def _in_photo(faces: Faces, seen: Glimpse) -> Faces:
    """What was found in a picture, in the pixels of the photo that it is a smaller form of."""
    placed = boxes.clip(boxes.scale(faces.boxes, seen.scale), (seen.height, seen.width))
    points = None if faces.keypoints is None else faces.keypoints * np.array(seen.scale[::-1], np.float32)
    return replace(faces, boxes=placed, keypoints=points)
