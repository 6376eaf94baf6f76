"""A video, or a camera, as one input of a run: its record, with a row for each face of each frame looked at.

Its frames come from a worker process (projector.py), of which no step may take longer than a photo may.
"""

import time
from collections.abc import Callable

from visavis.errors import ImageError
from visavis.faces import Faces
from visavis.images import MAX_PIXELS
from visavis.prediction import projector
from visavis.prediction.copies import Copies
from visavis.prediction.projector import Reel, Shown, State
from visavis.prediction.records import Face, Record, count_unreported, face_rows, reported, unreadable
from visavis.sight import Glimpse, Sight
from visavis.sources import Input, shown
from visavis.video.recording import Camera
from visavis.workers import WorkerDied, Workers

Progress = Callable[[str, int, int | None], None]
"""Is called with a video's path, the frames that are done, and about how many there are, if the file tells."""

EVERY = 5
"""Frames from one look to the next."""

MODULES = ("visavis.prediction.projector", "av", "scipy.optimize")
"""What the process of videos needs."""


def filmed(
    one: Input,
    find: Callable[[Glimpse], Faces],
    worker: Workers,
    every: int = EVERY,
    min_size: float = 0,
    max_pixels: int = MAX_PIXELS,
    sight: Sight = Sight(),
    copies: Copies | None = None,
    progress: Progress = lambda *_: None,
    threshold: float = 0,
) -> Record:
    """Look through a video, or at a camera until it ends or KeyboardInterrupt, and write what is wanted of it.

    find: faces in a frame, in its own pixels. worker: one process. min_size: shorter side, in pixels, of faces that
    are told of, and threshold: their lowest score; all are redacted. progress: is called at each look. A video that
    breaks off, or whose decoder hangs or crashes, is unreadable; it has rows for the frames before, and no copy. Raises
    InputError where there is no such camera, or a copy cannot be written.
    """
    camera = Camera.of(one.camera) if one.camera else None
    reel = Reel(one.path, one.place, camera, every, min_size, max_pixels, sight, copies, threshold)
    left_out = unsure = 0
    began, looks = time.perf_counter(), 0
    height, width = None, None
    faces: list[Face] = []
    fault = None
    try:
        try:
            worker.submit(projector.begin, reel).result()
            while (seen := worker.submit(projector.step, one.path).result()) is not State.ENDED:
                if not isinstance(seen, Shown):
                    continue
                progress(one.path, seen.number + 1, seen.expected)
                found = find(seen.glimpse)
                answer = worker.submit(projector.step, one.path, found).result()  # its pictures are written by then
                found = answer if isinstance(answer, Faces) else found
                height, width = seen.glimpse.height, seen.glimpse.width
                if seen.told:
                    when = {"frame": seen.number, "time": seen.seconds}
                    faces += [when | face for face in face_rows(found[reported(found, min_size, threshold)])]
                    small, doubtful = count_unreported(found, min_size, threshold)
                    left_out, unsure = left_out + small, unsure + doubtful
                    looks += 1
        except KeyboardInterrupt:
            if camera is None:
                raise
            worker.submit(projector.stop, one.path).result()
    except ImageError as error:
        fault = error
    except WorkerDied as error:
        fault = ImageError("crashed", f"{shown(one.path)}: {error}")
    seconds = time.perf_counter() - began
    status, reason = ("ok", "") if fault is None else unreadable(fault)
    return Record(shown(one.path), status, reason, width, height, seconds, faces, looks, every, left_out, unsure)
