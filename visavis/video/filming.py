"""Faces through a video: looked for in every so many frames, shown or covered in all of them.

Between two looks a face is drawn where a straight line puts it, and covered wherever it may be: see spans.py. A frame
that was looked at belongs to the stretch before and the one behind it, so that a face missed in one look alone stays
covered by what the looks around it found. So a copy lags one look behind, and memory holds the frames between two looks
(as decoded, half of what they take in RGB), whatever the video's length.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from visavis.boxes import Boxes, as_boxes
from visavis.faces import Faces
from visavis.images import Picture
from visavis.video.recording import Copy, Frame, Sound, Video
from visavis.video.spans import between, spanned


@dataclass(frozen=True)
class Seen:
    """What was found in a frame that was looked at."""

    frame: Frame
    picture: Picture
    faces: Faces


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
    video: Video, find: Callable[[Picture], Faces], every: int, makings: Sequence[Making] = ()
) -> Iterator[Seen]:
    """What is found in frames 0, every, 2 every ... of a video; meanwhile the copies are written.

    Where a copy is made, the last frame is looked at, too, for the sake of those before it; it is not told of unless
    it is one of these. Raises visavis.images.ImageError where the video cannot be read to its end: the files of
    `makings` are then no good.
    """
    copies: list[Copy] = []
    early: list[Sound] = []
    waiting: deque[Frame] = deque()  # the frame of the last look and those since
    last = Faces()
    behind = as_boxes([])
    whole = False

    def write(until: int, now: Faces) -> None:
        """Write what waits, of which frame `until` is the next look."""
        nonlocal behind
        stretch = spanned(last.boxes, now.boxes)
        first = waiting[0].number if waiting else 0
        while waiting:
            frame = waiting.popleft()
            share = (frame.number - first) / max(1, until - first)
            shown = replace(last, boxes=between(last.boxes, now.boxes, share))
            covered = as_boxes(np.concatenate([behind, stretch]) if frame.number == first else stretch)
            picture = frame.picture
            for making, copy in zip(makings, copies, strict=True):
                copy.show(making.paint(picture, shown, covered), frame)
        behind = stretch

    try:
        for part in video.parts():
            if isinstance(part, Sound):
                for copy in copies:
                    copy.sound(part)
                early += [part] if makings and not copies else []
                continue
            if part.number % every == 0:
                picture = part.picture
                if makings and not copies:
                    size = (picture.shape[0], picture.shape[1])
                    copies += [Copy(making.file, making.ending, video, size, making.private) for making in makings]
                    for sound in early:
                        for copy in copies:
                            copy.sound(sound)
                    early.clear()
                faces = find(picture)
                write(part.number, faces)
                last = faces
                yield Seen(part, picture, faces)
            if makings:
                waiting.append(part)
        if waiting:
            end = waiting[-1]
            write(end.number, find(end.picture) if end.number % every else last)
        whole = True
    finally:
        for copy in copies:
            copy.close(whole or video.is_camera)
