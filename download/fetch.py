"""The run: fetches each address, has the photo checked and saved, and reports the outcome.

One event loop fetches, and `judge.py`'s processes do the rest. `schedule.py` decides which address is next.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset import tables
from download.http import Client, Fetched
from download.judge import Judgement, Judges
from download.photos import Photos
from download.plan import Plan
from download.schedule import Job, Schedule

LONGEST_PAUSE = 600.0
"""Seconds. A host that asks for a longer pause (Retry-After) is left alone for the rest of the run."""

Rows = list[dict[str, Any]]
Recorder = Callable[[Rows, str], None]
"""Called with the rows of one address, and its host."""


@dataclass(frozen=True)
class Manners:
    """How many connections at once, how many retries, and the pauses between them.

    backoff: seconds before the first retry; they double with each.
    """

    connections: int
    per_host: int
    retries: int
    backoff: float
    put_aside: float


async def fetch_all(
    plan: Plan, client: Client, judges: Judges, photos: Photos, manners: Manners, record: Recorder
) -> None:
    """Work through the plan. Raises OSError if a photo cannot be written, and then drops what is under way."""
    for answer, image_ids in plan.answered:
        record(_shared(answer, image_ids, photos), "")
    schedule = _schedule_of(plan, manners)
    free = asyncio.Semaphore(manners.connections)
    ended = asyncio.Event()

    async def work(job: Job) -> None:
        try:
            if rows := await _attempt(job, schedule, client, judges, photos, manners):
                record(rows, job.host)
        finally:
            free.release()
            ended.set()

    try:
        async with asyncio.TaskGroup() as tasks:
            while not schedule.over:
                await free.acquire()
                while (job := schedule.take()) is None and not schedule.over:
                    ended.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(ended.wait(), schedule.next_time())
                if job is not None:
                    tasks.create_task(work(job))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


def _schedule_of(plan: Plan, manners: Manners) -> Schedule:
    """The plan's jobs in turn. A host that is put aside is left alone for at least eight times the back-off."""
    least = 8 * manners.backoff * random.uniform(0.5, 1.5)
    return Schedule(
        plan.hosts(), manners.per_host, manners.connections, (min(least, manners.put_aside), manners.put_aside)
    )


async def _attempt(
    job: Job, schedule: Schedule, client: Client, judges: Judges, photos: Photos, manners: Manners
) -> Rows:
    """The rows of the job's images; none if it is to be tried again. Reports to the schedule."""
    kept = photos.kept(job.image_ids)
    judgement = await judges.judge(kept, job.image_ids) if kept else Judgement("empty")
    fetched = Fetched(judgement.reason, http_status=200)
    if fetched.status != "ok" and job.given_up:
        fetched = Fetched(job.given_up)
    elif fetched.status != "ok":
        began = time.monotonic()
        fetched = await client.get(job.url)
        if fetched.status == "ok":
            judgement = await judges.judge(fetched.body, job.image_ids)
            fetched = Fetched(judgement.reason, http_status=fetched.http_status)
        job.attempts += 1
        job.seconds += time.monotonic() - began
        delay = _delay(fetched, job, schedule, manners)
        if delay is not None:
            schedule.again(job, delay)
            return []
        if fetched.retry_after and fetched.retry_after > LONGEST_PAUSE and fetched.status == "failed":
            fetched = Fetched("retry_later", http_status=fetched.http_status)
    schedule.finish(job)
    return [_row(image_id, job, fetched, judgement) for image_id in job.image_ids]


def _delay(fetched: Fetched, job: Job, schedule: Schedule, manners: Manners) -> float | None:
    """Seconds until the job is to be tried again; None if what was fetched stands. Reports the host to the schedule."""
    if not fetched.whole_host:
        schedule.reached(job.host)
    if fetched.status != "failed":
        return None
    asked = fetched.retry_after or 0.0
    if asked > LONGEST_PAUSE:
        schedule.give_up(job.host, "retry_later")
        return None
    follows = schedule.unreachable(job.host, fetched.reason) if fetched.whole_host else "counted"
    if asked:
        schedule.pause(job.host, asked)
    if follows == "aside":
        return 0.0
    if follows == "given_up" or job.attempts > manners.retries:
        return None
    return max(asked, manners.backoff * 2 ** (job.attempts - 1) * random.uniform(0.5, 1.5))


def _row(image_id: str, job: Job, fetched: Fetched, judgement: Judgement) -> dict[str, Any]:
    """The image's row in downloads.csv."""
    row: dict[str, Any] = {
        "image_id": image_id,
        "status": fetched.status,
        "reason": fetched.reason,
        "http_status": fetched.http_status or "",
        "attempts": job.attempts,
        "seconds": f"{job.seconds:.3f}",
    }
    if fetched.status == "ok":
        row |= judgement.columns | {"path": judgement.paths[job.image_ids.index(image_id)]}
    return row


def _shared(answer: tables.Row, image_ids: list[str], photos: Photos) -> Rows:
    """Rows for images whose address was fetched for another image: with its outcome, and a copy of its photo."""
    rows = []
    for image_id in image_ids:
        row: dict[str, Any] = answer | {"image_id": image_id, "attempts": 0, "seconds": "0.000"}
        if answer["path"]:
            photo = photos.folder.parent / answer["path"]
            row["path"] = photos.save(image_id, Path(answer["path"]).suffix, photo.read_bytes())
        rows.append(row)
    return rows
