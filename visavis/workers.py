"""Worker processes that take one call after another; one that dies or hangs costs the call that it was at alone.

They are forked from a server that has imported what they need and has no threads, whose locks they would inherit.
Each shares a pipe with this process and nothing else: Ctrl-C is not for it, and it ends with whoever started it,
however that ends.

This is the one pool of the project: for download, clean, predict and demo. Of the libraries that were looked at,
concurrent.futures and loky give up the whole pool when a process dies, and neither has a limit in time for a call;
pebble has that, and its processes start by running the script again, and go on with a call when this one is killed.
"""

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import forkserver, get_context, resource_tracker
from multiprocessing.connection import Connection
from types import ModuleType, TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from visavis.errors import InputError

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

LONGEST = 2_000_000.0
"""Seconds that a process can be waited for: the system counts milliseconds in 32 bits."""
UNKNOWN = 255
"""The status that multiprocessing tells where it could not learn a process's own."""

_STARTING = threading.Lock()


class WorkerDied(Exception):
    """The process that was at a call ended before it was done, or was ended because it took too long, or its answer was
    too much for the memory."""


class Workers:
    """So many processes. Use as a context manager; they start when there is something to do.

    seconds: a call that takes longer ends its process. modules: what all calls need, imported once; none that starts
    threads, as torch does. prepare: what a worker calls before all else, however long that takes. Functions go by
    their names: they must be importable.
    """

    def __init__(
        self,
        count: int,
        seconds: float,
        modules: Sequence[str] = (),
        prepare: Callable[[], object] = os.getpid,
    ) -> None:
        self.count = count
        self._seconds = seconds
        self._modules = [__name__, *modules]
        self._prepare = prepare
        self._idle: deque[_Worker] = deque()
        self._all: set[_Worker] = set()
        self._over = False
        self._threads = ThreadPoolExecutor(count, "worker")  # each waits for one process

    def submit(
        self, function: Callable[Arguments, Answer], *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> "Future[Answer]":
        """Call the function in the next worker that is free. The future raises what it raises, or WorkerDied; and
        visavis.errors.InputError where no worker can start, which is no call's fault."""
        return self._threads.submit(self._call, function, arguments, named)

    def start(self) -> None:
        """Have all processes start now, while this one goes on."""
        for _ in range(self.count):
            self.submit(os.getpid)

    def __enter__(self) -> Self:
        with _STARTING:  # it changes the environment for a moment, and threads may each enter a pool
            _start_server(self._modules)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=kind is None, cancel_futures=True)
        with _STARTING:
            self._over = True
        for worker in list(self._all):
            worker.end()

    def _call(self, *call: Any) -> Any:
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = self._started()
        try:
            answer, error = worker.ask(call, self._seconds)
        except WorkerDied:
            self._all.discard(worker)
            worker.end()
            raise
        self._idle.append(worker)
        if error is not None:
            raise error
        return answer

    def _started(self) -> "_Worker":
        try:
            with _STARTING:
                if self._over:
                    raise WorkerDied("the others have ended")
                worker = _Worker()
                self._all.add(worker)
            _, error = worker.ask((_begin, (self._modules, self._prepare), {}), None)
            if error is not None:
                raise error
        except InputError:
            raise
        except Exception as error:  # whatever an import, or the system, fails with
            raise InputError(f"no worker process can start: {type(error).__name__}: {error}") from error
        return worker


class _Worker:
    """A process and our end of its pipe."""

    def __init__(self) -> None:
        context = get_context("forkserver")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._ending = threading.Lock()
        with theirs, _main_unnamed():
            self._process.start()

    def ask(self, call: Any, seconds: float | None) -> tuple[Any, Exception | None]:
        """What the call returned, and what it raised. Raises WorkerDied."""
        try:
            self._pipe.send(call)
            if not self._pipe.poll(seconds and min(seconds, LONGEST)):
                raise WorkerDied(f"it took over {seconds:g} s")
            answer: tuple[Any, Exception | None] = self._pipe.recv()
            return answer
        except (EOFError, OSError):
            self._process.join()
            status = self._process.exitcode
            told = "" if status == UNKNOWN else f" with status {status}"
            raise WorkerDied(f"its process ended{told}") from None
        except MemoryError:  # the rest of the answer may still be in the pipe
            raise WorkerDied("its answer is too large for the memory") from None
        except (AttributeError, TypeError, ValueError, pickle.PickleError) as error:  # what cannot go through a pipe
            return None, error

    def end(self) -> None:
        with self._ending:  # whoever waits for an answer and whoever ends all of them may come here at once
            self._process.kill()
            self._process.join()
            self._pipe.close()


def _start_server(modules: Sequence[str]) -> None:
    """Start the server that workers are forked from, unless it runs."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else its numpy starts threads; this process's has long read that
    # It imports what this process would, and nothing because it lies in the folder where somebody stands.
    ours = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    resource_tracker.ensure_running()  # it would lift the mask
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the server is deaf to it from its first moment
    try:
        forkserver.set_forkserver_preload([*modules])
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _main_unnamed() -> Iterator[None]:
    """Meanwhile nothing tells what script runs: multiprocessing would have each worker run it too, which only those
    bear that are written for it."""
    main = sys.modules["__main__"]
    unnamed = ModuleType("__main__")
    vars(unnamed).update({name: value for name, value in vars(main).items() if name not in ("__file__", "__spec__")})
    sys.modules["__main__"] = unnamed
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(pipe: Connection) -> None:
    """What a worker does: it answers calls until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C goes to all: ending is for who started this one
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch: workers that fill the cores would wait for each other
    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 0)
    os.dup2(silent, 1)  # results are written there, by one process alone
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, calls), daemon=True).start()
    _answer(pipe, calls.get())
    os.dup2(silent, 2)  # decoders' C libraries have much to say of damaged files: the verdict says it
    while True:
        _answer(pipe, calls.get())


def _receive(pipe: Connection, calls: "queue.SimpleQueue[bytes]") -> None:
    while True:
        try:
            calls.put(pipe.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)  # also while a call is under way: nobody waits for it any more


def _answer(pipe: Connection, call: bytes) -> None:
    answer = error = None
    try:
        function, arguments, named = pickle.loads(call)
        answer = function(*arguments, **named)
    except Exception as failure:  # noqa: BLE001 it is raised where the call came from
        failure.add_note("in a worker process:\n" + traceback.format_exc())
        error = failure
    with suppress(BrokenPipeError):
        pipe.send((answer, error))


def _begin(modules: Sequence[str], prepare: Callable[[], object]) -> None:
    for name in modules:
        import_module(name)  # where the server failed to, the reason shows here
    prepare()
