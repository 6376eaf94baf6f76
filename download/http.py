"""One safe, polite GET: address check, limits, redirects → an Outcome, never an exception.

It fetches bytes and says what became of it. Whether the bytes are a photo, when to try again and
where to put it is `images.py`'s matter.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    HTTPError,
    LocationParseError,
    LocationValueError,
    ProtocolError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as HTTPTimeout
from urllib3.util import Retry, parse_url

from download import address
from download.deadline import Attempt, Watch

REASONS: dict[str, tuple[str, str]] = {
    "timeout": ("failed", "no answer, or not the whole of it, in the time allowed"),
    "dns": ("failed", "the host's name was not resolved"),
    "connect": ("failed", "no connection to the host"),
    "protocol": ("failed", "the server closed early or did not speak proper HTTP"),
    "truncated": ("failed", "fewer bytes than announced, or a picture that does not decode to its end"),
    "http_408": ("failed", "HTTP status 408, the server was tired of waiting"),
    "http_429": ("failed", "HTTP status 429, too many requests"),
    "http_5xx": ("failed", "HTTP status 500 to 599, the server's trouble"),
    "retry_later": ("failed", "the host asked for a longer pause (Retry-After) than a run waits"),
    "http_403": ("refused", "HTTP status 403, forbidden"),
    "http_404": ("refused", "HTTP status 404, not found"),
    "http_410": ("refused", "HTTP status 410, gone"),
    "http_4xx": ("refused", "another HTTP status from 400 to 499"),
    "http_other": ("refused", "an HTTP status that is neither 200 nor an error, such as 204 or 304"),
    "too_many_redirects": ("refused", "more than five redirects, or a circle of them"),
    "bad_url": ("refused", "no http or https address, in the list or in a redirect"),
    "private_address": ("refused", "the host is on a private, local or reserved address; see --allow-private"),
    "tls": ("refused", "the server's certificate could not be verified, or TLS failed"),
    "empty": ("refused", "an answer without a single byte"),
    "not_image": ("refused", "the bytes are no JPEG, PNG, WebP, GIF, BMP or TIFF, whatever they were called"),
    "too_large": ("refused", "more bytes or more pixels than the limit"),
}
"""Each reason's status and meaning; the closed list of downloads.csv, explained in docs/reasons.md.

`failed` may be tried again and is, up to --retries times; `refused` is final.
"""

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

    @property
    def status(self) -> str:
        return REASONS[self.reason][0] if self.reason else "ok"


class Failure(Exception):
    """A GET that came to nothing; `reason` is a key of `REASONS`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail or REASONS[reason][1]}")
        self.reason = reason
        self.status = REASONS[reason][0]


def reason_of(http_status: int) -> str:
    """The reason for an HTTP status; empty for 200."""
    if http_status == 200:
        return ""
    exact = f"http_{http_status}"
    return exact if exact in REASONS else {4: "http_4xx", 5: "http_5xx"}.get(http_status // 100, "http_other")


class Client:
    """Connections to many hosts, shared by many threads.

    timeout: seconds to connect, and of silence. deadline: seconds for an address, its redirects
    included, its waiting for a free connection not. max_bytes: limit of a body.
    per_host: connections to a host at once. allow: networks that may be reached though they are
    not public. lookup: how names are resolved. Close it (`with`) when done.
    """

    def __init__(
        self,
        timeout: float = 10.0,
        deadline: float = 30.0,
        max_bytes: int = 20_000_000,
        per_host: int = 4,
        connections: int = 32,
        allow: Sequence[address.Network] = (),
        lookup: address.Lookup = address.lookup,
    ) -> None:
        self.timeout, self.deadline, self.max_bytes, self.per_host = timeout, deadline, max_bytes, per_host
        self.allow, self.lookup = tuple(allow), lookup
        self._watch = Watch()
        self._busy: dict[str, int] = {}
        self._freed = threading.Condition()
        tls = ssl.create_default_context()
        tls.load_verify_locations(certifi.where())  # a bare machine has no certificates of its own
        self._pools = urllib3.PoolManager(num_pools=connections, maxsize=per_host, ssl_context=tls)
        self._pools.pool_classes_by_scheme = {
            "http": _pool_class(urllib3.HTTPConnectionPool, HTTPConnection, self),
            "https": _pool_class(urllib3.HTTPSConnectionPool, HTTPSConnection, self),
        }

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
        http_status, retry_after = None, None
        try:
            with self.open(url) as response:
                http_status = response.status
                reason = reason_of(response.status)
                if reason:
                    retry_after = _retry_after(response.headers.get("Retry-After"))
                    return Outcome(reason, b"", http_status, retry_after)
                body = self._body(response)
            return Outcome("", body, http_status)
        except Failure as failure:
            return Outcome(failure.reason, b"", http_status)

    @contextlib.contextmanager
    def open(
        self, url: str, headers: dict[str, str] | None = None, deadline: float | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer to a GET after its redirects, whatever its status, with the body still to be read.

        Reading errors inside the block are translated too. Raises Failure.
        """
        with self._watch.attempt(self.deadline if deadline is None else deadline) as attempt:
            try:
                for _ in range(MAX_REDIRECTS + 1):
                    parsed = _parse(url)
                    with self._slot(str(parsed.host), attempt):
                        response = self._send(parsed, headers or {}, attempt)
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
                raise (Failure("timeout") if attempt.expired else failure) from None
            if attempt.expired:  # an answer of unannounced length looks complete when it is cut off
                raise Failure("timeout")

    def _send(self, parsed: Any, headers: dict[str, str], attempt: Attempt) -> urllib3.BaseHTTPResponse:
        limit = max(0.001, min(self.timeout, attempt.left()))
        try:
            pool = self._pools.connection_from_host(parsed.host, parsed.port, parsed.scheme)
            return pool.urlopen(
                "GET",
                parsed.request_uri,
                headers={
                    "User-Agent": USER_AGENT,
                    "Accept": "image/*,*/*;q=0.5",
                    "Accept-Encoding": "identity",
                    **headers,
                },
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=limit, read=limit),
            )
        except address.AddressError as error:
            raise Failure(error.reason, str(error)) from None
        except (LocationValueError, UnicodeError) as error:
            raise Failure("bad_url", str(error)) from None

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and len(announced) < 20 and int(announced) > self.max_bytes:
            raise Failure("too_large", f"{announced} bytes announced")
        pieces, size = [], 0
        try:
            while piece := response.read(_PIECE, decode_content=True):
                pieces.append(piece)
                size += len(piece)
                if size > self.max_bytes:
                    raise Failure("too_large", f"more than {self.max_bytes} bytes")
        except ProtocolError as error:  # shorter than announced, or the connection broke
            raise Failure("truncated", str(error)) from None
        if not size and not {"content-length", "transfer-encoding"} & {name.lower() for name in response.headers}:
            raise Failure("protocol", "closed before or in its headers' end")  # http.client takes that for an answer
        return b"".join(pieces)

    @contextlib.contextmanager
    def _slot(self, host: str, attempt: Attempt) -> Iterator[None]:
        """One of the host's connections. Waiting for it is not the host's fault: the deadline waits too."""
        left, attempt.end = attempt.left(), float("inf")
        with self._freed:
            while self._busy.get(host, 0) >= self.per_host and not self._watch.stopped:
                self._freed.wait()
            if self._watch.stopped:
                raise Failure("timeout", "stopped")
            self._busy[host] = self._busy.get(host, 0) + 1
        attempt.end = time.monotonic() + left
        try:
            yield
        finally:
            with self._freed:
                self._busy[host] -= 1
                if not self._busy[host]:
                    del self._busy[host]
                self._freed.notify_all()

    def _connected(self, host: str, port: int) -> socket.socket:
        """What a connection of urllib3's opens instead of its own: a socket to an address that was judged."""
        attempt = self._watch.current()
        limit = min(self.timeout, attempt.left())
        attempt.socket = address.connect(host, port, limit, self.allow, self.lookup)
        if attempt.expired:
            attempt.socket.close()
            raise Failure("timeout")
        return attempt.socket


def _pool_class(pool: type[Any], connection: type[Any], client: Client) -> type[Any]:
    """urllib3's pool with connections that open their sockets through the client.

    The name stays the connection's host, so that the Host header and the TLS server name are right.
    """

    class Pinned(connection):
        def _new_conn(self) -> socket.socket:
            return client._connected(self._dns_host, self.port)

        def request(self, *arguments: Any, **named: Any) -> None:
            # A kept connection is another attempt's now, and after TLS begins it has another socket.
            client._watch.current().socket = self.sock
            super().request(*arguments, **named)

    return type("PinnedPool", (pool,), {"ConnectionCls": Pinned})


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
