"""Faces through a video: searched for in every n-th frame, drawn or covered in all of them.

Between two searched frames a face is drawn where linear interpolation puts it, and covered wherever it may be: see
spans.py. A searched frame belongs to the stretch before it and to the one after it, so that a face missed in one of
them stays covered by what its neighbours found. A copy therefore lags one searched frame behind, and memory holds the
frames since the last one (as decoded, half of what they take in RGB). If these would take more than `ROOM`, the next
frame is searched sooner: no frame is written before the search after it has said what to cover.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from visavis.boxes import Boxes, as_boxes
from visavis.faces import Faces
from visavis.images import Picture
from visavis.video.copying import Copy
from visavis.video.recording import Frame, Sound, Video
from visavis.video.spans import between, carried, spanned

ROOM = 256_000_000
"""Bytes of decoded frames that may wait for the next search: 82 frames of 1920 x 1080, 20 of four times that."""


Paint = Callable[[Picture, Faces, Boxes, float], Picture]


@dataclass(frozen=True)
class SearchedFrame:
    """A frame to search for faces. reported: whether its faces go into the tables; other frames are searched for the
    copies alone."""

    frame: Frame
    picture: Picture
    reported: bool


@dataclass(frozen=True)
class OutputCopy:
    """A copy to make. file: an empty one, open for writing. ending: see copying.container.

    paint: changes a frame's picture, given the faces where they are about now, the boxes in which they may be, and the
    frame's time in seconds.
    private: leave out the source file's tags.
    """

    file: IO[bytes]
    ending: str
    paint: Paint
    private: bool = False


def search_and_copy(
    video: Video, every: int, makings: Sequence[OutputCopy] = (), room: int = ROOM
) -> Generator[SearchedFrame | None, Faces | None, None]:
    """Yields frames 0, every, 2 every ... of a video for searching, and writes the copies meanwhile.

    Each must be answered by its faces (`send`). None reports progress: one more frame or packet was read or written.
    With copies, the last frame is searched, too, and whichever frame comes when `room` bytes of frames wait.
    Raises visavis.errors.ImageError if the video cannot be read to its end; the files of `makings` are then not usable.
    """
    waiting = _Waiting(video, makings)
    looked, whole = -1, False
    try:
        for part in video.parts():
            yield None
            if isinstance(part, Sound):
                waiting.sound(part)
                continue
            reported = part.number % every == 0
            if reported or (makings and waiting.bytes + part.bytes > room):
                faces = yield from _faces(part, reported)
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


def _faces(frame: Frame, reported: bool) -> Generator[SearchedFrame, Faces | None, Faces]:
    faces = yield SearchedFrame(frame, frame.picture, reported)
    assert faces is not None, "the caller must send the faces"
    return faces


class _Waiting:
    """What is not written yet: the last searched frame and those since. bytes: of these frames. last: its faces."""

    def __init__(self, video: Video, makings: Sequence[OutputCopy]) -> None:
        self.frames: deque[Frame] = deque()
        self.bytes = 0
        self.last = Faces()
        self.copies: list[Copy] = []
        self._behind = as_boxes([])
        self._early: list[Sound] = []
        self._video, self._makings = video, makings

    def sound(self, sound: Sound) -> None:
        """Pass on a packet; those before the first frame wait until the copies are begun."""
        for copy in self.copies:
            copy.sound(sound)
        if self._makings and not self.copies:
            self._early.append(sound)

    def add(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.bytes += frame.bytes

    def write(self, look: Frame, now: Faces) -> Generator[None, Faces | None, None]:
        """Write the waiting frames. look: the next searched frame (or the last one), in which `now` was found."""
        if self._makings and not self.copies:
            self._begin(look)
        stretch = spanned(self.last.boxes, now.boxes)
        first = self.frames[0].number if self.frames else 0
        while self.frames:
            frame = self.frames.popleft()
            share = (frame.number - first) / max(1, look.number - first)
            shown = carried(self.last, between(self.last.boxes, now.boxes, share))
            covered = as_boxes(np.concatenate([self._behind, stretch]) if frame.number == first else stretch)
            picture = frame.picture
            for making, copy in zip(self._makings, self.copies, strict=True):
                copy.show(making.paint(picture, shown, covered, frame.seconds), frame)
            yield
        self.bytes, self._behind, self.last = 0, stretch, now

    def _begin(self, frame: Frame) -> None:
        self.copies = [Copy(one.file, one.ending, self._video, frame, one.private) for one in self._makings]
        for sound in self._early:
            for copy in self.copies:
                copy.sound(sound)
        self._early.clear()
