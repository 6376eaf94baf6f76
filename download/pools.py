"""urllib3's connections, opened by way of our own address check; and the proxy, where there is one."""

import ssl
import urllib.request
from collections.abc import Callable, Mapping
from socket import socket
from typing import Any

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import make_headers, parse_url

from visavis.command import InputError, say

Connect = Callable[[str, int, bool], socket]
"""(host, port, whether it is the proxy's) -> a connected socket."""

Notice = Callable[[Any], None]
"""Told the socket of a connection that begins a request."""


class Pools:
    """Kept connections to many hosts, straight or by way of a proxy.

    hosts: how many of them have connections kept. per_host, connections: at most so many kept, to a host
    and to the proxy. proxies: as urllib.request.getproxies gives them. insecure: certificates are not verified.
    """

    def __init__(
        self,
        connect: Connect,
        notice: Notice,
        hosts: int,
        per_host: int,
        connections: int,
        proxies: Mapping[str, str],
        insecure: bool,
    ) -> None:
        self.proxies = dict(proxies)
        tls = ssl.create_default_context()
        if insecure:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        else:
            tls.load_verify_locations(certifi.where())  # a bare machine has no certificates of its own
        named: dict[str, Any] = {"num_pools": hosts, "ssl_context": tls}
        if insecure:
            named |= {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        self._straight = urllib3.PoolManager(maxsize=per_host, **named)
        _pin(self._straight, connect, notice, proxy=False)
        self._by_proxy: dict[str, urllib3.ProxyManager] = {}
        for scheme, url in self.proxies.items():
            if scheme in ("http", "https"):
                headers = make_headers(proxy_basic_auth=parse_url(url).auth or None)
                manager = urllib3.ProxyManager(url, proxy_headers=headers, maxsize=connections, **named)
                _pin(manager, connect, notice, proxy=True)
                self._by_proxy[scheme] = manager

    def goes_by_proxy(self, parsed: Any) -> bool:
        """Whether a request to this parsed address is for the proxy (`NO_PROXY` says which are not)."""
        if parsed.scheme not in self._by_proxy:
            return False
        host = f"{parsed.host}:{parsed.port}" if parsed.port else str(parsed.host)
        return not urllib.request.proxy_bypass_environment(host, self.proxies)  # type: ignore[attr-defined]

    def send(self, parsed: Any, headers: dict[str, str], timeout: float) -> urllib3.BaseHTTPResponse:
        """One GET, no redirect followed, the body not read. Credentials in the address are not sent."""
        target = parsed.request_uri
        if self.goes_by_proxy(parsed):
            manager = self._by_proxy[parsed.scheme]
            if parsed.scheme == "http":  # a proxy is told the whole address; in TLS it is a tunnel
                target = parsed._replace(auth=None, fragment=None).url
                headers = headers | dict(manager.proxy_headers)
        else:
            manager = self._straight
        pool = manager.connection_from_host(parsed.host, parsed.port, parsed.scheme)
        return pool.urlopen(
            "GET",
            target,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,  # for a proxy it is not
            preload_content=False,
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
        )

    def clear(self) -> None:
        """Close what is kept."""
        for manager in (self._straight, *self._by_proxy.values()):
            manager.clear()


def proxies_from_environment() -> dict[str, str]:
    """HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Raises InputError for one that is not understood."""
    found = urllib.request.getproxies()
    for scheme in ("http", "https"):
        if scheme not in found:
            continue
        if "://" not in found[scheme]:
            found[scheme] = f"http://{found[scheme]}"
        proxy = parse_url(found[scheme])
        if proxy.scheme not in ("http", "https") or not proxy.host:
            raise InputError(f"{scheme.upper()}_PROXY is {found[scheme]!r}: give an http or https address, or unset it")
        say(f"{scheme} by way of the proxy {proxy.host}; names that only it can resolve are its matter to check")
    return found


def _pin(manager: urllib3.PoolManager, connect: Connect, notice: Notice, proxy: bool) -> None:
    """Give the manager connections that open their sockets through `connect`.

    The name stays the connection's host, so that the Host header and the TLS server name are right.
    """

    def pool_class(pool: type[Any], connection: type[Any]) -> type[Any]:
        class Pinned(connection):
            def _new_conn(self) -> socket:
                return connect(self._dns_host, self.port, proxy)

            def request(self, *arguments: Any, **named: Any) -> None:
                # A kept connection is another attempt's now, and after TLS begins it has another socket.
                notice(self.sock)
                super().request(*arguments, **named)

        return type("PinnedPool", (pool,), {"ConnectionCls": Pinned})

    manager.pool_classes_by_scheme = {
        "http": pool_class(urllib3.HTTPConnectionPool, HTTPConnection),
        "https": pool_class(urllib3.HTTPSConnectionPool, HTTPSConnection),
    }
