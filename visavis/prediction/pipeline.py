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
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import boxes
from visavis.command import InputError, say
from visavis.detectors import Detector
from visavis.faces import Faces
from visavis.images import MAX_PIXELS, ImageError, Picture
from visavis.prediction.copies import Copies
from visavis.prediction.footage import EVERY, filmed
from visavis.prediction.records import Record, face_rows, unopened
from visavis.sight import Glimpse, Sight, glimpse
from visavis.sources import Input, shown
from visavis.workers import WorkerDied, Workers

WINDOW = 4
"""Batches' worth of photos among which those of one shape are put together."""


@dataclass(frozen=True)
class Task:
    """What to do with each photo.

    batch_size: photos that go through the network together. min_size: pixels of the photo that the shorter side of a
    face must have. max_pixels: of a photo, in all; more are not decoded. copies: what is written of it. every: frames
    of a video from one look to the next.
    """

    batch_size: int = 1
    min_size: float = 0
    max_pixels: int = MAX_PIXELS
    copies: Copies | None = None
    every: int = EVERY

    @property
    def window(self) -> int:
        """Photos of which batches are made."""
        return self.batch_size * WINDOW if self.batch_size > 1 else 1


@dataclass
class _Looked:
    """An input on its way: its record, and what is still needed of it. small: faces below the least size."""

    input: Input
    record: Record
    glimpse: Glimpse | None = None
    faces: Faces | None = None
    small: Faces | None = None


class Pipeline:
    """A detector at work. It may tell `sight` (see visavis.sight), the most pixels that it has use for, and
    `network_shape(height, width)`, what photos must have in common to go through it together.
    """

    def __init__(self, detector: Detector, workers: Workers, task: Task) -> None:
        self.workers, self.task = workers, task
        self.sight: Sight = getattr(detector, "sight", Sight())
        self._shape: Callable[[int, int], object] = getattr(detector, "network_shape", lambda *size: size)
        self._detector = detector
        self.network = Aside()

    def records(self, inputs: Sequence[Input], done: int = 0) -> Iterator[Record]:
        """The record of each input from number `done` on. Raises InputError where a copy cannot be written."""
        again = done - done % self.task.window  # the windows are those of a run from the start
        finishing: deque[tuple[Record, Future[None] | None]] = deque()
        for looked in islice(self._looked_at(inputs[again:]), done - again, None):
            if looked.input.is_video:
                while finishing:  # a video takes its time
                    yield _finished(*finishing.popleft())
                yield self._filmed(looked.input)
                continue
            finishing.append((looked.record, self._copied(looked)))
            while finishing and (len(finishing) > 2 * self.workers.count or _is_done(finishing[0][1])):
                yield _finished(*finishing.popleft())
        while finishing:
            yield _finished(*finishing.popleft())

    def _looked_at(self, inputs: Iterable[Input]) -> Iterator[_Looked]:
        decoded = self._decoded(inputs)
        while window := list(islice(decoded, self.task.window)):
            alike: dict[object, list[_Looked]] = {}
            for looked in window:
                if looked.glimpse is not None:
                    alike.setdefault(self._shape(*looked.glimpse.picture.shape[:2]), []).append(looked)
            for group in alike.values():
                for start in range(0, len(group), self.task.batch_size):
                    self._find(group[start : start + self.task.batch_size])
            yield from window

    def _decoded(self, inputs: Iterable[Input]) -> Iterator[_Looked]:
        """All inputs in order; so many as a window has, and some for each worker, are decoded before they are asked
        for."""
        waiting: deque[tuple[Input, Future[tuple[Glimpse | ImageError, float]] | None]] = deque()
        for one in inputs:
            job = (
                None
                if one.reason or one.is_video
                else self.workers.submit(_look, one.path, self.sight, self.task.max_pixels)
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
        found = self.network.call(self._detector.detect, [one.picture for one in glimpses])
        share = (time.perf_counter() - began) / len(batch)
        for looked, seen, faces in zip(batch, glimpses, found, strict=True):
            faces = _in_photo(faces, seen)
            large = _is_large(faces, self.task.min_size)
            looked.faces, looked.small = faces[large], faces[~large]
            seconds = looked.record.seconds + share
            looked.record = replace(looked.record, seconds=seconds, faces=face_rows(looked.faces))
            looked.glimpse = replace(seen, picture=seen.picture[:0])  # its pixels are not needed any more

    def _filmed(self, one: Input) -> Record:
        def find(picture: Picture) -> Faces:
            return self.network.call(self._detector.detect, [picture])[0]

        task = self.task
        record = filmed(one, find, task.every, task.min_size, task.max_pixels, task.copies)
        self.network.rests(within=60)  # Ctrl-C leaves a camera in the middle of a look; an exit then would be a crash
        return record

    def _copied(self, looked: _Looked) -> "Future[None] | None":
        copies, seen, faces, small = self.task.copies, looked.glimpse, looked.faces, looked.small
        if not copies or seen is None or faces is None or small is None:
            return None
        where = looked.input.path, looked.input.place
        return self.workers.submit(_copy, copies, *where, faces, seen.stamp, self.task.max_pixels, small)


class Aside:
    """Calls in a thread of its own, one at a time. Waiting for one can be interrupted, and no exit waits for it."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = queue.SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=self._work, daemon=True).start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns or raises."""
        future: Future[Any] = Future()
        self._idle.clear()
        self._calls.put((future, function, arguments))
        return future.result()

    def rests(self, within: float) -> bool:
        """Whether the call under way, if any, ends in so many seconds."""
        return self._idle.wait(within)

    def _work(self) -> None:
        while True:
            future, function, arguments = self._calls.get()
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 it is raised where it was called
                future.set_exception(error)
            del future, function, arguments  # or the last batch stays in memory until the next
            self._idle.set()


def _look(path: str, sight: Sight, max_pixels: int) -> tuple[Glimpse | ImageError, float]:
    """In a worker: a photo, or what is wrong with it; and the seconds that it took."""
    began = time.perf_counter()
    try:
        seen: Glimpse | ImageError = glimpse(path, sight, max_pixels)
    except ImageError as error:
        seen = error
    except Exception as error:  # noqa: BLE001 whatever a decoder fails with, memory too, is this photo's matter alone
        seen = _crashed(path, error)
    return seen, time.perf_counter() - began


def _copy(copies: Copies, path: str, *more: Any) -> None:
    """In a worker: `Copies.write`, whose failures that nobody foresaw are the photo's matter alone, too."""
    try:
        copies.write(path, *more)
    except (ImageError, InputError):
        raise
    except Exception as error:  # see above
        raise _crashed(path, error) from error


def _crashed(path: str, error: Exception) -> ImageError:
    return ImageError("crashed", f"{shown(path)}: {type(error).__name__}: {' '.join(str(error).split())}")


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


def _is_done(copying: "Future[None] | None") -> bool:
    return copying is None or copying.done()


def _finished(record: Record, copying: "Future[None] | None") -> Record:
    """The record once the photo's copies are written; one that could not be read again is unreadable after all."""
    try:
        if copying is not None:
            copying.result()
    except ImageError as error:
        return _unreadable(record.path, error, record.seconds)
    except WorkerDied:
        return Record(record.path, "unreadable", "crashed", seconds=record.seconds)
    return record


def _unreadable(path: str, error: ImageError, seconds: float) -> Record:
    if error.reason == "crashed":  # the keyword says too little of what nobody foresaw
        say(error.detail)
    return Record(path, "unreadable", error.reason, seconds=seconds)


def _in_photo(faces: Faces, seen: Glimpse) -> Faces:
    """What was found in a picture, in the pixels of the photo that it is a smaller form of."""
    placed = boxes.clip(boxes.scale(faces.boxes, seen.scale), (seen.height, seen.width))
    points = None if faces.keypoints is None else faces.keypoints * np.array(seen.scale[::-1], np.float32)
    return replace(faces, boxes=placed, keypoints=points)


def _is_large(faces: Faces, min_size: float) -> NDArray[np.bool_]:
    return (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) >= min_size
