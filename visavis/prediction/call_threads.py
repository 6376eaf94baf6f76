"""Calls in threads of their own, for which the main thread waits only as long as it wants to."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

_Call = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class CallThreads:
    """So many daemon threads, which take one call after another. Unlike those of ThreadPoolExecutor, they do not keep
    the program from ending; call `stop` before it ends."""

    def __init__(self, threads: int = 1) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads = threads
        self._changed = threading.Condition()
        self._unfinished = 0  # calls, those in the queue included
        for _ in range(threads):
            threading.Thread(target=self._work, daemon=True).start()

    def start(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Queue a call, and return the future of its result."""
        future: Future[Any] = Future()
        with self._changed:
            self._unfinished += 1
        self._calls.put((future, function, arguments))
        return future

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what the function returns, or raise what it raises."""
        return self.start(function, *arguments).result()

    def wait(self, within: float) -> bool:
        """Wait for all calls. Returns whether they ended within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._unfinished, within)

    def stop(self, within: float) -> bool:
        """Take no more calls, cancel those in the queue and wait for those that run. Returns whether these ended within
        so many seconds: if not, the program would crash if it ended now, in the middle of C code."""
        with suppress(queue.Empty):
            while True:
                if (call := self._calls.get_nowait()) is not None:
                    call[0].cancel()
                    self._finished()
        for _ in range(self._threads):
            self._calls.put(None)
        return self.wait(within)

    def _finished(self) -> None:
        with self._changed:
            self._unfinished -= 1
            self._changed.notify_all()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function, arguments = call
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 it is raised where the call came from
                future.set_exception(error)
            del call, future, function, arguments  # or the last batch stays in memory until the next
            self._finished()
