"""No address of the inner network is connected to, in whatever spelling, by name or by redirect."""

import pytest
from hostile_site import Site, answer
from waiting import PHOTO, client

from download import address


@pytest.fixture
def site():
    with Site("127.0.0.2") as running:
        running.routes["/photo"] = answer(PHOTO)
        yield running


@pytest.fixture
def canary():
    with Site("127.0.0.1") as running:
        running.routes["/photo"] = answer(PHOTO)
        yield running
        assert running.connections == 0, "a forbidden address was connected to"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"]
    + ["[::ffff:7f00:1]", "[::]", "127.0.0.1."],
)
def test_loopback_in_all_spellings_is_refused(canary, site, host):
    site.routes["/redirect"] = answer(b"", "302 Go", Location=f"http://{host}:{canary.port}/photo")
    with client() as http:
        assert http.get(f"http://{host}:{canary.port}/photo").status != "ok"
        outcome = http.get(site.url("/redirect"))
        assert outcome.reason in ("private_address", "dns", "bad_url"), outcome  # some resolvers know no octal
    assert len(site.requests) == 1


def test_what_a_name_resolves_to_decides_each_time(canary, site):
    answers = {
        "inside.test": ["127.0.0.1"],
        "mixed.test": ["127.0.0.1", "127.0.0.2"],
        "mapped.test": ["::ffff:127.0.0.1"],
    }
    with client(answers) as http:
        assert http.get(f"http://inside.test:{canary.port}/photo").reason == "private_address"
        assert http.get(f"http://mapped.test:{canary.port}/photo").reason == "private_address"
        assert http.get(f"http://mixed.test:{site.port}/photo").status == "ok"

    calls = []

    def rebinding(host, port):
        calls.append(host)
        return ["127.0.0.2"] if len(calls) == 1 else ["127.0.0.1"]

    site.routes["/close"] = answer(PHOTO, Connection="close")
    with client(lookup=rebinding) as http:
        assert http.get(f"http://rebind.test:{site.port}/close").status == "ok"
        assert len(calls) == 1, "resolved once, and connected to that answer"
        assert http.get(f"http://rebind.test:{canary.port}/photo").reason == "private_address"


def test_allow_private_allows():
    with Site("127.0.0.1") as inside, client(allow=address.ANYWHERE) as http:
        inside.routes["/photo"] = answer(PHOTO)
        assert http.get(inside.url("/photo")).status == "ok"


def test_is_public():
    public = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::1"]
    other = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1"]
    other += ["0.0.0.0", "255.255.255.255", "192.0.2.1", "198.18.0.1", "127.8.8.8", "::", "::1", "fe80::1%eth0"]
    other += ["fc00::1", "ff02::1", "fec0::1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:db8::1"]
    other += ["::ffff:10.0.0.1", "239.255.255.250", "ff0e::1"]
    assert [ip for ip in public if not address.is_public(ip)] == []
    assert [ip for ip in other if address.is_public(ip)] == []
