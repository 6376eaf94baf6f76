"""Processes that decode photos, and save those that are whole.

The event loop that fetches hands them each body: decoding keeps a core busy, and a broken picture that brings a
decoder down, or keeps it busy for ever, costs a process and not the run. Run as a module this file is such a
process: it reads a line of JSON and bodies, writes a line of JSON, and ends with its input.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from download.photos import Photos
from visavis import images
from visavis.cores import cores

PATIENCE = 60.0
"""Seconds that a picture may take to decode."""

AT_ONCE = 8
"""Photos handed over together, at most."""

_LONGEST_ANSWER = 1 << 28  # bytes: a path for each image of an address, and the whole list may have one address

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Verdict:
    """`reason` is empty for a photo, which is saved then; else a key of `REASONS`."""

    reason: str
    columns: dict[str, Any] = field(default_factory=dict)
    """A photo's columns of downloads.csv: width, height, bytes, sha256."""
    paths: Sequence[str] = ()
    """Where it lies in the data folder, an image_id each."""


@dataclass(frozen=True)
class _Asked:
    body: bytes
    image_ids: list[str]
    answer: "asyncio.Future[Verdict]"


class Judges:
    """A process a core. Use as an asynchronous context manager.

    Whoever is idle takes what waits, several photos at once: to wake a process for each costs more than to decode it.

    data: the data folder. max_pixels: limit of a picture, judged before it is decoded.
    """

    def __init__(self, data: Path, max_pixels: int, count: int | None = None) -> None:
        self._words = ["-m", "download.judge", str(data.resolve()), str(max_pixels)]
        self._count = count or max(2, cores())  # a picture that keeps one busy does not hold up the rest
        self._waiting: asyncio.Queue[_Asked] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Judges":
        self._tasks = [asyncio.create_task(self._serve()) for _ in range(self._count)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def judge(self, body: bytes, image_ids: list[str]) -> Verdict:
        """Whether the bytes are a whole photo; if so it is on disk, for each of the images, when this returns.

        Raises OSError where it cannot be written, or no process can be started.
        """
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(_Asked(body, image_ids, answer))
        await asyncio.wait([answer, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():  # a task of ours has ended, which none does but by an error
            for task in self._tasks:
                if task.done():
                    task.result()
        return await answer

    async def _serve(self) -> None:
        """Hand what waits to a process, for ever; to a new one where it comes to grief."""
        process = await self._start()
        try:
            while True:
                several = [await self._waiting.get()]
                while len(several) < AT_ONCE and not self._waiting.empty():
                    several.append(self._waiting.get_nowait())
                if await _asked(process, several):
                    continue
                for one in several:  # one of them, but which?
                    await _end(process)
                    process = await self._start()
                    if len(several) == 1 or not await _asked(process, [one]):
                        _answer(one, {"reason": "not_image"})  # it brings its decoder down, or keeps it busy
        finally:
            await _end(process)

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *self._words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_ANSWER,
            cwd=_ROOT,
            start_new_session=True,  # Ctrl-C is for the process that fetches
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let the process finish what it writes, but not for long."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), 1.0)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _asked(process: asyncio.subprocess.Process, several: list[_Asked]) -> bool:
    """Ask and pass the answers on; False where none came, or not in time."""
    assert process.stdin is not None and process.stdout is not None
    line = json.dumps([[len(one.body), one.image_ids] for one in several]).encode()
    process.stdin.write(b"".join([line, b"\n", *(one.body for one in several)]))
    try:
        async with asyncio.timeout(PATIENCE * len(several)):
            await process.stdin.drain()
            answers = json.loads(await process.stdout.readline() or "[]")
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        return False
    for one, answer in zip(several, answers, strict=False):
        _answer(one, answer)
    return bool(answers)


def _answer(one: _Asked, answer: dict[str, Any]) -> None:
    if one.answer.done():  # nobody waits any more
        return
    if "errno" in answer:
        one.answer.set_exception(OSError(answer["errno"], answer["error"], answer["filename"]))
    else:
        one.answer.set_result(Verdict(**answer))


def _judged(body: bytes, image_ids: list[str], photos: Photos, max_pixels: int) -> dict[str, Any]:
    try:
        header = images.inspect(body, max_pixels)
    except images.ImageError as error:
        return {"reason": error.reason}
    try:
        paths = [photos.save(image_id, images.EXTENSIONS[header.format], body) for image_id in image_ids]
    except OSError as error:
        return {"errno": error.errno, "error": error.strerror, "filename": error.filename}
    found = {"width": header.width, "height": header.height, "bytes": len(body)}
    return {"reason": "", "columns": found | {"sha256": hashlib.sha256(body).hexdigest()}, "paths": paths}


def _main(data: str, max_pixels: str) -> None:
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    photos = Photos(Path(data))
    while line := sys.stdin.buffer.readline():
        answers = []
        for size, image_ids in json.loads(line):
            body = sys.stdin.buffer.read(size)
            if len(body) < size:
                return  # who asked has died
            answers.append(_judged(body, image_ids, photos, int(max_pixels)))
        sys.stdout.buffer.write(json.dumps(answers).encode() + b"\n")
        sys.stdout.buffer.flush()


def _end_with(parent: int) -> None:
    """End with the process that fetches, also in the middle of a picture that does not end."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
