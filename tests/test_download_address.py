"""From a host's name to the addresses that may be connected to: which, and why none."""

import asyncio
import ipaddress
import socket
import threading

import pytest

from download import address
from download.address import AddressError

INSIDE = (ipaddress.ip_network("10.0.0.0/8"),)


def checked(*answers: str, host: str = "a.test", allow=(), timeout: float = 5) -> list[str]:
    asked = []

    def lookup(name: str, port: int) -> list[str]:
        asked.append((name, port))
        return list(answers)

    found = asyncio.run(address.check(host, 443, timeout, allow, lookup))
    assert asked == [(host, 443)]
    return found


def refused(lookup, host: str = "a.test", timeout: float = 5) -> tuple[str, str]:
    with pytest.raises(AddressError) as raised:
        asyncio.run(address.check(host, 80, timeout, (), lookup))
    return raised.value.reason, str(raised.value)


def test_only_addresses_that_are_public_or_allowed_are_left():
    assert checked("10.1.2.3", "8.8.8.8", "127.0.0.1", "2606:2800:220:1::1") == ["8.8.8.8", "2606:2800:220:1::1"]
    assert checked("10.1.2.3", "8.8.8.8", "127.0.0.1", allow=INSIDE) == ["10.1.2.3", "8.8.8.8"]
    assert checked("fe80::1%eth0", allow=[ipaddress.ip_network("fe80::/10")]) == ["fe80::1%eth0"]


@pytest.mark.parametrize(
    ("host", "shown"), [("[::1]", "::1"), ("192.168.0.1", "192.168.0.1"), ("127.0.0.1", "127.0.0.1")]
)
def test_an_address_is_not_looked_up_and_is_judged_all_the_same(host: str, shown: str):
    reason = refused(lambda *_: pytest.fail("was looked up"), host)
    assert reason == ("private_address", f"private_address: {host} is {shown}")
    (found,) = asyncio.run(address.check("[2606:2800:220:1::1]", 80, 5, (), lambda *_: pytest.fail("was looked up")))
    assert found == "2606:2800:220:1::1"


def raising(error: Exception):
    def lookup(host: str, port: int) -> list[str]:
        raise error

    return lookup


def test_why_a_name_has_no_address():
    assert refused(lambda *_: ["10.0.0.1", "::1"]) == ("private_address", "private_address: a.test is 10.0.0.1, ::1")
    assert refused(lambda *_: []) == ("dns", "dns: a.test: no address")
    assert refused(raising(socket.gaierror(-2, "Name or service not known"))) == (
        "dns",
        "dns: a.test: [Errno -2] Name or service not known",
    )
    failure = UnicodeEncodeError("idna", "x", 0, 1, "label too long")
    assert refused(raising(failure), "x" * 64) == ("bad_url", f"bad_url: {'x' * 64!r} cannot be a host's name")


@pytest.mark.parametrize("over", [False, True])
def test_a_resolver_that_answers_too_late_disturbs_nobody(over: bool, monkeypatch: pytest.MonkeyPatch):
    """over: even the loop has ended meanwhile."""
    answered, complaints = threading.Event(), []
    monkeypatch.setattr(threading, "excepthook", complaints.append)

    def lookup(host: str, port: int) -> list[str]:
        assert answered.wait(30)
        return ["8.8.8.8"]

    def resolving() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "resolve" and thread.is_alive()]

    async def late() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        with pytest.raises(AddressError, match=r"dns: a\.test was not resolved in 0 s"):
            await address.check("a.test", 80, 0, (), lookup)
        if not over:
            answered.set()
            while resolving():
                await asyncio.sleep(0)
            await asyncio.sleep(0)

    before = len(resolving())
    asyncio.run(late())
    assert all(thread.daemon for thread in resolving())  # the program may end without it
    answered.set()
    for thread in resolving()[before:]:
        thread.join(30)
    assert complaints == []


def test_the_systems_answers_come_once_each_for_connections(monkeypatch: pytest.MonkeyPatch):
    def getaddrinfo(host: str, port: int, type: int) -> list[tuple]:
        assert (host, port, type) == ("a.test", 80, socket.SOCK_STREAM)
        return [(0, 0, 0, "", (one, port)) for one in ("8.8.8.8", "::1", "8.8.8.8")]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert address.lookup("a.test", 80) == ["8.8.8.8", "::1"]


@pytest.mark.parametrize(
    ("one", "public"),
    [
        ("64:ff9b::808:808", True), ("64:ff9b::7f00:1", False), ("::ffff:8.8.8.8", True), ("::ffff:10.0.0.1", False),
        ("2002:808:808::1", True), ("2002:a00:1::1", False), ("fec0::1", False), ("224.0.0.1", False),
        ("240.0.0.1", False), ("0.0.0.0", False), ("ff0e::1", False), ("fe80::1%eth0", False), ("1.1.1.1", True),
        ("2001:0:808:808::f5ff:fffe", False),  # Teredo: its client is 10.0.0.1
    ],
)  # fmt: skip
def test_an_address_that_carries_another_is_as_public_as_that(one: str, public: bool):
    assert address.is_public(one) is public and address.may_connect(one) is public
    assert address.may_connect(one, address.ANYWHERE)


def test_numbers_that_systems_read_as_addresses():
    assert [one for one in ("2130706433", "0x7f.1", "127.1", "1.2.3.4", "a.test", "::1") if address.numeric(one)] == [
        "2130706433", "0x7f.1", "127.1", "1.2.3.4",
    ]  # fmt: skip
