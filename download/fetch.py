"""The workers: take an address, fetch it, judge the photo, save it, and say what became of it.

Which address is next is `schedule.py`'s matter; only the thread that called `fetch_all` writes the table.
"""

import contextlib
import hashlib
import os
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset import tables
from download.http import Client, Outcome
from download.photos import Photos
from download.plan import Plan
from download.schedule import Job, Schedule
from visavis import images

LONGEST_PAUSE = 600.0
"""Seconds. A host that asks for a longer one (Retry-After) is left alone for the rest of the run."""

_INTERRUPT_PATIENCE = 1.0  # seconds in which workers may still hand in what they have

# A few kB can hold a picture of --max-pixels, 150 MB when decoded: not one in each worker at once.
_DECODING = threading.Semaphore(min(4, max(2, os.cpu_count() or 1)))

Rows = list[dict[str, Any]]
Record = Callable[[Rows, str], None]
"""Told the rows of one address, and its host."""


@dataclass(frozen=True)
class Manners:
    """How often, and how long between. backoff: seconds before the first further try; it doubles with each."""

    connections: int
    retries: int
    backoff: float
    put_aside: float
    max_pixels: int


def fetch_all(plan: Plan, schedule: Schedule, client: Client, photos: Photos, manners: Manners, record: Record) -> None:
    """Work through the plan. Raises what stopped a worker: a disk that is full, KeyboardInterrupt."""
    # A bound, so that verdicts that come without a request do not pile up faster than they are written.
    results: queue.Queue[tuple[Rows, str] | Exception | None] = queue.Queue(4 * manners.connections)
    for answer, image_ids in plan.answered:
        record(_shared(answer, image_ids, photos), "")

    def work() -> None:
        try:
            _work(schedule, client, photos, manners, lambda rows, host: results.put((rows, host)))
            results.put(None)
        except Exception as error:  # noqa: BLE001 a full disk, and what nobody foresaw: the main thread raises it
            results.put(error)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(manners.connections)]
    try:
        for worker in workers:
            worker.start()
        working = len(workers)
        while working:
            result = results.get()
            if result is None:
                working -= 1
            elif isinstance(result, Exception):
                raise result
            else:
                record(*result)
    except BaseException:
        schedule.stop()
        client.stop()
        end = time.monotonic() + _INTERRUPT_PATIENCE
        while any(worker.is_alive() for worker in workers) and time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                result = results.get(timeout=0.02)
                if isinstance(result, tuple):
                    record(*result)
        with contextlib.suppress(queue.Empty):
            while True:
                result = results.get_nowait()
                if isinstance(result, tuple):
                    record(*result)
        raise


def schedule_of(plan: Plan, per_host: int, manners: Manners) -> Schedule:
    """The plan's jobs in turn. A host that is put aside is left alone for at least eight times the back-off."""
    least = 8 * manners.backoff * random.uniform(0.5, 1.5)
    return Schedule(plan.hosts(), per_host, manners.connections, (min(least, manners.put_aside), manners.put_aside))


def _work(schedule: Schedule, client: Client, photos: Photos, manners: Manners, record: Record) -> None:
    """One worker: take jobs until there are none left."""
    while (job := schedule.take()) is not None:
        outcome, header = _judge(Outcome("", photos.kept(job.image_ids), 200), manners.max_pixels)
        if outcome.status != "ok" and job.given_up:
            outcome = Outcome(job.given_up)
        elif outcome.status != "ok":
            began = time.monotonic()
            outcome, header = _judge(client.get(job.url), manners.max_pixels)
            job.attempts += 1
            job.seconds += time.monotonic() - began
            if outcome.status != "ok" and schedule.stopped:
                return  # broken off, no verdict
            delay = _delay(outcome, job, schedule, manners)
            if delay is not None:
                schedule.again(job, delay)
                continue
            if outcome.retry_after and outcome.retry_after > LONGEST_PAUSE and outcome.status == "failed":
                outcome = Outcome("retry_later", b"", outcome.http_status)
        record([_row(image_id, job, outcome, header, photos) for image_id in job.image_ids], job.host)
        schedule.finish(job)


def _delay(outcome: Outcome, job: Job, schedule: Schedule, manners: Manners) -> float | None:
    """Seconds until the job is to be tried again; None where its outcome stands. Tells the schedule of the host."""
    if not outcome.whole_host:
        schedule.reached(job.host)
    if outcome.status != "failed":
        return None
    asked = outcome.retry_after or 0.0
    if asked > LONGEST_PAUSE:
        schedule.give_up(job.host, "retry_later")
        return None
    follows = schedule.unreachable(job.host, outcome.reason) if outcome.whole_host else "counted"
    if asked:
        schedule.pause(job.host, asked)
    if follows == "aside":
        return 0.0
    if follows == "given_up" or job.attempts > manners.retries:
        return None
    return max(asked, manners.backoff * 2 ** (job.attempts - 1) * random.uniform(0.5, 1.5))


def _judge(outcome: Outcome, max_pixels: int) -> tuple[Outcome, images.Header | None]:
    """Whether the bytes are a whole photo, whatever they were called."""
    if outcome.status != "ok":
        return outcome, None
    try:
        with _DECODING:
            return outcome, images.inspect(outcome.body, max_pixels)
    except images.ImageError as error:
        return Outcome(error.reason, b"", outcome.http_status), None


def _row(image_id: str, job: Job, outcome: Outcome, header: images.Header | None, photos: Photos) -> dict[str, Any]:
    """The image's row in downloads.csv; a photo is on disk when this returns."""
    row: dict[str, Any] = {
        "image_id": image_id,
        "status": outcome.status,
        "reason": outcome.reason,
        "http_status": outcome.http_status or "",
        "attempts": job.attempts,
        "seconds": f"{job.seconds:.3f}",
    }
    if header is not None:
        row["path"] = photos.save(image_id, images.EXTENSIONS[header.format], outcome.body)
        row |= {"width": header.width, "height": header.height}
        row |= {"bytes": len(outcome.body), "sha256": hashlib.sha256(outcome.body).hexdigest()}
    return row


def _shared(answer: tables.Row, image_ids: list[str], photos: Photos) -> Rows:
    """Rows for images whose address was fetched for another: its verdict, and a copy of its photo."""
    rows = []
    for image_id in image_ids:
        row: dict[str, Any] = answer | {"image_id": image_id, "attempts": 0, "seconds": "0.000"}
        if answer["path"]:
            photo = photos.folder.parent / answer["path"]
            row["path"] = photos.save(image_id, Path(answer["path"]).suffix, photo.read_bytes())
        rows.append(row)
    return rows
