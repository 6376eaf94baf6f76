"""A video in a worker process: opened there, gone through step by step, its copies written.

The network is in the main process (footage.py), which asks for one step after the other and sends the faces of each
look. So a video that hangs or kills its decoder ends this process and not the run. One is under way at a time.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum

from visavis import images
from visavis.boxes import Boxes
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture
from visavis.prediction.copies import DRAWN, REDACTED, Copies
from visavis.prediction.frames import Kept, copy_name
from visavis.prediction.records import crashed, reported
from visavis.sight import Glimpse, Sight
from visavis.sources import shown
from visavis.video.copying import container
from visavis.video.filming import Making, watched
from visavis.video.recording import Camera, Video

STEP = 0.5
"""Seconds after which a step that has not come to a look yet comes back all the same."""


@dataclass(frozen=True)
class Reel:
    """A video and what is wanted of it. place: of its copies. sight: what the detector has use for of a frame."""

    path: str
    place: str
    camera: Camera | None
    every: int
    min_size: float
    max_pixels: int
    sight: Sight
    copies: Copies | None
    threshold: float = 0

    def reported(self, faces: Faces) -> Faces:
        """Those large and sure enough to be reported."""
        return faces[reported(faces, self.min_size, self.threshold)]


@dataclass(frozen=True)
class Shown:
    """A frame to find faces in, perhaps smaller than it is. told: see visavis.video.filming.Look. expected: about how
    many frames the video has, None where it does not tell."""

    number: int
    seconds: float
    told: bool
    glimpse: Glimpse
    expected: int | None = None


class State(Enum):
    """How far a video is when a step has come to no look."""

    ON = "there is more"
    ENDED = "it is at its end, and its copies have their names"


_Film = Generator[Shown | Faces | None, Faces | None, None]
_under_way: dict[str, _Film] = {}  # a worker's calls have nothing else in common; by the path, and one at most


def begin(reel: Reel) -> None:
    """Put a video in."""
    _under_way.clear()  # one that was not gone through to its end: its copies go
    _under_way[reel.path] = _film(reel)


def step(path: str, faces: Faces | None = None) -> Shown | Faces | State:
    """Go on to the next look, or for a while. faces: those of the look before, in the frame's pixels; the answer to
    them are the same with what was asked of each.

    Raises ImageError, and InputError where a copy cannot be written or there is no such camera.
    """
    until = time.monotonic() + STEP
    with _explained(path):
        try:
            while True:
                seen = _under_way[path].send(faces)
                if seen is not None:
                    return seen
                if faces is not None or time.monotonic() > until:
                    return State.ON
        except StopIteration:
            return State.ENDED


def stop(path: str) -> None:
    """End what is under way before its end, if it had begun: a camera's copies get their names. Raises as `step`."""
    if path in _under_way:
        with _explained(path):
            _under_way[path].close()


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """What fails inside as ImageError or InputError."""
    try:
        yield
    except (ImageError, InputError):
        raise
    except OSError as error:  # a full disk, a name that this file system does not take
        raise InputError(f"cannot write the copy of {shown(path)}: {error}; give another `out`") from None
    except Exception as error:  # whatever a decoder fails with, memory too, is this video's matter alone
        raise crashed(path, error) from error


def _film(reel: Reel) -> _Film:
    with ExitStack() as stack:
        source = Video.camera(reel.camera, reel.max_pixels) if reel.camera else Video(reel.path, reel.max_pixels)
        video = stack.enter_context(source)
        makings = _makings(reel, video, stack) if reel.copies is not None else []
        if reel.copies is not None:
            reel.copies.forget_frames(reel.place)
        film = watched(video, reel.every, makings)
        kept, told, faces = Kept(), 0, None
        try:
            while True:
                look = film.send(faces)
                faces = None
                if look is None:
                    yield None
                    continue
                glimpse = _glimpse(look.picture, reel.sight)
                faces = yield Shown(look.frame.number, round(look.frame.seconds, 3), look.told, glimpse, video.expected)
                if faces is not None and reel.copies is not None and (look.told or reel.copies.drawn):
                    faces = reel.copies.analysis(look.picture, faces)
                if faces is not None and look.told and reel.copies is not None:
                    some = reel.reported(faces)
                    reel.copies.write_frame(reel.place, look.frame.number, told, look.picture, some, kept)
                    told += len(some)
                yield faces  # what is told of has its pictures now, whether or not there is anything behind it
        except StopIteration:
            return
        except GeneratorExit:
            film.close()
            if reel.camera is None:
                raise


def _glimpse(picture: Picture, sight: Sight) -> Glimpse:
    height, width = picture.shape[:2]
    size = sight.size(height, width)
    smaller = picture if size == (height, width) else images.resize(picture, size)
    return Glimpse(smaller, height, width, (height / size[0], width / size[1]), False)


def _makings(reel: Reel, video: Video, stack: ExitStack) -> list[Making]:
    """The copies that are wanted. They take their names when `stack` ends well."""
    assert reel.copies is not None
    ending = container(reel.path, video)
    name = copy_name(reel.place, ending)

    def made(folder: str, paint: Callable[[Picture, Faces, Boxes], Picture], private: bool) -> Making:
        file = stack.enter_context(replaced(reel.copies.out / folder / name, "wb", durable=False))
        return Making(file, ending, paint, private)

    def paint_boxes(picture: Picture, faces: Faces, _: Boxes) -> Picture:
        return reel.copies.boxes_on(picture, reel.reported(faces)) if reel.copies is not None else picture

    makings = []
    if reel.copies.drawn:
        makings.append(made(DRAWN, paint_boxes, False))
    if reel.copies.redaction is not None:
        redact = reel.copies.redaction
        makings.append(made(REDACTED, lambda picture, _, covered: redact(picture, Faces(covered)), True))
    return makings
