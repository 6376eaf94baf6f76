"""Faces through a video: searched for in every n-th frame, drawn or covered in all of them.

Between two searched frames a face is drawn where linear interpolation puts it, and covered wherever it may be: see
spans.py and covering.py. A searched frame belongs to the stretch before it and to the one after it, so that a face
missed in one of them stays covered by what its neighbours found. A copy therefore lags one searched frame behind, and
more where a face is missed that may come back, and memory holds the frames since then (as decoded, half of what they
take in RGB). If these would take more than `ROOM`, the next frame is searched sooner: no frame is written before the
search after it has said what to cover.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from visavis.boxes import Boxes, as_boxes, covered
from visavis.faces import Faces
from visavis.images import Picture
from visavis.video.copying import Copy
from visavis.video.covering import Cover
from visavis.video.recording import Frame, Sound, Video
from visavis.video.spans import between, carried, spanned

ROOM = 256_000_000
"""Bytes of decoded frames that may wait for the next search: 82 frames of 1920 x 1080, 20 of four times that."""

EVERY, LOOKS = 5, 5
"""Every fifth frame of a video is searched, unless that is much less than five times a second, or another number is
asked for."""

WITHIN = 0.999
"""A box of which at least so much lies in another one that is covered needs no cover of its own."""

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


def every_of(rate: float | None) -> int:
    """Every how many frames to search a video of so many frames a second, if that is known: where these are few, more
    happens from one to the next, and a face that is seen in four of them alone must not be missed."""
    return EVERY if rate is None else max(1, min(EVERY, round(rate / LOOKS)))


def search_and_copy(
    video: Video, every: int, makings: Sequence[OutputCopy] = (), room: int = ROOM
) -> Generator[SearchedFrame | None, Faces | None, None]:
    """Yields frames 0, every, 2 every ... of a video for searching, and writes the copies meanwhile.

    Each must be answered by its faces (`send`). None reports progress: one more frame or packet was read or written.
    With copies, the last frame is searched, too, and whichever frame comes when `room` bytes of frames wait.
    Raises visavis.errors.ImageError if the video cannot be read to its end; the files of `makings` are then not usable.
    """
    waiting = _Waiting(video, makings, room)
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
                yield from waiting.look(part, faces)
                looked = part.number
            if makings:
                waiting.add(part)
        if waiting.frames:
            end = waiting.frames[-1]
            faces = waiting.last if end.number == looked else (yield from _faces(end, False))
            yield from waiting.look(end, faces, is_last=True)
        whole = True
    except GeneratorExit:
        if video.is_camera:
            waiting.flush()
        raise
    finally:
        for copy in waiting.copies:
            copy.close(whole or video.is_camera)


def _faces(frame: Frame, reported: bool) -> Generator[SearchedFrame, Faces | None, Faces]:
    faces = yield SearchedFrame(frame, frame.picture, reported)
    assert faces is not None, "the caller must send the faces"
    return faces


@dataclass
class _Stretch:
    """The frames from one searched frame on, up to the next one. after, end: the faces of that, and its number, once it
    was searched; they are then ready to be written."""

    before: Faces
    start: float
    frames: deque[Frame] = field(default_factory=deque)
    after: Faces | None = None
    end: int = 0


class _Waiting:
    """What is not written yet: the frames since the last searched one, and those before which it is still open where a
    face went. bytes: of these frames. last: the faces of the last searched frame."""

    def __init__(self, video: Video, makings: Sequence[OutputCopy], room: int) -> None:
        self.bytes = 0
        self.last = Faces()
        self.copies: list[Copy] = []
        self._stretches = deque([_Stretch(Faces(), 0.0)])
        self._cover = Cover()
        self._behind = as_boxes([])
        self._early: list[Sound] = []
        self._video, self._makings, self._room = video, makings, room

    @property
    def frames(self) -> deque[Frame]:
        """Those since the last searched frame, and it."""
        return self._stretches[-1].frames

    def sound(self, sound: Sound) -> None:
        """Pass on a packet; those before the first frame wait until the copies are begun."""
        for copy in self.copies:
            copy.sound(sound)
        if self._makings and not self.copies:
            self._early.append(sound)

    def add(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.bytes += frame.bytes

    def look(self, look: Frame, now: Faces, is_last: bool = False) -> Generator[None, Faces | None, None]:
        """Write the frames of which all is known now. look: the next searched frame (or the last one), in which `now`
        was found. Those that wait for a face to come back are written, too, where they take half of the room."""
        self.last = now
        if not self._makings:
            return
        if not self.copies:
            self._begin(look)
        stretch = self._stretches[-1]
        stretch.after, stretch.end = now, look.number
        if not is_last or look.seconds > stretch.start:
            self._cover.look(now, look.seconds, look.size)
        self._stretches.append(_Stretch(now, look.seconds))
        while (first := self._stretches[0]).after is not None:
            if not (is_last or self.bytes > self._room / 2 or self._cover.is_settled(first.start)):
                return
            yield from self.write()

    def write(self) -> Generator[None, Faces | None, None]:
        """Write the frames of the first stretch, by what is known by now."""
        stretch = self._stretches.popleft()
        before, after = stretch.before, stretch.after
        assert after is not None, "its end was not searched yet"
        span, more = spanned(before.boxes, after.boxes), self._cover.boxes(stretch.start)
        more = more[covered(more, span).max(axis=1, initial=0) < WITHIN]
        covers = as_boxes(np.concatenate([span, more]))
        first = stretch.frames[0].number if stretch.frames else 0
        while stretch.frames:
            frame = stretch.frames.popleft()
            share = (frame.number - first) / max(1, stretch.end - first)
            shown = carried(before, between(before.boxes, after.boxes, share))
            hidden = as_boxes(np.concatenate([self._behind, covers])) if frame.number == first else covers
            picture = frame.picture
            self.bytes -= frame.bytes
            for making, copy in zip(self._makings, self.copies, strict=True):
                copy.show(making.paint(picture, shown, hidden, frame.seconds), frame)
            yield
        self._behind = covers
        self._cover.forget(stretch.start)

    def flush(self) -> None:
        """Write all frames that were followed by a searched one."""
        while self._stretches[0].after is not None:
            deque(self.write(), maxlen=0)

    def _begin(self, frame: Frame) -> None:
        self.copies = [Copy(one.file, one.ending, self._video, frame, one.private) for one in self._makings]
        for sound in self._early:
            for copy in self.copies:
                copy.sound(sound)
        self._early.clear()
