"""labels.csv → photos and downloads.csv: the command, its options, and the run as a whole.

How one address is fetched safely is `http.py`'s matter, in which order `schedule.py`'s, by whom `fetch.py`'s.
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
from visavis.messages import say
from visavis.options import Count, Range


@dataclass
class Options:
    """Fetch the photos of labels.csv into images/, and write what became of each into downloads.csv.

    Stop it at any moment and start it again: images that have a row are not fetched again, but for those that an
    earlier run refused because of an option that is given otherwise now (--allow-private, --ignore-robots, --insecure,
    a larger --max-bytes, --max-pixels or --placeholder).
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
    """How long one try at an address may take as a whole, redirects included."""
    max_bytes: Count = 20_000_000
    """Largest file, in bytes."""
    max_pixels: Count = images.MAX_PIXELS
    """Largest picture, in pixels (width times height), judged before it is decoded."""
    retries: Annotated[int, Range(0)] = 2
    """Further tries after a failure that may pass (timeouts, HTTP 5xx and the like)."""
    backoff: Seconds = 1.0
    """Pause before the first further try; it doubles with each, and varies by half."""
    put_aside: Seconds = 300.0
    """How long a host that could not be reached three times in a row is put aside; where nothing else is left to
    do, eight times the back-off. After one more try it is given up as a whole."""
    retry: str | None = None
    """Try images again that were attempted in earlier runs: `failed`, or reasons such as `timeout,dns`."""
    shard: str | None = None
    """Only the hosts of one share of so many, such as 3/8, for several machines; `merge` joins what they made."""
    placeholder: Annotated[int, Range(0)] = 10
    """The same picture under at least so many identities is a placeholder, and refused; 0 lets all pass."""
    contact: str | None = None
    """Your address (mail or web) for the servers' keepers; it goes into the User-Agent."""
    ignore_robots: bool = False
    """Fetch what robots.txt forbids, and what X-Robots-Tag keeps from AI, too."""
    insecure: bool = False
    """Take photos from servers whose certificate cannot be verified."""
    allow_private: bool = False
    """Fetch from loopback, private and reserved addresses too (for a server of your own)."""


def run(options: Options, lookup: address.Lookup = address.lookup, allow: Sequence[address.Network] = ()) -> int:
    """Fetch what is missing; return the exit status: 3 where images failed that may be tried again.

    lookup: how names are resolved. allow: networks that may be reached though they are not public.
    Raises InputError for a missing or broken table, another run on the same folder, a full disk.
    """
    _check(options)
    again, shard = reasons_named(options.retry), shard_named(options.shard)
    proxies = proxies_from_environment()
    next(tables.rows(options.data / "labels.csv"), None)  # missing or broken: said before anything is written
    under = _limits(options)
    lifted = under.lifted(limits.read(options.data))
    if options.insecure:
        say("--insecure: certificates are not verified; anyone on the way may hand out other photos")
    try:
        with alone_in(options.data) as scratch, Plan(options.data, scratch, shard, again | lifted) as plan:
            limits.write(under, options.data, scratch)  # now that the rows that they lift are gone from the table
            if options.allow_private:
                allow = address.ANYWHERE
            with Photos(options.data) as photos:
                _fetch(plan, photos, _client(options, proxies, lookup, allow), options)
            if options.placeholder:
                placeholders.mark(options.data, scratch, options.placeholder, plan.tally)
            report(plan.tally, options.data, scratch)
    except OSError as error:
        raise InputError(
            f"{error.filename or options.data}: {error.strerror or error}; nothing is lost, mend it and start again"
        ) from None
    except sqlite3.OperationalError as error:
        raise InputError(f"{options.data}: {error}; nothing is lost, make room and start again") from None
    if failed := plan.tally.statuses["failed"]:
        say(f"{failed:,} failed in a way that may pass; `--retry failed` tries them again")
        return 3
    return 0


def _check(options: Options) -> None:
    if options.placeholder == 1:
        raise InputError("--placeholder 1: every photo is under one identity; give 2 or more, or 0 for none")
    if options.contact is not None and not (options.contact.strip() and _fits_a_header(options.contact)):
        raise InputError(f"--contact {options.contact!r}: give a mail or web address in plain ASCII")


def _limits(options: Options) -> Limits:
    return Limits(**{field.name: getattr(options, field.name) for field in fields(Limits)})


def _fits_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and not set(text) & set("()\\")


def _client(
    options: Options, proxies: dict[str, str], lookup: address.Lookup, allow: Sequence[address.Network]
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
    """Work through the plan, with a bar; write each row as it comes."""
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
            say(f"{tally.outcomes.total():,} of {tally.total:,} images are done; the same command again goes on")
            raise
