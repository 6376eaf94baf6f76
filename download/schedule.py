"""Which address is next: hosts in turn, a few connections to each, and retries when they are due.

No task waits for a host while another host has work: jobs wait here during pauses. A host that cannot be reached is put
aside, tried once more later, and then given up as a whole. Nothing here blocks: callers ask for the next job.
"""

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

IN_A_ROW = 3
"""A host is put aside after this many consecutive failures to reach it."""


@dataclass(eq=False, slots=True)
class Job:
    """An address and the images that wait for its photo."""

    url: str
    host: str
    image_ids: list[str]
    attempts: int = 0
    seconds: float = 0.0
    given_up: str = ""
    """The reason for which the whole host was given up; the job must then not be fetched."""


@dataclass(eq=False, slots=True)
class _Host:
    name: str
    unread: Iterator[Job] | None
    jobs: deque[Job] = field(default_factory=deque)
    active: int = 0
    away: int = 0  # jobs that wait for a retry
    resume: float = 0.0  # on the schedule's clock
    offered: bool = False  # is in the queue of hosts with a job that may begin
    failures: int = 0  # in a row
    aside: bool = False  # was put aside, and has not been reached since
    given_up: str = ""

    def has_jobs(self) -> bool:
        if not self.jobs and self.unread is not None:
            self.jobs.extend(itertools.islice(self.unread, 1))
            if not self.jobs:
                self.unread = None
        return bool(self.jobs)


class Schedule:
    """Hands out each job once, and at most `per_host` jobs of a host at once.

    hosts: each host's name and jobs; both are read lazily.
    width: the number of hosts that are kept ready. aside: seconds for which a host is put aside, at least, and at most
    while there is other work. clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        hosts: Iterable[tuple[str, Iterable[Job]]],
        per_host: int,
        width: int = 64,
        aside: tuple[float, float] = (8.0, 300.0),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._unread = iter(hosts)
        self._all_read = False
        self._per_host, self._width, self._aside = per_host, width, aside
        self._hosts: dict[str, _Host] = {}  # those that have jobs, or jobs under way
        self._ready: deque[_Host] = deque()
        self._later: list[tuple[float, int, Job | _Host]] = []
        self._put_aside: deque[tuple[float, float, _Host]] = deque()
        self._number = itertools.count()

    @property
    def over(self) -> bool:
        """Whether all jobs are finished."""
        return self._all_read and not self._hosts

    def take(self) -> Job | None:
        """A job that may begin now, or None; then another may be there when a job ends or at `next_time`.

        Every job must be returned to `finish` or `again`.
        """
        self._open_more()
        self._wake()
        while self._ready:
            host = self._ready.popleft()
            host.offered = False
            if not host.has_jobs() or host.resume > self._clock():  # paused meanwhile
                self._close_if_done(host)
                continue
            job = host.jobs.popleft()
            job.given_up = host.given_up
            host.active += 1
            self._offer(host)
            return job
        return None

    def next_time(self) -> float | None:
        """Seconds until a postponed job may be taken; None if there is none."""
        times = [self._later[0][0]] if self._later else []
        if self._put_aside:
            soft, hard, _ = self._put_aside[0]
            times.append(soft if self._idle() else hard)
        return max(0.0, min(times) - self._clock()) if times else None

    def finish(self, job: Job) -> None:
        """Mark the job as done, whatever its outcome."""
        self._release(job)

    def again(self, job: Job, delay: float) -> None:
        """Hand the job out again in `delay` seconds."""
        host = self._hosts[job.host]
        if delay > 0:
            host.away += 1
            heapq.heappush(self._later, (self._clock() + delay, next(self._number), job))
        else:
            host.jobs.appendleft(job)
        self._release(job)

    def pause(self, name: str, seconds: float) -> None:
        """Begin no job of the host for that long."""
        host = self._hosts[name]
        host.resume = max(host.resume, self._clock() + seconds)
        heapq.heappush(self._later, (host.resume, next(self._number), host))

    def reached(self, name: str) -> None:
        """Note that the host has answered, so that it is no longer put aside."""
        host = self._hosts[name]
        if host.failures or host.aside:
            host.failures, host.aside = 0, False
            self._offer(host)

    def unreachable(self, name: str, reason: str) -> str:
        """Note that the host could not be resolved or connected to. Returns the consequence for its jobs.

        `counted`: nothing yet. `aside`: the host is put aside; its job goes back with `again(job, 0)`.
        `given_up`: it was put aside before; all its jobs are handed out with `given_up` set, not to be fetched.
        """
        host = self._hosts[name]
        if host.given_up:
            return "given_up"
        if host.resume > self._clock():  # begun before the host was put aside
            return "aside"
        host.failures += 1
        if host.failures < IN_A_ROW and not host.aside:
            return "counted"
        if host.aside:
            self.give_up(name, reason)
            return "given_up"
        host.aside = True
        soft, hard = (self._clock() + seconds for seconds in self._aside)
        host.resume = max(soft, hard)
        self._put_aside.append((soft, host.resume, host))
        return "aside"

    def give_up(self, name: str, reason: str) -> None:
        """Hand out all further jobs of the host with this reason, not to be fetched."""
        host = self._hosts[name]
        host.given_up, host.resume = reason, 0.0
        self._offer(host)

    def _open_more(self) -> None:
        """Keep enough hosts ready that all connections have something to do."""
        while not self._all_read and len(self._ready) < self._width:
            found = next(self._unread, None)
            if found is None:
                self._all_read = True
                return
            name, jobs = found
            host = self._hosts[name] = _Host(name, iter(jobs))
            self._offer(host)
            self._close_if_done(host)

    def _release(self, job: Job) -> None:
        host = self._hosts[job.host]
        host.active -= 1
        self._offer(host)
        self._close_if_done(host)

    def _close_if_done(self, host: _Host) -> None:
        if not host.active and not host.away and not host.has_jobs() and self._hosts.get(host.name) is host:
            del self._hosts[host.name]

    def _wake(self) -> None:
        """Bring back what is due; and hosts that were put aside sooner, if nothing else is left to do."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            what = heapq.heappop(self._later)[2]
            host = self._hosts[what.host] if isinstance(what, Job) else what
            if isinstance(what, Job):
                host.away -= 1
                host.jobs.append(what)
            self._offer(host)
        while self._put_aside and (self._put_aside[0][1] <= now or (self._idle() and self._put_aside[0][0] <= now)):
            _, until, host = self._put_aside.popleft()
            if host.resume == until:  # otherwise it asked for a longer pause
                host.resume = now
            self._offer(host)

    def _idle(self) -> bool:
        return self._all_read and not self._ready

    def _offer(self, host: _Host) -> None:
        """Queue the host if one of its jobs may begin. One that was put aside must first answer a single job."""
        most = 1 if host.aside and not host.given_up else self._per_host
        if not host.offered and host.active < most and host.resume <= self._clock() and host.has_jobs():
            host.offered = True
            self._ready.append(host)
