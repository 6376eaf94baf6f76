"""Whose turn it is: so many requests at once, those that wait in a fair order, and no queue is endless."""

from asyncio import CancelledError, Future, get_running_loop
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Busy(Exception):
    """Too many requests wait already, of this client or of all."""


class Turns:
    """Turns for clients by their names. For one event loop.

    at_once: turns under way. each, most: requests, under way and waiting, of one client and of all.
    """

    def __init__(self, at_once: int, each: int = 8, most: int = 64) -> None:
        self._free, self._each, self._most = at_once, each, most
        self._admitted: Counter[str] = Counter()
        self._waiting: dict[str, deque[Future[None]]] = {}

    @asynccontextmanager
    async def admitted(self, client: str) -> AsyncIterator[None]:
        """A request counts from here on, before its photo has come. Raises Busy."""
        if self._admitted[client] >= self._each or self._admitted.total() >= self._most:
            raise Busy
        self._admitted[client] += 1
        try:
            yield
        finally:
            self._admitted[client] -= 1
            if not self._admitted[client]:
                del self._admitted[client]

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it inside. Clients that wait have theirs in a circle, however many one asks for."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(client)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, client: str) -> None:
        turn: Future[None] = get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except CancelledError:
            if turn.done() and not turn.cancelled():  # it had just been given one
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            client, queue = next(iter(self._waiting.items()))
            del self._waiting[client]
            turn = queue.popleft()
            if queue:
                self._waiting[client] = queue  # behind the others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
