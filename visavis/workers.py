"""Worker processes that take one call after another; one that dies or hangs costs the call that it was at alone.

A worker is a new Python that shares nothing with this one but a pipe: it has no thread's locks to inherit, Ctrl-C is
not for it, and it ends with whoever started it, however that ends.
"""

import contextlib
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class WorkerDied(Exception):
    """The process that was at a call ended before it was done, or was ended because it took too long."""


class Workers:
    """So many processes. Use as a context manager; they start when there is something to do.

    seconds: a call that takes longer ends its process. prepare: a function, and what to call it with, that a worker
    calls once before all else, however long that takes. Functions go by their names: they must be importable.
    """

    def __init__(self, count: int, seconds: float, prepare: tuple[Callable[..., object], ...] = ()) -> None:
        self.count = count
        self._seconds = seconds
        self._prepare = prepare
        self._idle: deque[_Worker] = deque()
        self._all: set[_Worker] = set()
        self._threads = ThreadPoolExecutor(count, "worker")  # each waits for one process

    def submit(
        self, function: Callable[Arguments, Answer], *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> "Future[Answer]":
        """Call the function in the next worker that is free. The future raises what it raises, or WorkerDied."""
        return self._threads.submit(self._call, function, arguments, named)

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self._prepare)
            self._all.add(worker)
        try:
            done, answer = worker.ask((function, arguments, named), self._seconds)
        except WorkerDied:
            self._all.discard(worker)
            worker.end()
            raise
        self._idle.append(worker)
        if not done:
            raise answer
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=kind is None, cancel_futures=True)
        for worker in list(self._all):
            worker.end()


class _Worker:
    """A process and our end of its pipe."""

    def __init__(self, prepare: tuple[Callable[..., object], ...]) -> None:
        self._pipe, theirs = Pipe()
        self._ending = threading.Lock()
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; from visavis.workers import _serve; _serve({theirs.fileno()})"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # numpy would start a thread a core in each
            process_group=0,  # Ctrl-C in a terminal goes to a group: ours, not this one
        )
        theirs.close()
        try:
            self._pipe.send(prepare)
            done, answer = self._pipe.recv()
        except (EOFError, OSError):
            raise RuntimeError("a worker process ended before it was ready") from None
        if not done:
            raise answer

    def ask(self, call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]], seconds: float) -> tuple[bool, Any]:
        """Whether the call returned, and what; or what it raised. Raises WorkerDied."""
        try:
            self._pipe.send(call)
            if not self._pipe.poll(seconds):
                raise WorkerDied(f"it took over {seconds:g} s")
            return self._pipe.recv()
        except (EOFError, OSError):
            raise WorkerDied(f"its process ended with status {self._process.wait()}") from None

    def end(self) -> None:
        with self._ending:  # whoever waits for an answer and whoever ends all of them may come here at once
            self._process.kill()
            self._process.wait()
            if not self._pipe.closed:
                self._pipe.close()


def _serve(descriptor: int) -> None:
    """What a worker does: it answers calls until the other end of the pipe is closed."""
    pipe = Connection(descriptor)
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    prepare = pipe.recv()
    threading.Thread(target=_receive, args=(pipe, calls), daemon=True).start()
    _answer(pipe, *((prepare[0], prepare[1:], {}) if prepare else (os.getpid, (), {})))
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)  # decoders' C libraries have much to say of damaged files: the verdict says it
    while True:
        _answer(pipe, *calls.get())


def _receive(pipe: Connection, calls: "queue.SimpleQueue[Any]") -> None:
    while True:
        try:
            calls.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(0)  # also while a call is under way: nobody waits for it any more


def _answer(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    try:
        answer = True, function(*arguments, **named)
    except Exception as error:  # noqa: BLE001 it is raised where the call came from
        error.add_note("in a worker process:\n" + traceback.format_exc())
        answer = False, error
    with contextlib.suppress(BrokenPipeError):
        pipe.send(answer)
