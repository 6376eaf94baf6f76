"""When the frames and the sound of a video are, and a copy of it as it would be redacted."""

from contextlib import suppress
from pathlib import Path

import av

from visavis import Faces
from visavis.video.copying import container
from visavis.video.recording import Frame, Video
from visavis.video.searching import OutputCopy, search_and_copy


def times(path: Path) -> list[int]:
    """Of each frame, in milliseconds, as FFmpeg reads them."""
    with av.open(str(path)) as video:
        return [round(float(frame.pts * frame.time_base) * 1000) for frame in video.decode(video=0)]


def heard(path: Path) -> list[int]:
    """Of each packet of the sound."""
    with av.open(str(path)) as video:
        return [round(float(part.pts * part.time_base) * 1000) for part in video.demux(audio=0) if part.size]


def seen(path: Path) -> list[int]:
    """The same as the tables have it."""
    with Video(path) as video:
        return [round(part.seconds * 1000) for part in video.parts() if isinstance(part, Frame)]


def copied(path: Path) -> Path:
    """A redacted copy, in the container that it would be given."""
    with Video(path) as video:
        ending = container(str(path), video)
        target = path.with_name(f"{path.name}.copy{ending}")
        with target.open("wb") as file:
            film, faces = search_and_copy(video, 5, [OutputCopy(file, ending, lambda picture, *_: picture, True)]), None
            with suppress(StopIteration):
                while True:
                    faces = Faces() if film.send(faces) else None
    return target
