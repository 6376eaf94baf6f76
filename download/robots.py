"""robots.txt, read once per host (RFC 9309, with protego), and the X-Robots-Tag of a response."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from protego import Protego

from download.reasons import Failure

AGENT = "visavis"
"""Our name in robots.txt."""

MAX_BYTES = 512 * 1024  # RFC 9309, section 2.5: at least 500 KiB are to be read
_KEPT_TEXT = 4_000_000  # characters of rules that are kept parsed; hosts met longest ago are forgotten first
_KEPT_HOSTS = 100_000
_AGENT_FIELDS = {"user-agent", "useragent", "user agent"}
_NO_AI = {"noai", "noimageai"}


@dataclass
class _Entry:
    """What is known of one origin. `rules` is None if everything is allowed."""

    known: asyncio.Event = field(default_factory=asyncio.Event)
    rules: Protego | None = None
    size: int = 0
    failure: Failure | None = None


class Robots:
    """Asks each origin once; tasks that need the same answer wait for it.

    fetch: address -> (HTTP status, body) of a GET with redirects. Raises Failure.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[tuple[int, bytes]]]) -> None:
        self._fetch = fetch
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._text = 0

    async def check(self, parsed: Any) -> None:
        """Raise Failure unless the parsed address may be fetched.

        Its reason is `robots` if the file forbids the address, and `robots_unreachable` if the file cannot be read
        because of an error of the server: then nothing may be fetched from the host. Without a file, everything may.
        """
        origin = f"{parsed.scheme}://{parsed.netloc.rpartition('@')[2]}"
        entry = self._entries.get(origin)
        if entry is None:
            entry = self._entries[origin] = _Entry()
            await self._find_out(origin, entry)
        else:
            self._entries.move_to_end(origin)
            await entry.known.wait()
        if entry.failure is not None:
            failure = entry.failure
            raise Failure(failure.reason, str(failure), failure.whole_host, failure.retry_after)
        if entry.rules is not None and not entry.rules.can_fetch(f"{origin}{parsed.request_uri}", AGENT):
            raise Failure("robots", f"{origin}/robots.txt forbids it")

    async def _find_out(self, origin: str, entry: _Entry) -> None:
        try:
            text = _text_of(*await self._fetch(f"{origin}/robots.txt"))
            if text:
                entry.rules, entry.size = Protego.parse(_for_us(text)), len(text)
        except Failure as failure:
            entry.failure = _judged(failure)
        finally:
            if entry.failure is not None:  # the next task asks again, but not those that wait
                self._entries.pop(origin, None)
            self._text += entry.size
            self._forget()
            entry.known.set()

    def _forget(self) -> None:
        """Forget the oldest origins if there are too many."""
        while self._entries and (self._text > _KEPT_TEXT or len(self._entries) > _KEPT_HOSTS):
            oldest = next(iter(self._entries))
            if not self._entries[oldest].known.is_set():
                self._entries.move_to_end(oldest)
                break
            self._text -= self._entries.pop(oldest).size


def _text_of(status: int, body: bytes) -> str:
    """The rules; empty if there are none. Raises Failure for an error of the server."""
    if status == 429 or status >= 500:
        raise Failure("robots_unreachable", f"HTTP status {status}", whole_host=True)
    return body[:MAX_BYTES].decode("utf-8-sig", "replace") if status == 200 else ""


def _for_us(text: str) -> str:
    """The rules, with all other agents under one name.

    Protego stores each rule for every agent of its group: 54 kB with two thousand names and as many rules took it ten
    seconds and 290 MB.
    """

    def line_for_us(line: str) -> str:
        field, colon, name = line.partition("#")[0].partition(":")
        agent = colon and field.strip().lower() in _AGENT_FIELDS
        return f"{field}:another" if agent and name.strip().lower().replace("*", "") not in AGENT else line

    return "\n".join(map(line_for_us, text.splitlines()))


def _judged(failure: Failure) -> Failure | None:
    """What a robots.txt that could not be fetched means for the addresses of its host; None: they may be fetched."""
    if failure.status == "refused":
        return None  # circles, a refused address, bad TLS: there is no robots.txt; the address itself is checked again
    if failure.whole_host:
        return failure
    return Failure("robots_unreachable", str(failure), True, failure.retry_after)


def forbids_ai(values: list[str]) -> bool:
    """Whether X-Robots-Tag headers say `noai` or `noimageai`, to all or to us: `noindex, noai`, `visavis: noai`."""
    for value in values:
        agent = ""
        for rule in value.lower().split(","):
            name, colon, rest = rule.strip().partition(":")
            if colon:  # in `unavailable_after: date` there is neither an agent nor a relevant rule
                agent, rule = name.strip(), rest
            if agent in ("", AGENT, "*") and rule.strip() in _NO_AI:
                return True
    return False
