"""Why connections are opened by download/address.py and not by requests-hardened, which does a part of it."""

import asyncio
import ipaddress
import socket
import time

import pytest
from hostile_site import Site, answer
from requests_hardened import Config, Manager
from requests_hardened.ip_filter import InvalidIPAddress, get_ip_address
from waiting import Waiting

from download.address import ANYWHERE, check, is_public


def test_a_server_that_drips_stretches_its_timeout_and_not_ours():
    def dripping(connection, request):
        connection.sendall(answer(Content_Length=15))
        for _ in range(15):
            time.sleep(0.1)
            connection.sendall(b"x")

    config = Config(
        ip_filter_enable=True, ip_filter_allow_loopback_ips=True, never_redirect=False, default_timeout=(0.75, 0.75)
    )
    with Site("127.0.0.2") as site:
        site.routes["/drip"] = dripping
        taken = Manager(config).send_request("GET", site.url("/drip"))
        assert taken.content == b"x" * 15, "1.5 seconds for a limit of 0.75"
        with Waiting(deadline=0.75, timeout=0.75, allow=ANYWHERE) as http:
            assert http.get(site.url("/drip")).reason == "timeout"


def test_site_local_addresses_pass_there(monkeypatch):
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fec0::1", 80, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **named: found)
    assert get_ip_address("inside.test", 80, allow_loopback=False)[0] == ipaddress.ip_address("fec0::1")
    assert not is_public("fec0::1")


def test_of_several_addresses_it_knows_the_first_alone(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("10.0.0.1", "93.184.216.34")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **named: found)
    with pytest.raises(InvalidIPAddress):
        get_ip_address("mixed.test", 80, allow_loopback=False)
    assert asyncio.run(check("mixed.test", 80, 5.0)) == ["93.184.216.34"]
