"""From a host's name to a connected socket, by way of a check that nobody can step around.

The address that is connected to is the very one that was judged: the name is resolved once, each
answer is judged, and the socket is opened to an answer that passed, never to the name again.
"""

import contextlib
import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str, int], list[str]]

ANYWHERE: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
"""For `allow`: every address, private ones included."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class AddressError(Exception):
    """No connection. `reason` is one of `dns`, `private_address`, `connect`, `timeout`, `bad_url`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def lookup(host: str, port: int) -> list[str]:
    """The IP addresses of `host` as the system resolves them. Raises OSError or UnicodeError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet.

    Loopback, private, link-local, multicast, reserved and unspecified ones do not, and an IPv6
    address that carries an IPv4 one (mapped, 6to4, Teredo, NAT64) is as public as what it carries.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        carried = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if any(carried):
            return all(is_public(str(inner)) for inner in carried if inner)
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def connect(
    host: str, port: int, timeout: float, allow: Iterable[Network] = (), lookup: Lookup = lookup
) -> socket.socket:
    """A socket connected to an address of `host` that is public or in one of the networks of `allow`.

    timeout: seconds for resolving and connecting together. Raises AddressError.
    """
    end = time.monotonic() + timeout
    permitted = check(host, port, timeout, allow, lookup)
    error = AddressError("timeout", f"no time left to connect to {host}")
    for address in permitted:
        left = end - time.monotonic()
        if left <= 0:
            break
        try:
            # A literal address: create_connection has nothing left to look up.
            return socket.create_connection((address, port), timeout=left)
        except TimeoutError:
            error = AddressError("timeout", f"{address} port {port} did not answer")
        except OSError as problem:
            error = AddressError("connect", f"{address} port {port}: {problem}")
    raise error


def check(host: str, port: int, timeout: float, allow: Iterable[Network] = (), lookup: Lookup = lookup) -> list[str]:
    """The addresses of `host` that are public or in one of the networks of `allow`; at least one.

    timeout: seconds. Raises AddressError.
    """
    addresses = _resolve(host, port, timeout, lookup)
    permitted = [address for address in addresses if is_public(address) or _inside(address, allow)]
    if not permitted:
        raise AddressError("private_address", f"{host} is {', '.join(addresses)}")
    return permitted


def _inside(address: str, networks: Iterable[Network]) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    return any(ip in network for network in networks)


def _resolve(host: str, port: int, timeout: float, lookup: Lookup) -> list[str]:
    """Look the name up, for no longer than `timeout`: the system's resolver may take minutes and cannot be stopped."""
    with contextlib.suppress(ValueError):  # an address already: other spellings of one are the resolver's to read
        return [str(ipaddress.ip_address(host.strip("[]")))]
    answer: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put(lookup(host, port))
        except (OSError, UnicodeError) as problem:  # no such name; a name that cannot be one
            answer.put(problem)

    threading.Thread(target=work, daemon=True, name="resolve").start()
    try:
        result = answer.get(timeout=max(timeout, 0))
    except queue.Empty:
        raise AddressError("dns", f"{host} was not resolved in {timeout:.0f} s") from None
    if isinstance(result, UnicodeError):
        raise AddressError("bad_url", f"{host!r} cannot be a host's name") from None
    if isinstance(result, OSError) or not result:
        raise AddressError("dns", f"{host}: {result or 'no address'}") from None
    return list(result)
