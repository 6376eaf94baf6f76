"""Which address next: hosts in turn, a few connections to each, and second tries when their time has come.

No worker ever waits for a host while another has work: a pause keeps the job here, not in a thread.
"""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(eq=False)
class Job:
    """An address and the images that wait for its photo."""

    url: str
    image_ids: list[str]
    attempts: int = 0
    seconds: float = 0.0
    host: str = field(init=False)

    def __post_init__(self) -> None:
        try:
            self.host = urlsplit(self.url).hostname or ""
        except ValueError:  # no address at all: the client will say so
            self.host = ""


@dataclass(eq=False)
class _Host:
    jobs: deque[Job] = field(default_factory=deque)
    active: int = 0
    resume: float = 0.0  # on time.monotonic's clock
    offered: bool = False  # stands in the queue of hosts that a worker may take from


class Schedule:
    """Hands each job to one worker at a time, at most `per_host` jobs of a host at once. Thread-safe."""

    def __init__(self, jobs: Iterable[Job], per_host: int) -> None:
        self._per_host = per_host
        self._changed = threading.Condition()
        self._hosts: dict[str, _Host] = {}
        self._ready: deque[_Host] = deque()
        self._later: list[tuple[float, int, Job | _Host]] = []
        self._number = itertools.count()
        self._left = 0
        self.stopped = False
        for job in jobs:
            self._hosts.setdefault(job.host, _Host()).jobs.append(job)
            self._left += 1
        for host in self._hosts.values():
            self._offer(host)

    def take(self) -> Job | None:
        """The next job, as soon as there is one that may begin; None when all are finished, or on `stop`.

        Every job taken must be given to `finish` or `again`.
        """
        with self._changed:
            while not self.stopped and self._left:
                self._wake()
                if self._ready:
                    host = self._ready.popleft()
                    host.offered = False
                    if not host.jobs or host.resume > time.monotonic():  # given up or paused meanwhile
                        continue
                    job = host.jobs.popleft()
                    host.active += 1
                    self._offer(host)
                    if self._ready:
                        self._changed.notify()
                    return job
                self._changed.wait(self._later[0][0] - time.monotonic() if self._later else None)
            return None

    def finish(self, job: Job) -> None:
        """The job is done with, one way or the other."""
        with self._changed:
            self._left -= 1
            self._release(job)
            if not self._left:
                self._changed.notify_all()

    def again(self, job: Job, delay: float) -> None:
        """The job is to be handed out once more, `delay` seconds from now."""
        with self._changed:
            self._put_off(delay, job)
            self._release(job)

    def pause(self, host: str, seconds: float) -> None:
        """Begin no job of the host for so long."""
        with self._changed:
            resting = self._hosts[host]
            resting.resume = max(resting.resume, time.monotonic() + seconds)
            self._put_off(seconds, resting)

    def give_up(self, host: str) -> list[Job]:
        """Take away all jobs of the host that have not begun, or wait for another try; they count as finished."""
        with self._changed:
            lost = list(self._hosts[host].jobs)
            self._hosts[host].jobs.clear()
            kept = []
            for entry in self._later:
                if isinstance(entry[2], Job) and entry[2].host == host:
                    lost.append(entry[2])
                else:
                    kept.append(entry)
            self._later = kept
            heapq.heapify(self._later)
            self._left -= len(lost)
            self._changed.notify_all()
            return lost

    def stop(self) -> None:
        """Hand out no more jobs."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()

    def _put_off(self, delay: float, what: Job | _Host) -> None:
        heapq.heappush(self._later, (time.monotonic() + delay, next(self._number), what))
        self._changed.notify()

    def _release(self, job: Job) -> None:
        host = self._hosts[job.host]
        host.active -= 1
        self._offer(host)
        self._changed.notify()

    def _wake(self) -> None:
        """Bring back what was put off until now."""
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            what = heapq.heappop(self._later)[2]
            host = self._hosts[what.host] if isinstance(what, Job) else what
            if isinstance(what, Job):
                host.jobs.append(what)
            self._offer(host)

    def _offer(self, host: _Host) -> None:
        """Queue the host up where it may have a job begun."""
        if host.jobs and not host.offered and host.active < self._per_host and host.resume <= time.monotonic():
            host.offered = True
            self._ready.append(host)
