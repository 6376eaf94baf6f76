"""From inputs to records: workers decode photos ahead, the network takes them in batches, workers write the copies.

The records come in the order of the inputs, and memory does not grow with their number. Which photos form a batch
depends on the inputs alone, never on what is ready first, so that a resumed run finds the same faces to the last digit.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Self

import numpy as np

from visavis import boxes
from visavis.detectors.merging import SAME, merged, together
from visavis.detectors.protocol import Detector, about
from visavis.errors import ImageError, InputError, StillBusy
from visavis.faces import Faces
from visavis.images import MAX_PIXELS
from visavis.prediction.call_threads import CallThreads
from visavis.prediction.copies import Copies
from visavis.prediction.records import Record, count_unreported, crashed, face_rows, reported, unopened, unreadable
from visavis.prediction.videos import VIDEO_MODULES, Progress, video_record
from visavis.reduced_photos import ReducedPhoto, UsefulSize, read_reduced_photo
from visavis.sources import Input, shown
from visavis.workers import WorkerDied, Workers

WINDOW = 4
"""Photos of one shape are put together in batches within windows of so many batches."""
AHEAD = 4
"""Windows that are queued for the network ahead, for each further batch that it takes at the same time."""


@dataclass(frozen=True)
class Task:
    """What to do with each photo.

    batch_size: photos that go through the network together. min_size: shorter side, in pixels of the photo, of the
    smallest face to report. threshold: lowest score to report; faces that the detector finds below it are redacted
    only. max_pixels: photos with more pixels are not decoded. copies: the pictures to write of each photo. every: every
    how many frames a video is searched, by default as searching.every_of has it. seconds: time limit of a step of a
    video.
    """

    batch_size: int = 1
    min_size: float = 0
    max_pixels: int = MAX_PIXELS
    copies: Copies | None = None
    every: int | None = None
    seconds: float = 120
    threshold: float = 0

    @property
    def window(self) -> int:
        """The number of photos among which batches are formed."""
        return self.batch_size * WINDOW if self.batch_size > 1 else 1


@dataclass
class _Item:
    """An input on its way, with its record. unreported: faces that are redacted but not reported."""

    input: Input
    record: Record
    reduced: ReducedPhoto | None = None
    faces: Faces | None = None
    unreported: Faces | None = None


class Pipeline:
    """Runs a detector in the way that its `visavis.detectors.protocol.About` asks for.

    If it may be interrupted, use it as a context manager: it waits for the network, since an exit of the program in the
    middle of its C code would be a crash.
    """

    def __init__(
        self,
        detector: Detector,
        workers: Workers,
        task: Task,
        progress: Progress = lambda *_: None,
        network: CallThreads | None = None,
    ) -> None:
        """progress: of videos, see visavis.prediction.videos. network: the threads that call the detector, where
        several pipelines share them; whoever made them stops them."""
        self._progress = progress
        self.workers, self.task = workers, task
        known = about(detector)
        self.useful_size, self._shape, self._at_once = known.useful_size, known.shape, known.at_once
        self._detector = detector
        self.network = network or CallThreads(self._at_once)
        self._shares = network is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if not self._shares and not self.network.stop(within=0.5 if interrupted else 60) and interrupted:
            raise StillBusy from None  # a slow detector, deep in its C code, cannot be stopped

    def records(self, inputs: Sequence[Input], done: int = 0) -> Iterator[Record]:
        """The record of each input from number `done` on. Raises InputError if a copy cannot be written."""
        again = done - done % self.task.window  # the same windows as in a run from the start
        finishing: deque[tuple[Record, Future[Faces] | None]] = deque()
        with Workers(1, self.task.seconds, VIDEO_MODULES) as video_worker:  # it starts with the first video
            for item in islice(self._searched(inputs[again:]), done - again, None):
                if item.input.is_video:
                    while finishing:  # a video takes long
                        yield _finished(*finishing.popleft())
                    yield self._filmed(item.input, video_worker)
                    continue
                finishing.append((item.record, self._copied(item)))
                while finishing and (len(finishing) > 2 * self.workers.count or _is_done(finishing[0][1])):
                    yield _finished(*finishing.popleft())
            while finishing:
                yield _finished(*finishing.popleft())

    def _searched(self, inputs: Iterable[Input]) -> Iterator[_Item]:
        decoded = self._decoded(inputs)
        waiting: deque[tuple[list[_Item], list[Future[None]]]] = deque()
        while window := list(islice(decoded, self.task.window)):
            alike: dict[object, list[_Item]] = {}
            for item in window:
                if item.reduced is not None:
                    alike.setdefault(self._shape(*item.reduced.picture.shape[:2]), []).append(item)
            finding = [
                self.network.start(self._find, group[start : start + self.task.batch_size])
                for group in alike.values()
                for start in range(0, len(group), self.task.batch_size)
            ]
            waiting.append((window, finding))
            # A large photo must not hold up those behind it.
            if len(waiting) > AHEAD * (self._at_once - 1):
                yield from _found(waiting)
        while waiting:
            yield from _found(waiting)

    def _decoded(self, inputs: Iterable[Input]) -> Iterator[_Item]:
        """All inputs in order. A window of them, and some for each worker, are decoded ahead."""
        waiting: deque[tuple[Input, Future[tuple[ReducedPhoto | ImageError, float]] | None]] = deque()
        for one in inputs:
            job = (
                None
                if one.reason or one.is_video
                else self.workers.submit(_decode, one.path, self.useful_size, self.task.max_pixels, self.task.copies)
            )
            waiting.append((one, job))
            if len(waiting) > self.task.window + 2 * self.workers.count:
                yield _opened(*waiting.popleft())
        while waiting:
            yield _opened(*waiting.popleft())

    def _find(self, batch: list[_Item]) -> None:
        """Run the network on a batch, and complete its items."""
        photos = [item.reduced for item in batch if item.reduced is not None]
        began = time.perf_counter()
        found = self._detector.detect([one.picture for one in photos])
        share = (time.perf_counter() - began) / len(batch)
        for item, photo, faces in zip(batch, photos, found, strict=True):
            faces = _in_photo(faces, photo)
            limits = self.task.min_size, self.task.threshold
            mask = reported(faces, *limits)
            left_out, unsure = count_unreported(faces, *limits)
            hidden = self._hidden(photo, faces)
            item.faces, item.unreported = faces[mask], together([faces[~mask], hidden])
            item.record = replace(
                item.record,
                seconds=item.record.seconds + share,
                faces=face_rows(item.faces),
                left_out=left_out,
                unsure=unsure + len(hidden),
            )
            item.reduced = replace(photo, picture=photo.picture[:0].copy(), otherwise=())  # frees the pixels

    def _hidden(self, photo: ReducedPhoto, faces: Faces) -> Faces:
        """What is found in other appearances of a photo and is none of these faces."""
        if not photo.otherwise:
            return Faces()
        found = merged([_in_photo(some, photo) for some in self._detector.detect(list(photo.otherwise))])
        return found[(boxes.iou(found.boxes, faces.boxes) < SAME).all(axis=1)]

    def _filmed(self, one: Input, video_worker: Workers) -> Record:
        def find(photo: ReducedPhoto) -> Faces:
            return _in_photo(self.network.call(self._detector.detect, [photo.picture])[0], photo)

        task = self.task
        limits = task.every, task.min_size, task.max_pixels
        record = video_record(
            one, find, video_worker, *limits, self.useful_size, task.copies, self._progress, task.threshold
        )
        if one.camera:  # after Ctrl-C the network may be busy; an exit now would be a crash
            self.network.wait(within=60)
        return record

    def _copied(self, item: _Item) -> "Future[Faces] | None":
        copies, photo, faces, others = self.task.copies, item.reduced, item.faces, item.unreported
        if not copies or photo is None or faces is None or others is None:
            return None
        where = item.input.path, item.input.place
        return self.workers.submit(_copy, copies, *where, faces, photo.digest, self.task.max_pixels, others)


def _decode(
    path: str, useful_size: UsefulSize, max_pixels: int, copies: Copies | None
) -> tuple[ReducedPhoto | ImageError, float]:
    """In a worker: a photo, or what is wrong with it, and the seconds that it took."""
    began, redacts = time.perf_counter(), copies is not None and copies.redaction is not None
    try:
        photo: ReducedPhoto | ImageError = read_reduced_photo(path, useful_size, max_pixels, bool(copies), redacts)
    except ImageError as error:
        photo = error
    except Exception as error:  # noqa: BLE001 any failure of a decoder, a lack of memory too, concerns this photo alone
        photo = crashed(path, error)
    return photo, time.perf_counter() - began


def _copy(copies: Copies, path: str, *more: Any) -> Faces:
    """In a worker: `Copies.write`, whose unexpected failures concern this photo alone, too."""
    try:
        return copies.write(path, *more)
    except (ImageError, InputError):
        raise
    except Exception as error:  # see above
        raise crashed(path, error) from error


def _found(waiting: "deque[tuple[list[_Item], list[Future[None]]]]") -> list[_Item]:
    """The first of the waiting windows, once the network is done with it."""
    window, finding = waiting.popleft()
    for batch in finding:
        batch.result()
    return window


def _opened(one: Input, job: "Future[tuple[ReducedPhoto | ImageError, float]] | None") -> _Item:
    if job is None:
        return _Item(one, unopened(one))
    try:
        photo, seconds = job.result()
    except WorkerDied:
        return _Item(one, Record(shown(one.path), "unreadable", "crashed"))
    if isinstance(photo, ImageError):
        return _Item(one, _unreadable(shown(one.path), photo, seconds))
    note = "first_frame" if photo.animated else ""
    return _Item(one, Record(shown(one.path), "ok", note, photo.width, photo.height, seconds), photo)


def _is_done(copying: "Future[Faces] | None") -> bool:
    return copying is None or copying.done()


def _finished(record: Record, copying: "Future[Faces] | None") -> Record:
    """The record once the photo's copies are written, with what the analysers added to its faces. A photo that could
    not be read a second time is unreadable."""
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


def _in_photo(faces: Faces, photo: ReducedPhoto) -> Faces:
    """The faces that were found in a reduced photo, in the pixels of the photo itself."""
    placed = boxes.clip(boxes.scale(faces.boxes, photo.scale), (photo.height, photo.width))
    points = None if faces.keypoints is None else faces.keypoints * np.array(photo.scale[::-1], np.float32)
    return replace(faces, boxes=placed, keypoints=points)
