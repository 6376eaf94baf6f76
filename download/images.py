"""labels.csv → photos and downloads.csv: the command, its options, and the run as a whole.

`http.py` fetches one address safely, `schedule.py` decides the order, and `fetch.py` runs the tasks.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import uvloop
from tqdm import tqdm

from dataset import tables
from download import address, fetch, limits, placeholders
from download.connections import proxies_from_environment
from download.http import USER_AGENT, Client
from download.judge import Judges
from download.limits import Limits
from download.photos import Photos
from download.plan import Plan, reasons_named, shard_named
from download.report import report
from download.scratch import alone_in
from visavis import images
from visavis.commands.commandline import Duration, Seconds
from visavis.errors import InputError
from visavis.messages import counted, say
from visavis.options import Count, Range


@dataclass
class Options:
    """Fetch the photos of labels.csv into images/, and record the outcome of each in downloads.csv.

    You can stop it at any moment and start it again: images that have a row are not fetched again, except those that an
    earlier run refused because of an option that is laxer now (--allow-private, --ignore-robots, --insecure, a larger
    --max-bytes, --max-pixels or --placeholder).
    """

    data: Path = Path("data")
    """The data folder."""
    connections: Count = 64
    """Connections at once."""
    per_host: Count = 4
    """Connections to one host at once."""
    timeout: Duration = 10.0
    """How long to wait for a connection, and for the next byte."""
    deadline: Duration = 30.0
    """How long one attempt at an address may take in all, including redirects."""
    max_bytes: Count = 20_000_000
    """Largest file, in bytes."""
    max_pixels: Count = images.MAX_PIXELS
    """Largest picture, in pixels (width times height), checked before it is decoded."""
    retries: Annotated[int, Range(0)] = 2
    """Retries after a failure that may be temporary (timeouts, HTTP 5xx and similar)."""
    backoff: Seconds = 1.0
    """Pause before the first retry; it doubles with each, and varies by half."""
    put_aside: Seconds = 300.0
    """How long a host that could not be reached three times in a row is put aside; if nothing else is left to do,
    eight times the back-off. After one more attempt, the whole host is given up."""
    retry: str | None = None
    """Retry images that failed in earlier runs: `failed`, or reasons such as `timeout,dns`."""
    shard: str | None = None
    """Only one share of the hosts, such as 3/8, for several machines; `merge` joins their results."""
    placeholder: placeholders.Least = 10
    contact: str | None = None
    """Your mail or web address for the servers' administrators; it becomes part of the User-Agent."""
    ignore_robots: bool = False
    """Also fetch what robots.txt forbids, and what X-Robots-Tag excludes from AI."""
    insecure: bool = False
    """Accept servers whose certificate cannot be verified."""
    allow_private: bool = False
    """Also fetch from loopback, private and reserved addresses (for a server of your own)."""


def run(options: Options, lookup: address.Lookup = address.lookup, allow: Sequence[address.IPNetwork] = ()) -> int:
    """Fetch what is missing. Returns the exit status: 3 if images failed that may be tried again.

    lookup: resolves names. allow: networks that may be reached although they are not public.
    Raises InputError for a missing or broken table, another run on the same folder, a full disk.
    """
    _check(options)
    again, shard = reasons_named(options.retry), shard_named(options.shard)
    proxies = proxies_from_environment()
    next(tables.rows(options.data / "labels.csv"), None)  # raises for a broken table before anything is written
    under = _limits(options)
    lifted = under.lifted(limits.read(options.data))
    if options.insecure:
        say("--insecure: certificates are not verified; anyone on the network path may replace photos")
    try:
        with alone_in(options.data) as scratch, Plan(options.data, scratch, shard, again | lifted) as plan:
            limits.write(under, options.data, scratch)  # after the rows that are to be retried are gone from the table
            if options.allow_private:
                allow = address.ANYWHERE
            with Photos(options.data) as photos:
                _fetch(plan, photos, _client(options, proxies, lookup, allow), options)
            if options.placeholder:
                placeholders.mark(options.data, scratch, options.placeholder, plan.tally)
            report(plan.tally, options.data, scratch)
    except OSError as error:
        raise InputError(
            f"{error.filename or options.data}: {error.strerror or error}; nothing is lost, fix this and start again"
        ) from None
    except sqlite3.OperationalError as error:
        raise InputError(f"{options.data}: {error}; nothing is lost, free some space and start again") from None
    if failed := plan.tally.statuses["failed"]:
        say(f"{failed:,} failed in a way that may be temporary; `--retry failed` tries them again")
        return 3
    return 0


def _check(options: Options) -> None:
    placeholders.check(options.placeholder)
    if options.contact is not None and not (options.contact.strip() and _fits_a_header(options.contact)):
        raise InputError(f"--contact {options.contact!r}: give a mail or web address in plain ASCII")


def _limits(options: Options) -> Limits:
    return Limits(**{field.name: getattr(options, field.name) for field in fields(Limits)})


def _fits_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and not set(text) & set("()\\")


def _client(
    options: Options, proxies: dict[str, str], lookup: address.Lookup, allow: Sequence[address.IPNetwork]
) -> Client:
    return Client(
        timeout=options.timeout,
        deadline=options.deadline,
        max_bytes=options.max_bytes,
        per_host=options.per_host,
        allow=allow,
        lookup=lookup,
        user_agent=USER_AGENT if options.contact is None else f"{USER_AGENT[:-1]}; {options.contact.strip()})",
        obey_robots=not options.ignore_robots,
        proxies=proxies,
        insecure=options.insecure,
    )


def _fetch(plan: Plan, photos: Photos, client: Client, options: Options) -> None:
    """Work through the plan with a progress bar, and write each row as it comes."""
    tally = plan.tally
    began, received, shown = time.monotonic(), 0, 0.0
    manners = fetch.Manners(
        connections=options.connections,
        per_host=options.per_host,
        retries=options.retries,
        backoff=options.backoff,
        put_aside=options.put_aside,
    )
    with (
        tables.Appender(options.data / "downloads.csv") as table,
        tqdm(total=tally.total, initial=tally.outcomes.total(), unit="image", desc="images") as bar,
    ):

        def record(rows: list[dict[str, Any]], host: str) -> None:
            nonlocal received, shown
            for row in rows:
                table.add(row)
                tally.note(row, host)
            received += int(rows[0].get("bytes") or 0)
            bar.update(len(rows))
            if time.monotonic() - shown > 0.2:
                show()

        def show() -> None:
            nonlocal shown
            shown = time.monotonic()
            counts = {name: tally.statuses[name] for name in ("ok", "failed", "refused")}
            bar.set_postfix({"MB/s": f"{received / 1e6 / (shown - began):.2f}"} | counts, refresh=False)

        async def go() -> None:
            async with client, Judges(options.data, options.max_pixels) as judges:
                await fetch.fetch_all(plan, client, judges, photos, manners, record)

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(go())
            show()
        except KeyboardInterrupt:
            bar.close()
            done = counted(tally.outcomes.total(), "is", "are")
            say(f"of {counted(tally.total, 'image')}, {done} done; run the command again to continue")
            raise
