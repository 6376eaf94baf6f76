"""One safe, polite GET: address check, robots, limits, redirects → an Outcome, never an exception.

It fetches bytes and says what became of it. Whether the bytes are a photo, when to try again and
where to put it is `images.py`'s matter.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import (
    HTTPError,
    LocationParseError,
    LocationValueError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as HTTPTimeout
from urllib3.util import Retry, parse_url

from download import address, robots
from download.deadline import Attempt, Watch
from download.pools import Pools
from download.reasons import REASONS, Failure, reason_of

USER_AGENT = "visavis (photo download for face detection research)"
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE = 65536


@dataclass(frozen=True)
class Outcome:
    """What became of a GET: `reason` is empty where the whole body is there, else a key of `REASONS`."""

    reason: str = ""
    body: bytes = b""
    http_status: int | None = None
    retry_after: float | None = None
    """Seconds that the server asked to be left alone for."""
    whole_host: bool = False
    """Any other address of the host would have come to the same."""

    @property
    def status(self) -> str:
        return REASONS[self.reason][0] if self.reason else "ok"


class Client:
    """Connections to many hosts, shared by many threads.

    timeout: seconds to connect, and of silence. deadline: seconds for an address, its redirects included,
    its waiting for a free connection and for robots.txt not. max_bytes: limit of a body. per_host:
    connections to a host at once. allow: networks that may be reached though they are not public. lookup:
    how names are resolved. obey_robots: robots.txt and X-Robots-Tag. proxies: as urllib.request.getproxies
    gives them. insecure: certificates are not verified. Close it (`with`) when done.
    """

    def __init__(
        self,
        timeout: float = 10.0,
        deadline: float = 30.0,
        max_bytes: int = 20_000_000,
        per_host: int = 4,
        connections: int = 64,
        allow: Sequence[address.Network] = (),
        lookup: address.Lookup = address.lookup,
        user_agent: str = USER_AGENT,
        obey_robots: bool = False,
        proxies: Mapping[str, str] | None = None,
        insecure: bool = False,
    ) -> None:
        self.timeout, self.deadline, self.max_bytes, self.per_host = timeout, deadline, max_bytes, per_host
        self.allow, self.lookup, self.user_agent = tuple(allow), lookup, user_agent
        self._watch = Watch()
        self._busy: dict[str, int] = {}
        self._freed = threading.Condition()
        self._robots = robots.Robots(self._read_robots) if obey_robots else None
        self._pools = Pools(
            self._connected,
            self._began,
            hosts=4 * connections,
            per_host=per_host,
            connections=connections,
            proxies=proxies or {},
            insecure=insecure,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._pools.clear()

    def stop(self) -> None:
        """Break off every GET under way; those to come fail at once."""
        self._watch.stop()
        with self._freed:
            self._freed.notify_all()

    def get(self, url: str) -> Outcome:
        """Fetch the whole body of an http(s) address."""
        http_status = None
        try:
            with self.open(url, obey=self._robots) as response:
                http_status = response.status
                reason = reason_of(response.status)
                if reason:
                    return Outcome(reason, b"", http_status, _retry_after(response.headers.get("Retry-After")))
                if self._robots and robots.forbids_ai(response.headers.getlist("X-Robots-Tag")):
                    raise Failure("robots", "X-Robots-Tag")
                body = self._body(response, self.max_bytes)
            return Outcome("", body, http_status)
        except Failure as failure:
            return Outcome(failure.reason, b"", http_status, failure.retry_after, failure.whole_host)

    @contextlib.contextmanager
    def open(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        deadline: float | None = None,
        obey: robots.Robots | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer to a GET after its redirects, whatever its status, with the body still to be read.

        Reading errors inside the block are translated too. Raises Failure.
        """
        with self._watch.attempt(self.deadline if deadline is None else deadline) as attempt:
            whole_host = True  # until the host has shown that it is there, or sent us to another
            try:
                for _ in range(MAX_REDIRECTS + 1):
                    parsed = _parse(url)
                    if obey is not None:
                        with attempt.suspended():
                            obey.check(parsed)
                    with self._slot(str(parsed.host), attempt):
                        response = self._send(parsed, headers or {}, attempt)
                        whole_host = False
                        try:
                            location = response.headers.get("Location") if response.status in _REDIRECTS else None
                            if location is None:
                                yield response
                                break
                        finally:
                            _leave(response)
                    url = _next(url, location)
                else:
                    raise Failure("too_many_redirects")
            except (Failure, HTTPError, OSError) as error:
                failure = error if isinstance(error, Failure) else _translate(error)
                failure.whole_host = failure.whole_host and whole_host
                raise (Failure("timeout", "", failure.whole_host) if attempt.expired else failure) from None
            if attempt.expired:  # an answer of unannounced length looks complete when it is cut off
                raise Failure("timeout")

    def _send(self, parsed: Any, headers: dict[str, str], attempt: Attempt) -> urllib3.BaseHTTPResponse:
        limit = max(0.001, min(self.timeout, attempt.left()))
        ours = {"User-Agent": self.user_agent, "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
        try:
            if self._pools.goes_by_proxy(parsed):
                self._check_for_proxy(parsed, limit)
            return self._pools.send(parsed, ours | headers, limit)
        except address.AddressError as error:
            unreachable = error.reason in ("dns", "connect", "timeout")
            raise Failure(error.reason, str(error), whole_host=unreachable) from None
        except (LocationValueError, UnicodeError) as error:
            raise Failure("bad_url", str(error)) from None

    def _check_for_proxy(self, parsed: Any, limit: float) -> None:
        """The proxy resolves and connects; a name that means a private address to us is refused all the same.

        Raises AddressError. A name that only the proxy can resolve is left to it.
        """
        try:
            address.check(str(parsed.host).strip("[]"), parsed.port or 80, limit, self.allow, self.lookup)
        except address.AddressError as error:
            if error.reason != "dns":
                raise

    def _body(self, response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and len(announced) < 20 and int(announced) > limit:
            raise Failure("too_large", f"{announced} bytes announced")
        pieces, size = [], 0
        try:
            while piece := response.read(_PIECE, decode_content=True):
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise Failure("too_large", f"more than {limit} bytes")
        except ProtocolError as error:  # shorter than announced, or the connection broke
            raise Failure("truncated", str(error)) from None
        if not size and not {"content-length", "transfer-encoding"} & {name.lower() for name in response.headers}:
            raise Failure("protocol", "closed before or in its headers' end")  # http.client takes that for an answer
        return b"".join(pieces)

    def _read_robots(self, url: str) -> tuple[int, bytes]:
        """Status and first part of a robots.txt, for `Robots`. Raises Failure."""
        with self.open(url) as response:
            if response.status == 429 or response.status >= 500:
                pause = _retry_after(response.headers.get("Retry-After"))
                raise Failure("robots_unreachable", f"HTTP status {response.status}", True, pause)
            if response.status != 200:
                return response.status, b""
            pieces, size = [], 0
            with contextlib.suppress(ProtocolError):  # what came of it counts
                while size < robots.MAX_BYTES and (piece := response.read(_PIECE, decode_content=True)):
                    pieces.append(piece)
                    size += len(piece)
            return 200, b"".join(pieces)

    @contextlib.contextmanager
    def _slot(self, host: str, attempt: Attempt) -> Iterator[None]:
        """One of the host's connections. Waiting for it is not the host's fault: the deadline waits too."""
        with attempt.suspended(), self._freed:
            while self._busy.get(host, 0) >= self.per_host and not self._watch.stopped:
                self._freed.wait()
            if self._watch.stopped:
                raise Failure("timeout", "stopped")
            self._busy[host] = self._busy.get(host, 0) + 1
        try:
            yield
        finally:
            with self._freed:
                self._busy[host] -= 1
                if not self._busy[host]:
                    del self._busy[host]
                self._freed.notify_all()

    def _connected(self, host: str, port: int, proxy: bool) -> socket.socket:
        """What a connection of urllib3's opens instead of its own: a socket to an address that was judged.

        The user named the proxy, and may have it at home.
        """
        attempt = self._watch.current()
        limit = min(self.timeout, attempt.left())
        allow = address.ANYWHERE if proxy else self.allow
        attempt.socket = address.connect(host, port, limit, allow, address.lookup if proxy else self.lookup)
        if attempt.expired:
            attempt.socket.close()
            raise Failure("timeout")
        return attempt.socket

    def _began(self, socket: Any) -> None:
        self._watch.current().socket = socket


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
    """Where a redirect leads. Headers come as Latin-1; servers that write more mean UTF-8."""
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode("utf-8")
    try:
        return urljoin(url, location)
    except ValueError:
        raise Failure("bad_url", location[:200]) from None


def _leave(response: urllib3.BaseHTTPResponse) -> None:
    """Give the connection back where little or nothing is left to read, else close it."""
    left = getattr(response, "length_remaining", None)
    if left is not None and left <= _PIECE:
        response.drain_conn()
    response.close()  # does nothing to a connection that was given back


def _translate(error: Exception) -> Failure:
    """What urllib3 or the system raised, as one of our reasons."""
    if isinstance(error, HTTPTimeout | TimeoutError):
        return Failure("timeout", str(error))
    if isinstance(error, ProxyError):
        return Failure("connect", str(error))
    if isinstance(error, SSLError | ssl.SSLError):
        return Failure("tls", str(error))
    if isinstance(error, LocationValueError):
        return Failure("bad_url", str(error))
    return Failure("protocol", str(error))  # ProtocolError, DecodeError, a reset connection


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number or a date; None where there is none or it makes no sense."""
    if not value:
        return None
    try:
        return float(Retry().parse_retry_after(value))
    except (HTTPError, ValueError, OverflowError):
        return None
