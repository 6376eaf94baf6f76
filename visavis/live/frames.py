"""Frames of a browser's camera over a WebSocket: each newest one is looked at, and its faces are the answer.

A client sends a frame as a binary message, an image file of any kind that `predict` reads, and what it asks for as a
text: a JSON object of texts, as the HTTP addresses take them. Of frames that come while one is looked at, the last is
taken next and the others are dropped; the answer tells the number of its frame, counted from 1. A frame is looked at as
was asked before it came.
"""

import asyncio
import json
import time
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from visavis.errors import InputError
from visavis.live.asking import Ask
from visavis.live.looking import Looker
from visavis.live.turns import Turns

LARGEST = 4_000_000
"""Bytes of a message."""
CONNECTIONS = 32
"""At once; one more is closed with 1013, try again later."""
IDLE = 60.0
"""Seconds without a message, and with no answer owed, after which a connection is closed: a page that is shown sends
frames all the time."""


class Frames:
    """The WebSockets of a server. turns: those that photos take, too."""

    def __init__(self, looker: Looker, turns: Turns) -> None:
        self._looker, self._turns = looker, turns
        self._open = 0

    async def serve(self, socket: WebSocket) -> None:
        """Answer one connection until it ends."""
        await socket.accept()
        if self._open >= CONNECTIONS:
            await socket.close(1013, "too many connections")
            return
        self._open += 1
        try:
            await _Talk(socket, self._looker, self._turns).hold()
        finally:
            self._open -= 1


class _Talk:
    """One connection: a task that listens, and one that looks at what is newest."""

    def __init__(self, socket: WebSocket, looker: Looker, turns: Turns) -> None:
        self._socket, self._looker, self._turns = socket, looker, turns
        self._ask: Ask | InputError = looker.ask({})
        self._watching = looker.watching()
        self._newest: tuple[int, bytes, Ask, float] | None = None
        self._came = asyncio.Event()
        self._owes = False  # an answer

    async def hold(self) -> None:
        """Until the client leaves, or has had nothing to say for long."""
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._answer())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            error = task.exception()
            if isinstance(error, TimeoutError):
                await self._socket.close(1000)
            elif error is not None and not isinstance(error, WebSocketDisconnect):
                raise error

    async def _listen(self) -> None:
        number = 0
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), IDLE)
            except TimeoutError:
                if self._owes:  # the client waits for us
                    continue
                raise
            if message["type"] == "websocket.disconnect":
                return
            if (data := message.get("bytes")) is not None:
                number += 1
                if isinstance(self._ask, InputError):  # by older parameters, a client that redacts might show too much
                    await self._socket.send_json({"frame": number, "error": str(self._ask)})
                    continue
                self._newest = number, data, self._ask, time.perf_counter()
                self._owes = True
                self._came.set()
                continue
            try:
                self._ask = await run_in_threadpool(self._asked, message.get("text") or "")
            except InputError as error:
                self._ask = error
                await self._socket.send_json({"error": str(error)})

    def _asked(self, text: str) -> Ask:
        try:
            words: Any = json.loads(text)
        except (ValueError, RecursionError):
            words = None
        if not isinstance(words, dict) or not all(isinstance(value, str) for value in words.values()):
            raise InputError("a text must be a JSON object of texts")
        return self._looker.ask(words)

    async def _answer(self) -> None:
        while True:
            await self._came.wait()
            # A connection is a client of its own: two pages from one machine have the same share.
            async with self._turns.turn(str(id(self))):
                self._came.clear()
                assert self._newest is not None
                number, data, ask, came = self._newest
                began = time.perf_counter()
                record = await run_in_threadpool(self._looker.frame, data, ask, self._watching)
            if record.status == "ok":
                answer: dict[str, Any] = {"width": record.width, "height": record.height, "faces": record.faces}
                answer["due"] = self._watching.following.due
                if self._watching.classes:
                    answer["scene"] = self._watching.classes
                if self._watching.shapes:
                    answer["shapes"] = self._watching.shapes
            else:
                answer = {"error": f"the frame cannot be read: {record.reason}"}
            times = {"waited": round(began - came, 4), "seconds": round(time.perf_counter() - began, 4)}
            await self._socket.send_json({"frame": number} | times | answer)
            self._owes = self._came.is_set()
