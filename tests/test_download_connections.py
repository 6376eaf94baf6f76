"""Connections of the download: how many a host has, that TLS is verified, and that one can be broken off."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from hostile_site import Site, answer, drip
from waiting import PHOTO, SITE, SOON, client

from download.http import Client

CERTIFICATE = str(Path(__file__).with_name("photos.test.pem"))


@pytest.fixture
def site():
    with Site("127.0.0.2") as running:
        running.routes["/photo"] = answer(PHOTO)
        yield running


def test_plain_get_keeps_the_connection(site):
    with client() as http:
        for _ in range(3):
            outcome = http.get(site.url("/photo"))
            assert (outcome.status, outcome.body, outcome.http_status) == ("ok", PHOTO, 200)
    assert site.connections == 1
    headers = site.requests[0].headers
    assert "visavis" in headers["user-agent"]
    assert headers["host"] == f"127.0.0.2:{site.port}"


def test_per_host_holds_for_redirects_too(site):
    names = {f"host{i}.test": ["127.0.0.2"] for i in range(12)} | {"one.test": ["127.0.0.2"]}
    site.routes |= {
        "/slow": site.slow(0.05, PHOTO),
        "/go": answer(b"", "302 Go", Location=site.url("/slow", "one.test")),
    }
    outcomes = []
    with client(names, per_host=2) as http:
        threads = [
            threading.Thread(target=lambda i=i: outcomes.append(http.get(site.url("/go", f"host{i}.test"))))
            for i in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [outcome.status for outcome in outcomes] == ["ok"] * 12
    assert site.most_at_once["one.test"] == 2


def test_waiting_for_a_free_connection_is_not_counted(site):
    site.routes["/slow"] = site.slow(2.0, PHOTO)
    outcomes = []
    with client(per_host=1, timeout=10.0, deadline=10.0) as http:
        threads = [threading.Thread(target=lambda: outcomes.append(http.get(site.url("/slow")))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [outcome.status for outcome in outcomes] == ["ok"] * 6


def test_cancelling_breaks_off_at_once(site):
    site.routes["/mute"] = lambda connection, request: time.sleep(120)

    async def go() -> float:
        async with Client(timeout=120.0, deadline=120.0, per_host=1, allow=[SITE]) as http:
            tasks = [asyncio.create_task(http.get(site.url("/mute"))) for _ in range(3)]
            async with asyncio.timeout(60):
                while not site.count("/mute"):
                    await asyncio.sleep(0.01)
            began = time.monotonic()
            for task in tasks:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError) for one in found)
        return time.monotonic() - began

    assert asyncio.run(go()) < SOON
    assert site.connections == 1, "the others waited for the host's one connection"


def test_tls_is_verified_by_name_though_the_address_is_pinned(monkeypatch):
    names = {"photos.test": ["127.0.0.2"], "other.test": ["127.0.0.2"]}
    with Site("127.0.0.2", CERTIFICATE) as site:
        site.routes["/photo"] = answer(PHOTO)
        with client(names) as http:
            assert http.get(site.url("/photo", "photos.test")).reason == "tls", "nobody vouches for it"
        monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)
        with client(names) as http:
            assert http.get(site.url("/photo", "photos.test")).body == PHOTO
            assert http.get(site.url("/photo", "other.test")).reason == "tls", "the certificate is another host's"
        site.routes["/drip"] = drip(b"x", answer(Content_Length=1000))
        with client(names, timeout=120.0, deadline=0.6) as http:
            began = time.monotonic()
            assert http.get(site.url("/drip", "photos.test")).reason == "timeout"
            assert time.monotonic() - began < SOON


def test_a_server_that_never_ends_the_tls_greeting(site):
    site.routes = {}  # plain HTTP: it waits for a line that the greeting does not hold
    with client(timeout=0.5, deadline=0.5) as http:
        began = time.monotonic()
        assert http.get(f"https://127.0.0.2:{site.port}/").reason in ("timeout", "tls", "protocol")
        assert time.monotonic() - began < SOON
