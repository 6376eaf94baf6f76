"""The server's addresses: the page, the HTTP API that /docs describes, and the WebSocket of live frames."""

import asyncio
import mimetypes
import os
import threading
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from visavis.drawing import APART, LEFT_OUT, MASKS
from visavis.effects.filters import FILTERS
from visavis.effects.redaction import CELLS, EFFECTS, SMALLEST_CELL, Redaction
from visavis.errors import InputError
from visavis.live.asking import LEAST, Ask
from visavis.live.camera import Camera
from visavis.live.frames import Frames
from visavis.live.guard import BYTES_A_SECOND, PATIENCE, Guard
from visavis.live.looking import Looker, Sent, ending, plain
from visavis.live.scratch import Scratch
from visavis.live.turns import Busy, Turns
from visavis.prediction.records import Record
from visavis.prediction.videos import VIDEO_MODULES, Progress
from visavis.sources import Input

PAGE = Path(__file__).with_name("page")

MODULES = ("visavis.prediction.pipeline", *VIDEO_MODULES)
"""What the worker processes need."""

RETRY = {"retry-after": "1"}
WRAPPED = ("multipart/form-data", "application/json")
"""What other programs take photos in. Of one file, the body is the file."""
FILES = 100
"""Of one request for a ZIP."""


class Left(Exception):
    """The client left, or its files have had their time: work on them ends at the next photo or frame."""


class Service:
    """What the addresses answer.

    at_once: photos that are worked on at the same time. video_seconds: longest that a video is worked on.
    """

    def __init__(self, looker: Looker, scratch: Scratch, at_once: int, video_seconds: float, camera: Camera | None):
        self.looker, self.scratch, self.camera = looker, scratch, camera
        self._photos, self._videos = Turns(at_once), Turns(1, each=4, most=8)
        self._video_seconds = video_seconds
        self._progress: dict[str, tuple[int, int | None]] = {}
        self.frames = Frames(looker, self._photos)

    def routes(self) -> list[Any]:
        """All addresses."""
        return [
            Route("/", page("index.html")),
            Route("/docs", page("docs.html")),
            Route("/healthz", self.health),
            Route("/v1/about", self.about),
            Route("/v1/detect", self.detect, methods=["POST"]),
            Route("/v1/copy", self.copy, methods=["POST"]),
            Route("/v1/results", self.results, methods=["POST"]),
            Route("/v1/progress/{key}", self.progress),
            Route("/v1/camera", self.show_camera),
            WebSocketRoute("/v1/live", self.live),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]

    async def health(self, request: Request) -> Response:
        """Whether the server answers."""
        return JSONResponse({"status": "ok"})

    async def about(self, request: Request) -> Response:
        """What the page offers, and how it draws; threshold and covering are those of the detector that is asked for,
        or of the server's own."""
        redaction, ask = Redaction(), await self._ask(request)
        finder = self.looker.finders[ask.detector]
        return JSONResponse(
            {
                "detectors": self.looker.finders.names,
                "detector": ask.detector,
                "threshold": finder.threshold,
                "covering": finder.covering,
                "least": LEAST,
                "analysers": self.looker.analysers,
                "effects": {name: effect.oval for name, effect in EFFECTS.items()},
                "filters": [*FILTERS] if self.looker.filters else [],
                "redaction": {"grow": redaction.grow, "cells": CELLS, "smallest": SMALLEST_CELL},
                "colours": {"boxes": APART, "mask": MASKS},
                "untold": LEFT_OUT,
                "camera": self.camera is not None,
                "classifier": self.looker.classifier.name if self.looker.classifier is not None else None,
            }
        )

    async def detect(self, request: Request) -> Response:
        """The record of a photo or a video."""
        ask = await self._ask(request)

        def work(sent: Sent, progress: Progress) -> Response:
            return _of_record(self.looker.record(sent, ask, progress))

        return await self._with_one(request, work)

    async def copy(self, request: Request) -> Response:
        """A copy of a photo or a video: drawn, redacted, or with filters."""
        ask = await self._ask(request)
        if (ask.draw, bool(ask.redact), bool(ask.filter)).count(True) != 1:
            raise HTTPException(400, "give one of draw=true, redact with an effect, and filter with names")

        def work(sent: Sent, progress: Progress) -> Response:
            record, path = self.looker.copy(sent, ask, sent.path.parent / "out", progress)
            if path is None:
                return _of_record(record)
            kind = mimetypes.guess_type(path.name)[0] or ""
            kind = kind if kind.startswith(("image/", "video/")) else "application/octet-stream"
            facts = {"faces": len(record.faces), "unsure": record.unsure, "frames": record.frames}
            named = {f"visavis-{name}": str(value) for name, value in facts.items() if value is not None}
            return FileResponse(path, media_type=kind, headers=named)

        return await self._with_one(request, work)

    async def results(self, request: Request) -> Response:
        """A ZIP of the tables and copies of several files."""
        ask = await self._ask(request)
        async with AsyncExitStack() as stack:
            folder = await self._admitted(stack, request)
            form = await stack.enter_async_context(request.form(max_files=FILES, max_fields=0))
            uploads = [upload for upload in form.getlist("files") if isinstance(upload, UploadFile)]
            if not uploads:
                raise HTTPException(400, "send the files as multipart/form-data, each in a field `files`")
            sent = []
            for number, upload in enumerate(uploads):
                one = Sent(folder / f"{number}{ending(upload.filename or '')}", plain(upload.filename or ""))
                await run_in_threadpool(_save, upload, one.path)
                sent.append(one)

            def work(progress: Progress) -> Response:
                archive = self.looker.results(sent, ask, folder / "results", progress)
                return FileResponse(archive, media_type="application/zip", filename="visavis.zip")

            long = len(sent) > 1 or any(map(_is_video, sent))
            return _Sent(await self._worked(stack, request, long, work), stack.pop_all())

    async def progress(self, request: Request) -> Response:
        """How far the request with that key is, whose sender made it up."""
        done, expected = self._progress.get(request.path_params["key"], (0, None))
        return JSONResponse({"done": done, "expected": expected})

    async def show_camera(self, request: Request) -> Response:
        """The server's camera, as MJPEG."""
        if self.camera is None:
            raise HTTPException(404, "this server has no camera; start it with --camera")
        ask = await self._ask(request)
        if ask.redact and ask.filter:
            raise HTTPException(400, "give one of redact and filter: filters do not make a face unrecognisable")
        try:
            return self.camera.response(ask)
        except Busy:
            raise HTTPException(429, "too many watch the camera; try again later", RETRY) from None

    async def live(self, socket: WebSocket) -> None:
        """Frames of a browser's camera."""
        await self.frames.serve(socket)

    async def _ask(self, request: Request) -> Ask:
        try:
            return await run_in_threadpool(self.looker.ask, request.query_params)
        except InputError as error:
            raise HTTPException(400, str(error)) from None

    async def _with_one(self, request: Request, work: Callable[[Sent, Progress], Response]) -> Response:
        """Take the one file that is sent, and answer with what `work` makes of it."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in WRAPPED:
            raise HTTPException(415, f"send the photo's or the video's own bytes as the body, not {kind}")
        async with AsyncExitStack() as stack:
            folder = await self._admitted(stack, request)
            name = request.query_params.get("name", "")
            sent = Sent(folder / f"0{ending(name)}", plain(name))
            with sent.path.open("wb") as file:
                async for part in request.stream():
                    file.write(part)
            answer = await self._worked(stack, request, _is_video(sent), lambda progress: work(sent, progress))
            return _Sent(answer, stack.pop_all())

    async def _admitted(self, stack: AsyncExitStack, request: Request) -> Path:
        """A folder for what is sent. Raises HTTPException 429 where too much is under way."""
        try:
            await stack.enter_async_context(self._photos.admitted(_client(request)))
        except Busy:
            await request.scope["visavis.drain"]()
            raise HTTPException(429, "too many requests at once; try again soon", RETRY) from None
        return stack.enter_context(self.scratch.folder())

    async def _worked(
        self, stack: AsyncExitStack, request: Request, long: bool, work: Callable[[Progress], Response]
    ) -> Response:
        """Have a turn and do the work in a thread. long: it goes with the videos, of which there is one at a time."""
        client, gone = _client(request), threading.Event()
        key = request.query_params.get("progress", "")[:64]

        def progress(path: str, done: int, expected: int | None) -> None:
            if gone.is_set():
                raise Left
            if key:
                self._progress[key] = done, expected

        try:
            if long:
                await stack.enter_async_context(self._videos.admitted(client))
            turns = self._videos if long else self._photos
            async with turns.turn(client), _watched(request, gone, self._video_seconds):
                return await run_in_threadpool(work, progress)
        except Busy:
            raise HTTPException(429, "too many videos at once; try again soon", RETRY) from None
        except Left:
            raise HTTPException(413, f"it takes longer than {self._video_seconds:g} seconds") from None
        finally:
            self._progress.pop(key, None)


def application(service: Service, hosts: Collection[str] | None, token: str | None, most: int) -> ASGIApp:
    """The whole as an ASGI application. hosts, token, most: see visavis.live.guard.Guard."""
    errors = {HTTPException: _said, ClientDisconnect: _nobody}
    return Guard(Starlette(routes=service.routes(), exception_handlers=errors), hosts, token, most)  # type: ignore[bad-argument-type]


def page(name: str) -> Callable[[Request], Any]:
    """An address that is a file of the page."""

    async def shown(request: Request) -> Response:
        return FileResponse(PAGE / name)

    return shown


class _Sent(Response):
    """An answer, and what it needs until it was sent: its file goes then, also where the client does not take it."""

    def __init__(self, answer: Response, stack: AsyncExitStack) -> None:
        super().__init__()
        self._answer, self._stack = answer, stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = os.path.getsize(self._answer.path) if isinstance(self._answer, FileResponse) else 0
        async with self._stack:
            with suppress(TimeoutError):  # the connection ends with an answer that is not whole
                async with asyncio.timeout(PATIENCE + size / BYTES_A_SECOND):
                    await self._answer(scope, receive, send)


@asynccontextmanager
async def _watched(request: Request, gone: threading.Event, seconds: float) -> AsyncIterator[None]:
    """Meanwhile `gone` is set once the client has left, or after so many seconds."""

    async def watch() -> None:
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until and not await request.is_disconnected():
            await asyncio.sleep(0.5)
        gone.set()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


def _of_record(record: Record) -> Response:
    """A record as `visavis predict --stdout jsonl` prints it. What cannot be read is the client's fault: 422."""
    return Response(record.as_json() + "\n", 200 if record.status == "ok" else 422, media_type="application/json")


def _save(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        while part := upload.file.read(1 << 20):
            file.write(part)


def _is_video(sent: Sent) -> bool:
    return Input(str(sent.path)).is_video


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


async def _said(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)


async def _nobody(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # the client left while it was sending: nobody hears this
