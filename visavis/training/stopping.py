"""Stopping at any moment on SIGTERM or Ctrl-C: what was learnt is saved within ten seconds.

The training loop checks `wanted` between two steps, saves and ends. If it does not get there in time, because a step
takes long or another process no longer answers, a thread saves and ends the process instead.
Only the optimiser's update changes the weights, and it holds `guard` while it does; whoever saves holds it, too.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from visavis.messages import say

GRACE = 4.0
"""Seconds that the training loop has to end on its own."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """A context in which SIGTERM and Ctrl-C set `wanted`. Only the main thread may enter it.

    save: called by the thread, under `guard`, if the loop does not end within `GRACE`; a loop that ends on its own does
    its own saving. Leaving the context restores the previous signal handlers.
    """

    def __init__(self, save: Callable[[], None]) -> None:
        self.guard = threading.RLock()
        self._save = save
        self._signal = 0
        self._asked, self._left = threading.Event(), threading.Event()
        self._before: dict[int, Any] = {}

    @property
    def wanted(self) -> bool:
        """Whether a signal has come."""
        return self._signal != 0

    @property
    def status(self) -> int:
        """The exit status of the process: 130 after Ctrl-C, 143 after SIGTERM, 0 without either."""
        return 128 + self._signal if self._signal else 0

    def ask(self, number: int) -> None:
        """Stop as if that signal had come."""
        self._signal = self._signal or number
        self._asked.set()

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        # While torch's C++ code runs, the main thread cannot run Python's handlers; this pipe is written at once.
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._pipe = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._listen, self._watch)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._asked.set()
        signal.set_wakeup_fd(self._pipe)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.write(self._write, b"\0")  # ends `_listen`; closing would not, while a worker has the pipe open
        for thread in self._threads:
            thread.join()
        os.close(self._read)
        os.close(self._write)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.ask(number)

    def _listen(self) -> None:
        while (data := os.read(self._read, 1)) and not self._left.is_set():
            if data[0] in SIGNALS:
                self.ask(data[0])

    def _watch(self) -> None:
        self._asked.wait()
        if self._left.wait(GRACE):
            return
        with self.guard:
            if self._left.is_set():
                return
            self._save()
            say("stopped during a step, and saved the state before it; --resume does that step again")
            sys.stderr.flush()
            os._exit(self.status)


def in_worker(number: int) -> None:
    """Make a process that loads photos ignore Ctrl-C, which a terminal sends to all: the main process handles it."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
