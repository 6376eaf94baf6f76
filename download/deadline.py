"""Time limits that a server cannot stretch.

A socket's timeout starts again with every byte, so a server that sends one a second is never late.
Here one thread watches all attempts and shuts the socket of each one down when its time is up:
whoever reads from it wakes at once.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


class Attempt:
    """One try at one address. `end` is on time.monotonic's clock; `expired` says that it was cut off."""

    def __init__(self, end: float) -> None:
        self.end = end
        self.expired = False
        self.socket: socket.socket | None = None

    def left(self) -> float:
        """Seconds until the end, not below 0."""
        return max(0.0, self.end - time.monotonic())

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Time that does not count: the attempt waits for something that is not the server's fault."""
        left, self.end = self.left(), float("inf")
        try:
            yield
        finally:
            self.end = time.monotonic() + left

    def cut(self) -> None:
        """Wake whoever reads from the socket or writes to it, now."""
        self.expired = True
        if self.socket is not None:
            with contextlib.suppress(OSError):  # not connected any more: then there is nobody to wake
                # Not SSLSocket.shutdown, which would take the TLS state away under a reader's hands.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Watch:
    """Cuts attempts off at their end, all of them when stopped. One thread, which ends with `stop`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: set[Attempt] = set()
        self._here = threading.local()
        self._stopping = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="deadlines").start()

    @contextlib.contextmanager
    def attempt(self, seconds: float) -> Iterator[Attempt]:
        """An attempt of this thread, watched until the block ends."""
        attempt = Attempt(time.monotonic() + seconds)
        around = getattr(self._here, "attempt", None)  # robots.txt is read while another address waits for it
        self._here.attempt = attempt
        with self._lock:
            self._attempts.add(attempt)
        try:
            yield attempt
        finally:
            with self._lock:  # from here on its socket may serve another attempt
                self._attempts.discard(attempt)
            self._here.attempt = around

    def current(self) -> Attempt:
        """This thread's attempt."""
        attempt: Attempt = self._here.attempt
        return attempt

    def stop(self) -> None:
        """Cut off every attempt under way, and any that begins later."""
        self._stopping.set()
        self._cut(float("inf"))

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set()

    def _run(self) -> None:
        while not self._stopping.wait(0.05):
            self._cut(time.monotonic())

    def _cut(self, now: float) -> None:
        with self._lock:
            for attempt in self._attempts:
                if attempt.end <= now:
                    attempt.cut()
