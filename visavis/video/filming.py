"""Faces through a video: looked for in every so many frames, shown or covered in all of them.

Between two looks a face is drawn where a straight line puts it, and covered wherever it may be: see spans.py. A frame
that was looked at belongs to the stretch before and the one behind it, so that a face missed in one look alone stays
covered by what the looks around it found. So a copy lags one look behind, and memory holds the frames between two looks
(as decoded, half of what they take in RGB). Where these would take more than `ROOM`, the next look comes sooner: a
frame is never written before the look behind it has said what to cover.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from visavis.boxes import Boxes, as_boxes
from visavis.faces import Faces
from visavis.images import Picture
from visavis.video.copying import Copy
from visavis.video.recording import Frame, Sound, Video
from visavis.video.spans import between, spanned

ROOM = 256_000_000
"""Bytes of decoded frames that may wait for the next look: 82 frames of 1920 x 1080, 20 of four times that."""


@dataclass(frozen=True)
class Look:
    """A frame in which faces are to be found. told: it is one of those that were asked for; the others are looked at
    for the sake of the copies alone."""

    frame: Frame
    picture: Picture
    told: bool


@dataclass(frozen=True)
class Making:
    """A copy that is made. file: an empty one, open for writing. ending: its container's, see video.container.

    paint: of a frame, the faces where they are about now, and the boxes that they may be in. private: the file says
    nothing of where it comes from.
    """

    file: IO[bytes]
    ending: str
    paint: Callable[[Picture, Faces, Boxes], Picture]
    private: bool = False


def watched(
    video: Video, every: int, makings: Sequence[Making] = (), room: int = ROOM
) -> Generator[Look | None, Faces | None, None]:
    """A look at frames 0, every, 2 every ... of a video; meanwhile the copies are written.

    Each `Look` is answered by its faces (`send`). None says that some of the work is done: one frame or packet more.
    Where a copy is made, the last frame is looked at, too, for the sake of those before it, and those that come when
    `room` bytes of frames wait. Raises visavis.errors.ImageError where the video cannot be read to its end: the files
    of `makings` are then no good.
    """
    waiting = _Waiting(video, makings)
    looked, whole = -1, False
    try:
        for part in video.parts():
            yield None
            if isinstance(part, Sound):
                waiting.sound(part)
                continue
            told = part.number % every == 0
            if told or (makings and waiting.bytes + part.bytes > room):
                faces = yield from _faces(part, told)
                yield from waiting.write(part, faces)
                looked = part.number
            if makings:
                waiting.add(part)
        if waiting.frames:
            end = waiting.frames[-1]
            faces = waiting.last if end.number == looked else (yield from _faces(end, False))
            yield from waiting.write(end, faces)
        whole = True
    finally:
        for copy in waiting.copies:
            copy.close(whole or video.is_camera)


def _faces(frame: Frame, told: bool) -> Generator[Look, Faces | None, Faces]:
    faces = yield Look(frame, frame.picture, told)
    assert faces is not None, "a look is answered by its faces"
    return faces


class _Waiting:
    """What is not written yet: the frame of the last look and those since. bytes: of these frames. last: its faces."""

    def __init__(self, video: Video, makings: Sequence[Making]) -> None:
        self.frames: deque[Frame] = deque()
        self.bytes = 0
        self.last = Faces()
        self.copies: list[Copy] = []
        self._behind = as_boxes([])
        self._early: list[Sound] = []
        self._video, self._makings = video, makings

    def sound(self, sound: Sound) -> None:
        """Hand on a packet; those before the first frame wait for the copies to be begun."""
        for copy in self.copies:
            copy.sound(sound)
        if self._makings and not self.copies:
            self._early.append(sound)

    def add(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.bytes += frame.bytes

    def write(self, look: Frame, now: Faces) -> Generator[None, Faces | None, None]:
        """Write what waits, of which `look` is the next look (or the last frame), where `now` was found."""
        if self._makings and not self.copies:
            self._begin(look)
        stretch = spanned(self.last.boxes, now.boxes)
        first = self.frames[0].number if self.frames else 0
        while self.frames:
            frame = self.frames.popleft()
            share = (frame.number - first) / max(1, look.number - first)
            shown = replace(self.last, boxes=between(self.last.boxes, now.boxes, share))
            covered = as_boxes(np.concatenate([self._behind, stretch]) if frame.number == first else stretch)
            picture = frame.picture
            for making, copy in zip(self._makings, self.copies, strict=True):
                copy.show(making.paint(picture, shown, covered), frame)
            yield
        self.bytes, self._behind, self.last = 0, stretch, now

    def _begin(self, frame: Frame) -> None:
        self.copies = [Copy(one.file, one.ending, self._video, frame, one.private) for one in self._makings]
        for sound in self._early:
            for copy in self.copies:
                copy.sound(sound)
        self._early.clear()
