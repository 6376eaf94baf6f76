"""labels.csv → photos and downloads.csv: what is still to be fetched, by whom, and what became of it.

How one address is fetched safely is `http.py`'s matter, in which order `schedule.py`'s.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import queue
import random
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dataset import tables
from download.address import ANYWHERE
from download.http import Client, Outcome
from download.plan import Plan, compare, forget, reasons_named, wanted
from download.schedule import Job, Schedule
from visavis import images
from visavis.command import InputError, Seconds, say

LONGEST_PAUSE = 600.0
"""Seconds. A host that asks for a longer one (Retry-After) is left alone for the rest of the run."""

_PARTIAL = ".partial"  # the folder in images/ for what is being written
_INTERRUPT_PATIENCE = 1.0  # seconds in which workers may still hand in what they have


@dataclass
class Options:
    """Fetch the photos of labels.csv into images/, and write what became of each into downloads.csv.

    Stop it at any moment and start it again: images that have a row are not fetched again.
    """

    data: Path = Path("data")
    """The data folder."""
    connections: int = 32
    """Connections at once."""
    per_host: int = 4
    """Connections to one host at once."""
    timeout: Seconds = 10.0
    """How long to wait for a connection, and for the next byte."""
    deadline: Seconds = 30.0
    """How long one try at an address may take as a whole, redirects included."""
    max_bytes: int = 20_000_000
    """Largest file, in bytes."""
    max_pixels: int = images.MAX_PIXELS
    """Largest picture, in pixels (width times height), judged before it is decoded."""
    retries: int = 2
    """Further tries after a failure that may pass (timeouts, HTTP 5xx and the like)."""
    backoff: Seconds = 1.0
    """Pause before the first further try; it doubles with each, and varies by half."""
    retry: str | None = None
    """Try images again that were attempted in earlier runs: `failed`, or reasons such as `timeout,dns`."""
    allow_private: bool = False
    """Fetch from loopback, private and reserved addresses too (for a server of your own)."""


def run(options: Options) -> int:
    """Fetch what is missing; return the exit status: 3 where images failed that may be tried again.

    Raises InputError for a missing or broken table, another run on the same folder, a full disk.
    """
    _check(options)
    again = reasons_named(options.retry)
    groups = wanted(options.data / "labels.csv")
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # odd headers are the web's, not the user's, matter
    try:
        with _locked(options.data):
            if again:
                forget(options.data / "downloads.csv", again)
            plan = compare(groups, options.data)
            shutil.rmtree(options.data / "images" / _PARTIAL, ignore_errors=True)  # a killed run's
            try:
                _fetch_all(plan, options)
            finally:
                shutil.rmtree(options.data / "images" / _PARTIAL, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{error.filename or options.data}: {error.strerror or error}; nothing is lost, mend it and start again"
        ) from None
    plan.report()
    if plan.statuses["failed"]:
        say(f"{plan.statuses['failed']:,} failed in a way that may pass; `--retry failed` tries them again")
        return 3
    return 0


def _check(options: Options) -> None:
    for name in ("connections", "per_host", "max_bytes", "max_pixels", "timeout", "deadline"):
        if getattr(options, name) <= 0:
            raise InputError(f"--{name.replace('_', '-')} {getattr(options, name):g}: give more than 0")
    for name in ("retries", "backoff"):
        if getattr(options, name) < 0:
            raise InputError(f"--{name} {getattr(options, name):g}: give 0 or more")


def _fetch_all(plan: Plan, options: Options) -> None:
    """Work through the plan with threads; only this one writes the table."""
    folder = options.data / "images"
    results: queue.SimpleQueue[list[dict[str, Any]] | Exception] = queue.SimpleQueue()
    pending = sum(len(job.image_ids) for job in plan.jobs) + sum(len(ids) for _, ids in plan.answered)
    schedule = Schedule(plan.jobs, options.per_host)
    with (
        tables.Appender(options.data / "downloads.csv") as table,
        tqdm(total=pending, unit="image", desc="images") as bar,
        Client(
            timeout=options.timeout,
            deadline=options.deadline,
            max_bytes=options.max_bytes,
            per_host=options.per_host,
            connections=options.connections,
            allow=ANYWHERE if options.allow_private else (),
        ) as client,
    ):

        def record(rows: list[dict[str, Any]]) -> None:
            for row in rows:
                table.add(row)
                plan.note(row)
            bar.update(len(rows))
            bar.set_postfix(plan.statuses, refresh=False)

        for answer, image_ids in plan.answered:
            record(_shared(answer, image_ids, options.data))
        workers = [
            threading.Thread(target=_work, args=(schedule, client, folder, options, results), daemon=True)
            for _ in range(min(options.connections, len(plan.jobs)))
        ]
        try:
            for worker in workers:
                worker.start()
            left = sum(len(job.image_ids) for job in plan.jobs)
            while left:
                result = results.get()
                if isinstance(result, Exception):
                    raise result
                left -= len(result)
                record(result)
        except BaseException as problem:
            schedule.stop()
            client.stop()
            end = time.monotonic() + _INTERRUPT_PATIENCE
            for worker in workers:
                if worker.is_alive():
                    worker.join(max(0.0, end - time.monotonic()))
            with contextlib.suppress(queue.Empty):
                while True:
                    result = results.get_nowait()
                    if isinstance(result, list):
                        record(result)
            if isinstance(problem, KeyboardInterrupt):
                bar.close()
                say(f"{plan.outcomes.total():,} of {plan.total:,} images are done; the same command again goes on")
            raise


def _work(
    schedule: Schedule,
    client: Client,
    folder: Path,
    options: Options,
    results: "queue.SimpleQueue[list[dict[str, Any]] | Exception]",
) -> None:
    """One worker: take jobs until there are none left."""
    try:
        while (job := schedule.take()) is not None:
            outcome, header = _judge(Outcome("", _kept(folder, job.image_ids), 200), options.max_pixels)
            if outcome.status != "ok":
                began = time.monotonic()
                outcome, header = _judge(client.get(job.url), options.max_pixels)
                job.attempts += 1
                job.seconds += time.monotonic() - began
            if outcome.status != "ok" and schedule.stopped:
                return  # broken off, no verdict
            if outcome.status == "failed":
                if outcome.retry_after and not _obey(outcome, job, schedule, results):
                    outcome = Outcome("retry_later", b"", outcome.http_status)
                elif job.attempts <= options.retries:
                    pause = options.backoff * 2 ** (job.attempts - 1) * random.uniform(0.5, 1.5)
                    schedule.again(job, max(pause, outcome.retry_after or 0))
                    continue
            results.put([_row(image_id, job, outcome, header, folder) for image_id in job.image_ids])
            schedule.finish(job)
    except Exception as error:  # noqa: BLE001 a full disk, and what nobody foresaw: the main thread raises it
        results.put(error)


def _judge(outcome: Outcome, max_pixels: int) -> tuple[Outcome, images.Header | None]:
    """Whether the bytes are a whole photo, whatever they were called."""
    if outcome.status != "ok":
        return outcome, None
    try:
        return outcome, images.inspect(outcome.body, max_pixels)
    except images.ImageError as error:
        return Outcome(error.reason, b"", outcome.http_status), None


def _obey(
    outcome: Outcome, job: Job, schedule: Schedule, results: "queue.SimpleQueue[list[dict[str, Any]] | Exception]"
) -> bool:
    """Leave the host alone for as long as it asks; False where that is longer than a run waits."""
    assert outcome.retry_after is not None
    if outcome.retry_after <= LONGEST_PAUSE:
        schedule.pause(job.host, outcome.retry_after)
        return True
    for lost in schedule.give_up(job.host):
        results.put([_row(image_id, lost, Outcome("retry_later"), None, Path()) for image_id in lost.image_ids])
    return False


def _row(image_id: str, job: Job, outcome: Outcome, header: images.Header | None, folder: Path) -> dict[str, Any]:
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
        name = f"{image_id}{images.EXTENSIONS[header.format]}"
        _save(folder, name, outcome.body)
        row |= {"path": f"{folder.name}/{name}", "width": header.width, "height": header.height}
        row |= {"bytes": len(outcome.body), "sha256": hashlib.sha256(outcome.body).hexdigest()}
    return row


def _shared(answer: dict[str, str], image_ids: list[str], data: Path) -> list[dict[str, Any]]:
    """Rows for images whose address was fetched for another: its verdict, and a copy of its photo."""
    rows = []
    for image_id in image_ids:
        row: dict[str, Any] = answer | {"image_id": image_id, "attempts": 0, "seconds": "0.000"}
        if answer["path"]:
            name = image_id + Path(answer["path"]).suffix
            _save(data / "images", name, (data / answer["path"]).read_bytes())
            row["path"] = f"images/{name}"
        rows.append(row)
    return rows


def _save(folder: Path, name: str, data: bytes) -> None:
    """Write a file that has its name only when it is whole."""
    path = folder / name
    temporary = folder / _PARTIAL / f"{threading.get_ident()}"
    temporary.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_bytes(data)
    os.replace(temporary, path)


def _kept(folder: Path, image_ids: Iterable[str]) -> bytes:
    """The photo of one of these images that a killed run had in place, but not yet in the table; else no bytes."""
    for image_id in image_ids:
        for extension in images.EXTENSIONS.values():
            with contextlib.suppress(FileNotFoundError):
                return (folder / f"{image_id}{extension}").read_bytes()
    return b""


@contextlib.contextmanager
def _locked(data: Path) -> Iterator[None]:
    """Keep other runs off the folder. The system lets go of the lock when the process ends, however it ends."""
    with (data / ".download.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InputError(f"another run downloads into {data} (process {file.read().strip() or '?'})") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
