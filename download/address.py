"""From a host's name to the addresses that may be connected to.

A name is resolved for each connection, and each answer is checked; `connections.py` connects to nothing else.
"""

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str, int], list[str]]

ANYWHERE: tuple[IPNetwork, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
"""For `allow`: every address, private ones included."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class AddressError(Exception):
    """No connection. `reason` is one of `dns`, `private_address`, `bad_url`."""

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


async def check(
    host: str, port: int, timeout: float, allow: Iterable[IPNetwork] = (), lookup: Lookup = lookup
) -> list[str]:
    """The addresses of `host` that are public or in one of the networks of `allow`; at least one.

    timeout: seconds. Raises AddressError.
    """
    addresses = await _resolve(host, port, timeout, lookup)
    permitted = [address for address in addresses if may_connect(address, allow)]
    if not permitted:
        raise AddressError("private_address", f"{host} is {', '.join(addresses)}")
    return permitted


def may_connect(address: str, allow: Iterable[IPNetwork] = ()) -> bool:
    """Whether an IP address is public or in one of the networks of `allow`."""
    return is_public(address) or _inside(address, allow)


def numeric(host: str) -> bool:
    """Whether a host is a number that systems read as an IPv4 address: `2130706433`, `0x7f.1`, `127.1`."""
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def _inside(address: str, networks: Iterable[IPNetwork]) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    return any(ip in network for network in networks)


async def _resolve(host: str, port: int, timeout: float, lookup: Lookup) -> list[str]:
    """Look the name up, for no longer than `timeout`: the system's resolver may take minutes and cannot be stopped."""
    with contextlib.suppress(ValueError):  # an address already: other spellings of one are the resolver's to read
        return [str(ipaddress.ip_address(host.strip("[]")))]
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str] | OSError | UnicodeError] = loop.create_future()

    def hand_in(result: list[str] | OSError | UnicodeError) -> None:
        if not answer.done():  # otherwise nobody waits any longer
            answer.set_result(result)

    def work() -> None:
        result: list[str] | OSError | UnicodeError
        try:
            result = lookup(host, port)
        except (OSError, UnicodeError) as problem:  # no such name; a name that cannot be one
            result = problem
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(hand_in, result)

    # A thread for each name: the few threads of a pool would all wait for names whose servers are dead.
    threading.Thread(target=work, daemon=True, name="resolve").start()
    try:
        result = await asyncio.wait_for(answer, max(timeout, 0))
    except TimeoutError:
        raise AddressError("dns", f"{host} was not resolved in {timeout:.0f} s") from None
    if isinstance(result, UnicodeError):
        raise AddressError("bad_url", f"{host!r} cannot be a host's name") from None
    if isinstance(result, OSError) or not result:
        raise AddressError("dns", f"{host}: {result or 'no address'}") from None
    return list(result)
