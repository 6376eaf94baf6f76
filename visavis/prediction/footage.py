"""A video, or a camera, as one input of a run: its record, with a row for each face of each frame looked at."""

import re
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np

from visavis.boxes import Boxes, clip
from visavis.command import InputError
from visavis.draw import boxes_on
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import MAX_PIXELS, ImageError, Picture
from visavis.prediction.copies import DRAWN, REDACTED, Copies
from visavis.prediction.records import Record, face_rows
from visavis.sources import Input, shown
from visavis.video.filming import Making, watched
from visavis.video.recording import SUFFIXES, Video, container

EVERY = 5
"""Frames from one look to the next."""

_ENDED = re.compile(rf"({'|'.join(map(re.escape, sorted(SUFFIXES)))})(-\d+)?$|^webcam-[^/]*$", re.IGNORECASE)
"""Places that may have been given another ending: videos' (-2 sets apart those of one name) and cameras'."""


def filmed(
    one: Input,
    find: Callable[[Picture], Faces],
    every: int = EVERY,
    min_size: float = 0,
    max_pixels: int = MAX_PIXELS,
    copies: Copies | None = None,
) -> Record:
    """Look through a video, or at a camera until it ends or KeyboardInterrupt, and write what is wanted of it.

    find: faces in a picture. min_size: shorter side, in pixels, of faces that are told of; all are redacted.
    A video that breaks off is unreadable; it has rows for the frames before, and no copy. Raises InputError where there
    is no such camera, or a copy cannot be written.
    """
    began, looks = time.perf_counter(), 0
    faces, status, reason = [], "ok", ""
    size: tuple[int | None, int | None] = (None, None)
    try:
        with ExitStack() as stack:
            video = Video.camera(one.camera, max_pixels) if one.camera else Video(one.path, max_pixels)
            stack.enter_context(video)
            makings = _makings(one, video, min_size, copies, stack) if copies is not None else []
            try:
                for seen in watched(video, lambda picture: _within(find(picture), picture), every, makings):
                    size = (seen.picture.shape[0], seen.picture.shape[1])
                    large = _large(seen.faces, min_size)
                    if copies is not None:
                        copies.write_frame(one.place, seen.frame.number, len(faces), seen.picture, large)
                    when = {"frame": seen.frame.number, "time": round(seen.frame.seconds, 3)}
                    faces += [when | face for face in face_rows(large)]
                    looks += 1
            except KeyboardInterrupt:
                if not one.camera:
                    raise
    except ImageError as error:
        status, reason = "unreadable", error.reason
    except OSError as error:  # a full disk, a name that this file system does not take
        raise InputError(f"cannot write the copy of {shown(one.path)}: {error}; give another --out") from None
    return Record(shown(one.path), status, reason, size[1], size[0], time.perf_counter() - began, faces, looks)


def copy_name(place: str, ending: str) -> str:
    """What the copy of a video is called: its place, with the container's ending if that is another.

    No two places share a name: clip.avi becomes clip.avi.mkv, and so a clip.avi.mkv becomes clip.avi.mkv.mkv.
    """
    stem = place[: -len(ending)]
    return place if place.lower().endswith(ending) and not _ENDED.search(stem) else place + ending


def _makings(one: Input, video: Video, min_size: float, copies: Copies, stack: ExitStack) -> list[Making]:
    """The copies that are wanted. They take their names when `stack` ends well."""
    ending = container(one.path, video)
    name = copy_name(one.place, ending)
    makings = []
    if copies.drawn:
        file = stack.enter_context(replaced(copies.out / DRAWN / name, "wb", durable=False))

        def draw(picture: Picture, shown: Faces, _: Boxes) -> Picture:
            return boxes_on(picture, _large(shown, min_size))

        makings.append(Making(file, ending, draw))
    if copies.redaction is not None:
        file = stack.enter_context(replaced(copies.out / REDACTED / name, "wb", durable=False))
        redact = copies.redaction
        makings.append(Making(file, ending, lambda picture, _, covered: redact(picture, Faces(covered)), private=True))
    return makings


def _within(faces: Faces, picture: Picture) -> Faces:
    boxes = clip(faces.boxes, (picture.shape[0], picture.shape[1]))
    return Faces(boxes, faces.scores, faces.keypoints, faces.attributes)


def _large(faces: Faces, min_size: float) -> Faces:
    return faces[np.asarray((faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) >= min_size)]
