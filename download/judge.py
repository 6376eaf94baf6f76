"""Photos judged, and saved where they are whole, by processes of their own.

The event loop that fetches hands them each body: decoding keeps a core busy, and a broken picture that brings a decoder
down, or keeps it busy for ever, costs a process (`visavis.workers`) and not the run.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from download.photos import Photos
from visavis import images
from visavis.cores import cores
from visavis.workers import WorkerDied, Workers

PATIENCE = 60.0
"""Seconds that a picture may take to decode, and to be saved."""

MODULES = ("download.judge", "pillow_heif")
"""What a process that judges needs, loaded once for all."""


@dataclass(frozen=True)
class Judgement:
    """`reason` is empty for a photo, which is saved then; else a key of `REASONS`."""

    reason: str
    columns: dict[str, Any] = field(default_factory=dict)
    """A photo's columns of downloads.csv: width, height, bytes, sha256."""
    paths: Sequence[str] = ()
    """Where it lies in the data folder, an image_id each."""


class Judges:
    """A process a core. Use as an asynchronous context manager.

    data: the data folder. max_pixels: limit of a picture, judged before it is decoded.
    """

    def __init__(self, data: Path, max_pixels: int, count: int | None = None) -> None:
        self._data, self._max_pixels = data.resolve(), max_pixels
        # A picture that keeps one busy does not hold up the rest.
        self._workers = Workers(count or max(2, cores()), PATIENCE, MODULES)

    async def __aenter__(self) -> "Judges":
        self._workers.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.__exit__(kind, value, trace)

    async def judge(self, body: bytes, image_ids: list[str]) -> Judgement:
        """Whether the bytes are a whole photo; if so it is on disk, for each of the images, when this returns.

        Raises OSError where it cannot be written, and InputError where no process can be started.
        """
        answer = self._workers.submit(judged, body, image_ids, self._data, self._max_pixels)
        try:
            return await asyncio.wrap_future(answer)
        except WorkerDied:  # it brings its decoder down, or keeps it busy
            return Judgement("not_image")


def judged(body: bytes, image_ids: list[str], data: Path, max_pixels: int) -> Judgement:
    """In a worker: see `Judges.judge`."""
    try:
        header = images.inspect(body, max_pixels)
    except images.ImageError as error:
        return Judgement(error.reason)
    paths = [_photos(data).save(image_id, images.EXTENSIONS[header.format], body) for image_id in image_ids]
    found = {"width": header.width, "height": header.height, "bytes": len(body)}
    return Judgement("", found | {"sha256": hashlib.sha256(body).hexdigest()}, paths)


@cache
def _photos(data: Path) -> Photos:
    return Photos(data)
