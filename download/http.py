"""One safe, polite GET: address check, robots, limits, redirects → a Fetched, never an exception.

It fetches bytes and reports the outcome. `judge.py` decides whether the bytes are a photo, `fetch.py` when to try again
and where to save it.
"""

import asyncio
import contextlib
import errno
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import aiohttp
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Retry, parse_url

from download import address, robots
from download.connections import Connections
from download.reasons import REASONS, Failure, reason_of

USER_AGENT = "visavis (photo download for face detection research)"
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE = 65536


@dataclass(frozen=True)
class Fetched:
    """The outcome of a GET: `reason` is empty if the whole body is there, otherwise a key of `REASONS`."""

    reason: str = ""
    body: bytes = b""
    http_status: int | None = None
    retry_after: float | None = None
    """Seconds for which the server asked to be left alone."""
    whole_host: bool = False
    """Whether every other address of the host would have the same outcome."""

    @property
    def status(self) -> str:
        return REASONS[self.reason][0] if self.reason else "ok"


class Client:
    """Connections to many hosts, for all tasks of one event loop. Use as an asynchronous context manager.

    timeout: seconds to connect, and of silence. deadline: seconds for an address, including redirects, but not
    the wait for a free connection and for robots.txt. max_bytes: limit of a body. per_host: connections to a
    host at once. allow: networks that may be reached although they are not public. lookup: resolves names.
    obey_robots: robots.txt and X-Robots-Tag. proxies: as urllib.request.getproxies returns them. insecure: do
    not verify certificates.
    """

    def __init__(
        self,
        timeout: float = 10.0,
        deadline: float = 30.0,
        max_bytes: int = 20_000_000,
        per_host: int = 4,
        allow: Sequence[address.IPNetwork] = (),
        lookup: address.Lookup = address.lookup,
        user_agent: str = USER_AGENT,
        obey_robots: bool = False,
        proxies: Mapping[str, str] | None = None,
        insecure: bool = False,
    ) -> None:
        self.timeout, self.deadline, self.max_bytes, self.per_host = timeout, deadline, max_bytes, per_host
        self._connect = lambda: Connections(timeout, tuple(allow), lookup, proxies or {}, insecure)
        self._headers = {"User-Agent": user_agent, "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
        self._robots = robots.Robots(self._read_robots) if obey_robots else None
        self._slots: dict[str, _Slots] = {}

    async def __aenter__(self) -> "Client":
        self._connections = self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connections.close()

    async def get(self, url: str) -> Fetched:
        """Fetch the whole body of an http(s) address."""
        http_status = None
        try:
            async with self.open(url, obey=self._robots) as response:
                http_status = response.status
                reason = reason_of(response.status)
                if reason:
                    return Fetched(reason, b"", http_status, _retry_after(response.headers.get("Retry-After")))
                if self._robots and robots.forbids_ai(response.headers.getall("X-Robots-Tag", [])):
                    raise Failure("robots", "X-Robots-Tag")
                body = await self._body(response)
            return Fetched("", body, http_status)
        except Failure as failure:
            return Fetched(failure.reason, b"", http_status, failure.retry_after, failure.whole_host)

    @contextlib.asynccontextmanager
    async def open(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        deadline: float | None = None,
        obey: robots.Robots | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to a GET after its redirects, whatever its status, whose body is still to be read, undecoded.

        Reading errors inside the block are translated, too. Raises Failure, and OSError if this process has too many
        open files.
        """
        whole_host = True  # until the host has answered, or redirected us to another
        try:
            async with asyncio.timeout(self.deadline if deadline is None else deadline) as limit:
                for _ in range(MAX_REDIRECTS + 1):
                    parsed = _parse(url)
                    if obey is not None:
                        with _suspended(limit):
                            await obey.check(parsed)
                    async with self._slot(str(parsed.host).rstrip("."), limit):
                        response = await self._connections.send(parsed, self._headers | (headers or {}))
                        whole_host = False
                        try:
                            location = response.headers.get("Location") if response.status in _REDIRECTS else None
                            if location is None:
                                yield response
                            await _leave(response)
                        finally:
                            response.close()  # has no effect on a connection that was given back
                        if location is None:
                            return
                    url = _next(url, location)
                raise Failure("too_many_redirects")
        except (Failure, address.AddressError, aiohttp.ClientError, ssl.SSLError, TimeoutError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):  # not the host's fault
                remedy = "give fewer --connections, or raise `ulimit -n`"
                raise OSError(error.errno, f"too many open files; {remedy}") from None
            failure = error if isinstance(error, Failure) else _translate(error)
            failure.whole_host = failure.whole_host and whole_host
            raise failure from None

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        limit, announced = self.max_bytes, response.content_length
        if announced is not None and announced > limit:
            raise Failure("too_large", f"{announced} bytes announced")
        unpack = _unpacker(response.headers.get("Content-Encoding", ""))
        pieces, size, came = [], 0, 0
        async for packed in response.content.iter_any():
            piece = unpack(packed, limit + 1 - size)
            pieces.append(piece)
            size, came = size + len(piece), came + len(packed)
            if max(size, came) > limit:
                raise Failure("too_large", f"more than {limit} bytes")
        return b"".join(pieces)

    async def _read_robots(self, url: str) -> tuple[int, bytes]:
        """Status and beginning of a robots.txt, for `Robots`. Raises Failure."""
        async with self.open(url) as response:
            if response.status == 429 or response.status >= 500:
                pause = _retry_after(response.headers.get("Retry-After"))
                raise Failure("robots_unreachable", f"HTTP status {response.status}", True, pause)
            if response.status != 200:
                return response.status, b""
            unpack = _unpacker(response.headers.get("Content-Encoding", ""))
            rules, came = bytearray(), 0
            with contextlib.suppress(aiohttp.ClientPayloadError):  # what has arrived counts
                async for packed in response.content.iter_any():
                    rules += unpack(packed, robots.MAX_BYTES - len(rules))
                    came += len(packed)
                    if max(len(rules), came) >= robots.MAX_BYTES:
                        break
            return 200, bytes(rules)

    @contextlib.asynccontextmanager
    async def _slot(self, host: str, limit: asyncio.Timeout) -> AsyncIterator[None]:
        """One of the host's connections. Waiting for it is not the host's fault: the deadline waits too."""
        slots = self._slots.setdefault(host, _Slots(asyncio.Semaphore(self.per_host)))
        slots.users += 1
        try:
            with _suspended(limit):
                await slots.free.acquire()
            try:
                yield
            finally:
                slots.free.release()
        finally:
            slots.users -= 1
            if not slots.users:
                del self._slots[host]


@dataclass
class _Slots:
    free: asyncio.Semaphore
    users: int = 0


@contextlib.contextmanager
def _suspended(limit: asyncio.Timeout) -> Iterator[None]:
    """Stops the clock of `limit` while we wait for something that is not the server's fault."""
    end = limit.when()
    if end is None:
        yield
        return
    loop = asyncio.get_running_loop()
    left = end - loop.time()
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(loop.time() + left)


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """(piece, rough limit in bytes) -> the piece decompressed. Some servers compress although we do not ask for it."""
    encoding = encoding.strip().lower()
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return lambda piece, most: piece
    unpacker = zlib.decompressobj(wbits=47)  # recognises the headers of gzip and of zlib
    begin = b""

    def unpack(piece: bytes, most: int) -> bytes:
        nonlocal unpacker, begin
        if unpacker.eof:  # zlib would keep everything that follows
            return b""
        if encoding == "deflate" and len(begin) < 2:  # some servers leave out its header of two bytes
            begin += piece
            if len(begin) < 2:
                return b""
            if begin[0] & 15 != 8 or int.from_bytes(begin[:2]) % 31:  # RFC 1950, section 2.2
                unpacker = zlib.decompressobj(wbits=-15)
            piece = begin
        try:
            return unpacker.decompress(piece, max(1, most))
        except zlib.error as error:
            raise Failure("protocol", f"{encoding}: {error}") from None

    return unpack


def _parse(url: str) -> Any:
    """The parts of an http or https address. Raises Failure (`bad_url`)."""
    try:
        parsed = parse_url(url)
    except LocationParseError:
        raise Failure("bad_url", url[:200]) from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise Failure("bad_url", url[:200])
    return parsed


def _next(url: str, location: str) -> str:
    """The target of a redirect. A header that is not UTF-8 has surrogates for its bytes, and is read as Latin-1."""
    location = location.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return urljoin(url, location)
    except ValueError:
        raise Failure("bad_url", location[:200]) from None


async def _leave(response: aiohttp.ClientResponse) -> None:
    """Give the connection back if little or nothing is left to read."""
    if response.content_length is not None and response.content_length <= _PIECE:
        with contextlib.suppress(aiohttp.ClientError):
            await response.content.read()


def _translate(error: Exception) -> Failure:
    """An error of our address check, aiohttp or the system, as one of our reasons."""
    says = str(error)[:200]  # a parser may quote all of its input
    if isinstance(error, address.AddressError):
        return Failure(error.reason, says, whole_host=error.reason == "dns")
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "os_error", None), TimeoutError):
        connecting = isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError)
        return Failure("timeout", says, whole_host=connecting)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Failure("tls", says)
    if isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientConnectorError):
        return Failure("connect", says, whole_host=True)
    if isinstance(error, aiohttp.ClientPayloadError):  # shorter than announced, or the connection broke
        return Failure("truncated", says)
    if isinstance(error, aiohttp.InvalidURL):
        return Failure("bad_url", says)
    return Failure("protocol", says)  # a reset connection, or a response that is not HTTP


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number or a date; None if there is none or it is invalid."""
    if not value:
        return None
    try:
        return float(Retry().parse_retry_after(value))
    except (HTTPError, ValueError, OverflowError):
        return None
