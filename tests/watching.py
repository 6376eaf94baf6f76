"""Videos gone through as `predict` does it, with a function in place of the detector."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from clips import BOX, FACE

from visavis import Faces
from visavis.effects.redaction import Redaction
from visavis.video.recording import Frame, Video
from visavis.video.searching import ROOM, OutputCopy, SearchedFrame, search_and_copy


def frames(path: Path) -> list[tuple[float, np.ndarray]]:
    with Video(path) as video:
        return [(part.seconds, part.picture) for part in video.parts() if isinstance(part, Frame)]


def watch(path: Path, find, every: int, *makings: OutputCopy, room: int = ROOM) -> list[tuple[SearchedFrame, Faces]]:
    """Go through a video; every look, and what `find` said of it."""
    looks: list[tuple[SearchedFrame, Faces]] = []
    with Video(path) as video:
        film, faces = search_and_copy(video, every, makings, room), None
        with suppress(StopIteration):
            while True:
                look = film.send(faces)
                faces = find(look.picture) if look else None
                if look and faces:
                    looks.append((look, faces))
    for making in makings:
        making.file.close()
    return looks


def making(path: Path, paint, private: bool = False) -> OutputCopy:
    return OutputCopy(path.open("wb"), path.suffix, paint, private)


def redacting(path: Path, redaction: Redaction | None = None) -> OutputCopy:
    redact = redaction or Redaction("fill", grow=0)
    return making(path, lambda picture, shown, covered, _: redact(picture, Faces(covered)), private=True)


def moving(picture: np.ndarray) -> Faces:
    """The box of the face, wherever the picture has moved, by the picture itself."""
    rows = FACE[10:20].astype(int)
    shifts = [np.abs(np.roll(rows, shift, axis=1) - picture[10:20]).mean() for shift in range(300)]
    shift = int(np.argmin(shifts))
    return Faces([BOX + np.float32([shift, 0, shift, 0])])
