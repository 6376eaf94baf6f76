"""aiohttp's connections, opened only to addresses that were checked; and the proxy, if there is one."""

import asyncio
import contextlib
import functools
import ipaddress
import socket
import ssl
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import certifi
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from urllib3.util import make_headers, parse_url
from yarl import URL

from download import address
from download.heads import LONGEST, BadHeadError, Head
from visavis.errors import InputError
from visavis.messages import say

KEPT = 2.0
"""Seconds that an idle connection stays open: a host's next turn comes sooner, and with a thousand hosts per second,
longer ones would exhaust the open files."""


class Connections:
    """Keep-alive connections to many hosts, direct or through a proxy. Must be made while an event loop runs.

    timeout: seconds to resolve, to connect, and of silence. allow, lookup: see `address.check`. proxies: as
    urllib.request.getproxies returns them. insecure: do not verify certificates.
    """

    def __init__(
        self,
        timeout: float,
        allow: Sequence[address.IPNetwork],
        lookup: address.Lookup,
        proxies: Mapping[str, str],
        insecure: bool,
    ) -> None:
        self.timeout, self.allow, self.lookup, self.proxies = timeout, allow, lookup, dict(proxies)
        self._tls = ssl.create_default_context()
        if insecure:
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE
        else:
            self._tls.load_verify_locations(certifi.where())  # a minimal system has no certificates of its own
        self._straight = self._session(allow, lookup)
        # The proxy may have a private address, because the user named it.
        self._by_proxy = self._session(address.ANYWHERE, address.lookup)

    async def close(self) -> None:
        """Close the connections."""
        await self._straight.close()
        await self._by_proxy.close()

    async def send(self, parsed: Any, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """One GET, no redirect followed, the body not read. Credentials in the address are not sent.

        parsed: the parts of an http(s) address, of urllib3's parse_url. Raises AddressError and what aiohttp raises.
        """
        parsed = parsed._replace(auth=None, fragment=None)
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        if self._goes_by_proxy(parsed):
            await self._check_for_proxy(parsed.host, port)
            proxy = parse_url(self.proxies[parsed.scheme])
            known_by = make_headers(proxy_basic_auth=proxy.auth) if proxy.auth else {}
            return await self._by_proxy.get(
                _address_of(parsed),
                headers=headers | (known_by if parsed.scheme == "http" else {}),
                allow_redirects=False,
                proxy=proxy._replace(auth=None).url,
                proxy_headers=known_by,  # for a tunnel
            )
        if address.numeric(parsed.host):  # aiohttp would not resolve it; unusual spellings are refused
            judged = await address.check(parsed.host, port, self.timeout, self.allow, self.lookup)
            parsed = parsed._replace(host=judged[0] if ":" not in judged[0] else f"[{judged[0]}]")
        return await self._straight.get(_address_of(parsed), headers=headers, allow_redirects=False)

    def _session(self, allow: Sequence[address.IPNetwork], lookup: address.Lookup) -> aiohttp.ClientSession:
        def opened(found: Any) -> socket.socket:
            """The last check: aiohttp opens every socket here, also those to literal addresses."""
            family, kind, protocol, _, where = found
            if not address.may_connect(where[0], allow):
                raise address.AddressError("private_address", where[0])
            return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(
            limit=0,  # the schedule and `Client` hold the limits
            keepalive_timeout=KEPT,
            resolver=_Judged(self.timeout, allow, lookup),
            use_dns_cache=False,
            ssl=self._tls,
            happy_eyeballs_delay=None,
            socket_factory=opened,
        )
        assert connector._factory.func is ResponseHandler, "aiohttp makes its ends of connections in another way now"
        connector._factory = functools.partial(_Lenient, loop=asyncio.get_running_loop())
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.timeout, sock_read=self.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=["Accept-Encoding"],
            max_line_size=LONGEST,
            max_field_size=LONGEST,
            max_headers=LONGEST,
        )
        # aiohttp would repeat a request if a server hangs up; but retries are up to the schedule.
        session._retry_connection = False
        return session

    def _goes_by_proxy(self, parsed: Any) -> bool:
        """Whether a request to this parsed address goes through the proxy (`NO_PROXY` lists exceptions)."""
        if parsed.scheme not in self.proxies:
            return False
        host = f"{parsed.host}:{parsed.port}" if parsed.port else str(parsed.host)
        return not urllib.request.proxy_bypass_environment(host, self.proxies)  # type: ignore[attr-defined]

    async def _check_for_proxy(self, host: str, port: int) -> None:
        """Refuse a name that we resolve to a private address, although the proxy resolves and connects.

        Raises AddressError. A name that only the proxy can resolve is left to it.
        """
        try:
            await address.check(host.strip("[]"), port, self.timeout, self.allow, self.lookup)
        except address.AddressError as error:
            if error.reason != "dns":
                raise


def _address_of(parsed: Any) -> URL:
    """aiohttp's form of a parsed address. Raises AddressError."""
    try:
        return URL(parsed.url, encoded=True)
    except ValueError as error:
        raise address.AddressError("bad_url", str(error)) from None


class _Lenient(ResponseHandler):
    """aiohttp's end of a connection, with the head of each answer cleaned first (`heads.py`)."""

    _head: Head | None = None

    def set_response_params(self, **params: Any) -> None:
        """aiohttp calls this before it waits for an answer."""
        self._head = Head()
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Take what came from the server."""
        if self._head is None or self._parser is None or not data:
            super().data_received(data)
            return
        self._reschedule_timeout()  # of silence
        try:
            ready = self._head.feed(data)
        except BadHeadError as error:
            self.close()  # before the exception is set, because it resets that
            self.set_exception(aiohttp.ServerDisconnectedError(str(error)))
            return
        if ready is not None:
            self._head = None
            super().data_received(ready)


class _Judged(AbstractResolver):
    """Resolves names, for aiohttp, to addresses that may be connected to."""

    def __init__(self, timeout: float, allow: Sequence[address.IPNetwork], lookup: address.Lookup) -> None:
        self._timeout, self._allow, self._lookup = timeout, allow, lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host` in the order of the answer. Raises AddressError."""
        found = await address.check(host, port, self._timeout, self._allow, self._lookup)
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=port,
                family=socket.AF_INET6 if ipaddress.ip_address(ip.partition("%")[0]).version == 6 else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for ip in found
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def proxies_from_environment() -> dict[str, str]:
    """HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Raises InputError for an invalid one."""
    found = urllib.request.getproxies()
    for scheme in ("http", "https"):
        if scheme not in found:
            continue
        if "://" not in found[scheme]:
            found[scheme] = f"http://{found[scheme]}"
        proxy = None
        with contextlib.suppress(ValueError):
            proxy = parse_url(found[scheme])
        if proxy is None or proxy.scheme not in ("http", "https") or not proxy.host:
            raise InputError(f"{scheme.upper()}_PROXY is {found[scheme]!r}: give an http or https address, or unset it")
        say(f"{scheme} uses the proxy {proxy.host}, which must itself check the names that only it can resolve")
    return found
