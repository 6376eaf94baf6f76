"""A video, or a camera, as one input of a run: its record, with a row for each face in each frame that was searched.

A worker process (video_worker.py) decodes it, and each of its steps has the time limit of a photo.
"""

import time
from collections.abc import Callable

from visavis.errors import ImageError
from visavis.faces import Faces
from visavis.images import MAX_PIXELS
from visavis.prediction import video_worker
from visavis.prediction.copies import Copies
from visavis.prediction.records import Face, Record, count_unreported, face_rows, reported, unreadable
from visavis.prediction.video_worker import FrameToSearch, State, VideoTask
from visavis.reduced_photos import ReducedPhoto, UsefulSize
from visavis.sources import Input, shown
from visavis.video.recording import Camera
from visavis.workers import WorkerDied, Workers

Progress = Callable[[str, int, int | None], None]
"""Is called with a video's path, the number of frames done, and about how many there are, if the file says so."""

VIDEO_MODULES = ("visavis.prediction.video_worker", "av", "scipy.optimize")
"""Modules that the worker process for videos imports."""


def video_record(
    one: Input,
    find: Callable[[ReducedPhoto], Faces],
    worker: Workers,
    every: int | None = None,
    min_size: float = 0,
    max_pixels: int = MAX_PIXELS,
    useful_size: UsefulSize = UsefulSize(),
    copies: Copies | None = None,
    progress: Progress = lambda *_: None,
    threshold: float = 0,
) -> Record:
    """Find the faces in a video, or in a camera's picture until it ends or KeyboardInterrupt, and write the copies.

    find: returns the faces in a frame, in the frame's own pixels. worker: one process. min_size: shorter side, in
    pixels, of the smallest face to report; threshold: the lowest score to report; all faces are redacted. every: see
    searching.every_of, by default. progress: is called for each frame that is searched. A video that breaks off, or
    whose decoder hangs or crashes, is unreadable; it has rows for the frames before that, and no copy. Raises
    InputError if there is no such camera, or a copy cannot be written.
    """
    camera = Camera.of(one.camera) if one.camera else None
    task = VideoTask(one.path, one.place, camera, every, min_size, max_pixels, useful_size, copies, threshold)
    left_out = unsure = 0
    began, looks = time.perf_counter(), 0
    height, width = None, None
    faces: list[Face] = []
    fault = None
    try:
        try:
            worker.submit(video_worker.begin, task).result()
            while (step := worker.submit(video_worker.step, one.path).result()) is not State.ENDED:
                if not isinstance(step, FrameToSearch):
                    continue
                progress(one.path, step.number + 1, step.expected)
                found = find(step.reduced)
                answer = worker.submit(video_worker.step, one.path, found).result()  # writes its pictures
                found = answer if isinstance(answer, Faces) else found
                height, width, every = step.reduced.height, step.reduced.width, step.every
                if step.reported:
                    when = {"frame": step.number, "time": step.seconds}
                    faces += [when | face for face in face_rows(found[reported(found, min_size, threshold)])]
                    small, doubtful = count_unreported(found, min_size, threshold)
                    left_out, unsure = left_out + small, unsure + doubtful
                    looks += 1
        except KeyboardInterrupt:
            if camera is None:
                raise
            worker.submit(video_worker.stop, one.path).result()
    except ImageError as error:
        fault = error
    except WorkerDied as error:
        fault = ImageError("crashed", f"{shown(one.path)}: {error}")
    seconds = time.perf_counter() - began
    status, reason = ("ok", "") if fault is None else unreadable(fault)
    return Record(shown(one.path), status, reason, width, height, seconds, faces, looks, every, left_out, unsure)
