"""Worker processes that take one call after another. If one dies or hangs, only the call that it was at is lost.

They are forked from a server process that has imported the modules they need, and that has no threads whose locks they
would inherit. Each shares a pipe with this process and nothing else: it ignores Ctrl-C, and it ends when this process
ends, in whatever way.

This is the only pool of the project, for download, clean, predict and demo. Other libraries were considered:
concurrent.futures and loky give up the whole pool when a process dies, and have no time limit for a call; pebble has
one, but its processes start by running the script again, and finish their call even if this process is killed.
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
"""The longest wait for a process, in seconds: the system counts milliseconds in 32 bits."""
UNKNOWN = 255
"""The status that multiprocessing returns if it could not read that of the process."""

_STARTING = threading.Lock()


class WorkerDied(Exception):
    """The process ended during a call, or was ended because the call took too long, or the answer did not fit into
    memory."""


class Workers:
    """A pool of processes. Use as a context manager; the processes start with the first calls.

    seconds: time limit of a call; a process that exceeds it is ended. modules: what all calls need, imported once; none
    may start threads, as torch does. prepare: is called first in each worker, without a time limit. Functions are
    passed by name: they must be importable.
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
        """Call the function in the next free worker. The future raises what the function raises, WorkerDied, or
        visavis.errors.InputError if no worker can start."""
        return self._threads.submit(self._call, function, arguments, named)

    def start(self) -> None:
        """Start all processes now, in the background."""
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
                    raise WorkerDied("the pool has been closed")
                worker = _Worker()
                self._all.add(worker)
            _, error = worker.ask((_begin, (self._modules, self._prepare), {}), None)
            if error is not None:
                raise error
        except InputError:
            raise
        except Exception as error:  # any failure of an import or of the system
            raise InputError(f"no worker process can start: {type(error).__name__}: {error}") from error
        return worker


class _Worker:
    """A process and this end of its pipe."""

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
            status_text = "" if status == UNKNOWN else f" with status {status}"
            raise WorkerDied(f"its process ended{status_text}") from None
        except MemoryError:  # the rest of the answer may still be in the pipe
            raise WorkerDied("its answer is too large for the memory") from None
        except (AttributeError, TypeError, ValueError, pickle.PickleError) as error:  # the answer cannot be pickled
            return None, error

    def end(self) -> None:
        with self._ending:  # called by the thread that waits for an answer and by the one that closes the pool
            self._process.kill()
            self._process.join()
            self._pipe.close()


def _start_server(modules: Sequence[str]) -> None:
    """Start the server from which workers are forked, unless it is running."""
    os.environ["OPENBLAS_NUM_THREADS"] = (
        "1"  # otherwise its numpy starts threads; the numpy of this process has read it already
    )
    # It imports from the same places as this process, but not from the working directory.
    ours = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    resource_tracker.ensure_running()  # it would reset the signal mask
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # so that the server ignores it from its start
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
    """Hide which script is running: multiprocessing would run it in each worker, too, for which not every script is
    written."""
    main = sys.modules["__main__"]
    unnamed = ModuleType("__main__")
    vars(unnamed).update({name: value for name, value in vars(main).items() if name not in ("__file__", "__spec__")})
    sys.modules["__main__"] = unnamed
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(pipe: Connection) -> None:
    """The main function of a worker: answer calls until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all processes; the parent ends this one
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for torch: the workers fill the cores already
    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 0)
    os.dup2(silent, 1)  # only the main process writes results there
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, calls), daemon=True).start()
    _answer(pipe, calls.get())
    os.dup2(
        silent, 2
    )  # decoders' C libraries print much about damaged files, which the reasons in the tables say better
    while True:
        _answer(pipe, calls.get())


def _receive(pipe: Connection, calls: "queue.SimpleQueue[bytes]") -> None:
    while True:
        try:
            calls.put(pipe.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)  # during a call, too: nobody waits for its answer any more


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
        import_module(name)  # if the server could not import it, the reason shows here
    prepare()
