"""A video in a worker process, which opens it, decodes it step by step and writes its copies.

The network stays in the main process (videos.py), which requests one step after another and sends the faces of each
frame that was searched. So a video that hangs or crashes its decoder ends this process and not the run. A worker has
one video open at a time.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from visavis import images
from visavis.analysers.identity.steady import SteadyNames
from visavis.boxes import Boxes
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture
from visavis.prediction.analysis import captions
from visavis.prediction.best_crops import BestCrops
from visavis.prediction.copies import CROPS, DRAWN, FILTERED, REDACTED, Copies
from visavis.prediction.frames import Kept, copy_name
from visavis.prediction.records import crashed, reported
from visavis.prediction.strips import Strips
from visavis.reduced_photos import ReducedPhoto, UsefulSize
from visavis.sources import shown
from visavis.video.copying import container
from visavis.video.recording import Camera, Video
from visavis.video.searching import OutputCopy, Paint, every_of, search_and_copy
from visavis.video.steadying import Steadier
from visavis.video.tracking import NAMED, Tracker

STEP = 0.5
"""Seconds after which a step returns even if it has not reached the next frame to search."""


@dataclass(frozen=True)
class VideoTask:
    """A video and what to do with it. place: the name of its copies. useful_size: the size at which the detector takes
    frames."""

    path: str
    place: str
    camera: Camera | None
    every: int | None
    min_size: float
    max_pixels: int
    useful_size: UsefulSize
    copies: Copies | None
    threshold: float = 0

    def reports(self, faces: Faces) -> NDArray[np.bool_]:
        """(N,) which are large enough and have scores that are high enough to be reported."""
        return reported(faces, self.min_size, self.threshold)


@dataclass(frozen=True)
class FrameToSearch:
    """A frame to find faces in, perhaps reduced. every: how many frames lie from one that is reported to the next.
    reported: see visavis.video.searching.SearchedFrame. expected: about how many frames the video has, or None if the
    file does not say."""

    number: int
    every: int
    seconds: float
    reported: bool
    reduced: ReducedPhoto
    expected: int | None = None


class State(Enum):
    """What a step returns that has reached no frame to search."""

    MORE = "there is more to decode"
    ENDED = "the video has ended, and its copies have their final names"


_Film = Generator[FrameToSearch | Faces | None, Faces | None, None]
_under_way: dict[str, _Film] = {}  # state kept between a worker's calls: by path, one video at most


def begin(task: VideoTask) -> None:
    """Open a video."""
    _under_way.clear()  # closes one that was not read to its end, whose copies are discarded
    _under_way[task.path] = _film(task)


def step(path: str, faces: Faces | None = None) -> FrameToSearch | Faces | State:
    """Decode up to the next frame to search, or for `STEP` seconds. faces: those of the frame before, in its pixels;
    they are returned with the attributes that the analysers give them, and each with its `track`.

    Raises ImageError, and InputError if a copy cannot be written or there is no such camera.
    """
    until = time.monotonic() + STEP
    with _explained(path):
        try:
            while True:
                seen = _under_way[path].send(faces)
                if seen is not None:
                    return seen
                if faces is not None or time.monotonic() > until:
                    return State.MORE
        except StopIteration:
            return State.ENDED


def stop(path: str) -> None:
    """Stop reading a video that was opened: a camera's copies get their final names. Raises as `step` does."""
    if path in _under_way:
        with _explained(path):
            _under_way[path].close()


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Raise whatever fails inside as ImageError or InputError."""
    try:
        yield
    except (ImageError, InputError):
        raise
    except OSError as error:  # a full disk, a name that the file system rejects
        raise InputError(f"cannot write the copy of {shown(path)}: {error}; give another `out`") from None
    except Exception as error:  # any failure of a decoder, a lack of memory too, concerns this video alone
        raise crashed(path, error) from error


def _film(task: VideoTask) -> _Film:
    with ExitStack() as stack:
        source = Video.camera(task.camera, task.max_pixels) if task.camera else Video(task.path, task.max_pixels)
        video = stack.enter_context(source)
        copies = _copies(task, video, stack) if task.copies is not None else []
        if task.copies is not None:
            task.copies.forget_frames(task.place)
        every = task.every or every_of(video.rate)
        film = search_and_copy(video, every, copies)
        pictures = _Pictures(task)
        faces, steadier, names, tracker = None, Steadier(), SteadyNames(), Tracker(identity=NAMED)
        try:
            while True:
                look = film.send(faces)
                faces = None
                if look is None:
                    yield None
                    continue
                reduced = _reduced(look.picture, task.useful_size)
                number, seconds = look.frame.number, round(look.frame.seconds, 3)
                expected = video.expected(number, seconds)
                faces = yield FrameToSearch(number, every, seconds, look.reported, reduced, expected)
                if faces is not None and task.copies is not None and (look.reported or task.copies.drawn):
                    faces = task.copies.analysis(look.picture, faces)
                    if task.copies.points:
                        faces = steadier.steady(faces, look.frame.seconds)
                    if task.camera is not None:  # it shows one scene, a video perhaps many
                        faces = names.of_faces(faces, look.frame.seconds)
                if faces is not None:
                    sure = task.reports(faces)
                    tracks = tracker.follow(faces, look.frame.seconds, sure & look.reported)
                    faces = replace(faces, attributes={"track": tracks, **faces.attributes})
                    if look.reported:
                        pictures.write(look.frame.number, look.picture, faces[sure])
                yield faces  # the pictures of this frame are written by now, whatever follows
        except StopIteration:
            return
        except GeneratorExit:
            film.close()
            if task.camera is None:
                raise


class _Pictures:
    """Writes the pictures of a video's frames that go into the tables, and those of its people."""

    def __init__(self, task: VideoTask) -> None:
        self._place, self._copies, self._kept, self._faces = task.place, task.copies, Kept(), 0
        self._strips = self._best = None
        if task.copies is not None and task.copies.strips:
            self._strips = Strips(task.copies.out, task.place)
        if task.copies is not None and task.copies.crops is not None and task.copies.crops.order == "best":
            self._best = BestCrops(task.copies.out / CROPS, task.place, task.copies.crops)

    def write(self, frame: int, picture: Picture, faces: Faces) -> None:
        """Take the next frame, and the faces in it that are reported. Raises OSError."""
        if self._copies is None:
            return
        self._copies.write_frame(self._place, frame, self._faces, picture, faces, self._kept)
        if self._strips is not None:
            self._strips.look(frame, picture, faces)
        if self._best is not None:
            self._best.look(picture, faces, captions(faces))
        self._faces += len(faces)


def _reduced(picture: Picture, useful_size: UsefulSize) -> ReducedPhoto:
    height, width = picture.shape[:2]
    size = useful_size.size(height, width)
    return ReducedPhoto(images.resize(picture, size), height, width, (height / size[0], width / size[1]), False)


def _copies(task: VideoTask, video: Video, stack: ExitStack) -> list[OutputCopy]:
    """The copies to write. They get their final names when `stack` exits without an error."""
    assert task.copies is not None
    ending = container(task.path, video)
    name = copy_name(task.place, ending)

    def made(folder: str, paint: Paint, private: bool) -> OutputCopy:
        file = stack.enter_context(replaced(task.copies.out / folder / name, "wb", durable=False))
        return OutputCopy(file, ending, paint, private)

    def paint_boxes(picture: Picture, faces: Faces, *_: object) -> Picture:
        return task.copies.boxes_on(picture, faces[task.reports(faces)]) if task.copies is not None else picture

    copies = []
    if task.copies.drawn:
        copies.append(made(DRAWN, paint_boxes, False))
    if task.copies.redaction is not None:
        redact = task.copies.redaction
        copies.append(made(REDACTED, lambda picture, _, covered, __: redact(picture, Faces(covered)), True))
    if task.copies.filtering is not None:
        filtering, steadier = task.copies.filtering, Steadier()

        def paint_filters(picture: Picture, faces: Faces, _: Boxes, seconds: float) -> Picture:
            # Points are found in this frame: those that were carried to it are not its own.
            some = replace(faces[task.reports(faces)], keypoints=None, errors=None)
            return filtering(picture, some, lambda found: steadier.steady(found, seconds))

        copies.append(made(FILTERED, paint_filters, False))
    return copies
