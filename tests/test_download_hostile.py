"""The whole of `images` against a hostile web: for each case the exact verdict, and what was requested how often.

127.0.0.2 stands for the open internet; 127.0.0.1 stays forbidden, and a canary there counts who comes by.
"""

import gzip
import ipaddress
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from downloading import HUGE, PHOTO, downloads, encoded, files, labels, options
from hostile_site import Site, answer, drip, hang_up

from download import images

OPEN = [ipaddress.ip_network("127.0.0.2/32"), ipaddress.ip_network("127.0.0.3/32")]
SLOW = 120.0  # seconds that a server here may take


class Web:
    """A site for all names that end in `.test`, a canary on 127.0.0.1, and a resolver of the test's own."""

    def __init__(self, site: Site, canary: Site) -> None:
        self.site, self.canary = site, canary
        self.names: dict[str, list[str]] = {}
        self.resolved: Counter[str] = Counter()

    def lookup(self, host: str, port: int) -> list[str]:
        self.resolved[host] += 1
        if host == "rebind.test":  # the open internet at first, ourselves from then on
            return ["127.0.0.2"] if self.resolved[host] == 1 else ["127.0.0.1"]
        if host.startswith("dead"):
            raise socket.gaierror(-2, "Name or service not known")
        if host == "2130706433":  # as getaddrinfo reads it
            return ["127.0.0.1"]
        return self.names.get(host, [host.strip("[]") if ":" in host or host[0].isdigit() else "127.0.0.2"])

    def run(self, data: Path, urls: dict[str, str], **changes) -> int:
        labels(data, urls)
        changed = {
            "allow_private": False,
            "retries": 1,
            "connections": 16,
            "backoff": 0.02,
            "put_aside": 0.05,
        } | changes
        return images.run(options(data, **changed), lookup=self.lookup, allow=OPEN)


@pytest.fixture
def web():
    with Site("127.0.0.2") as site, Site("127.0.0.1") as canary:
        site.routes["/photo"] = answer(PHOTO)
        canary.routes["/photo"] = answer(PHOTO)
        yield Web(site, canary)
        assert canary.connections == 0, "a forbidden address was connected to"


def then(*answers: bytes):
    """A route that gives each answer once, and the last one for ever."""
    left = list(answers)

    def route(connection, request):
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return route


def closing(data: bytes):
    def route(connection, request):
        connection.sendall(data)
        hang_up(connection)

    return route


def test_every_case_has_its_verdict_and_its_number_of_requests(web, tmp_path):
    site = web.site

    def inside(host: str) -> bytes:
        return answer(b"", "302 Go", Location=web.canary.url("/photo", host))

    bomb = gzip.compress(bytes(50_000_000))
    ok, failed, refused = "ok", "failed", "refused"
    # name: (what the site does, status, reason, requests)
    cases = {
        "200": (answer(PHOTO), ok, "", 1),
        "html-name": (answer(PHOTO, Content_Type="text/html"), ok, "", 1),
        "gif": (answer(encoded("GIF")), ok, "", 1),
        "webp": (answer(encoded("WEBP")), ok, "", 1),
        "bmp": (answer(encoded("BMP")), ok, "", 1),
        "cmyk": (answer(encoded("JPEG", "CMYK")), ok, "", 1),
        "caf%C3%A9%20%2F.jpg": (answer(PHOTO), ok, "", 1),
        "500-then-200": (then(answer(b"", "500 Oh"), answer(PHOTO)), ok, "", 2),
        "429-then-200": (then(answer(b"", "429 Slow", Retry_After=1), answer(PHOTO)), ok, "", 2),
        "503": (answer(b"", "503 Oh"), failed, "http_5xx", 2),
        "429": (answer(b"", "429 Slow", Retry_After=1), failed, "http_429", 2),
        "403": (answer(b"x", "403 No"), refused, "http_403", 1),
        "404": (answer(b"x", "404 No"), refused, "http_404", 1),
        "410": (answer(b"x", "410 No"), refused, "http_410", 1),
        "html": (answer(b"<html>sold!</html>"), refused, "not_image", 1),
        "svg": (answer(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), refused, "not_image", 1),
        "empty": (answer(b""), refused, "empty", 1),
        "truncated": (answer(PHOTO[:-200]), failed, "truncated", 2),
        "says-more": (closing(answer(PHOTO, Content_Length=len(PHOTO) + 9)), failed, "truncated", 2),
        "says-less": (answer(PHOTO, Content_Length=len(PHOTO) - 200), failed, "protocol", 2),
        "mid-header": (closing(b"HTTP/1.1 200 OK\r\nContent-Le"), failed, "protocol", 2),
        "long-header": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", failed, "protocol", 2),
        "endless": (drip(bytes(65536), answer(Content_Length=None), pause=0), refused, "too_large", 1),
        "bomb": (answer(bomb, Content_Encoding="gzip"), refused, "too_large", 1),
        "huge": (answer(bytes(HUGE)), refused, "too_large", 1),
        "cookie": (answer(PHOTO, Set_Cookie="a=b; Path=/"), ok, "", 1),
        "noai": (answer(PHOTO, X_Robots_Tag="noai"), refused, "robots", 1),
        "chain0": (answer(b"", "301 Go", Location="/chain1"), ok, "", 1),
        "chain1": (answer(b"", "301 Go", Location="chain2"), ok, "", 2),
        "chain2": (answer(b"", "301 Go", Location=site.url("/photo", "two.test")), ok, "", 3),
        "loop": (answer(b"", "302 Go", Location="/loop"), refused, "too_many_redirects", 6),
        "to-loopback": (inside("127.0.0.1"), refused, "private_address", 1),
        "to-mapped": (inside("[::ffff:127.0.0.1]"), refused, "private_address", 1),
        "to-number": (inside("2130706433"), refused, "private_address", 1),
        "to-file": (answer(b"", "302 Go", Location="file:///etc/passwd"), refused, "bad_url", 1),
    }  # fmt: skip
    site.routes |= {f"/{name}": route for name, (route, *_) in cases.items()}
    urls = {f"x/{number}": site.url(f"/{name}", "site.test") for number, name in enumerate(cases)}
    assert web.run(tmp_path, urls, max_bytes=1_000_000, per_host=8) == 3
    table = downloads(tmp_path)
    found = {
        name: (table[f"x/{number}"]["status"], table[f"x/{number}"]["reason"], site.count(f"/{name}"))
        for number, name in enumerate(cases)
    }
    assert found == {name: (status, reason, count) for name, (_, status, reason, count) in cases.items()}
    assert site.count("/photo") == 3, "for the three chains"
    assert all("cookie" not in request.headers for request in site.requests)
    assert len(site.robots) == 2, "once for each host: site.test and two.test"
    good = [number for number, (_, status, *_) in enumerate(cases.values()) if status == ok]
    assert len(files(tmp_path)) == len(good)
    assert web.run(tmp_path, urls, max_bytes=1_000_000, per_host=8) == 3
    assert sum(site.count(f"/{name}") for name in cases) == sum(count for *_, count in cases.values()), "nothing again"


def test_names_and_addresses_that_lead_inside(web, tmp_path):
    site, canary = web.site, web.canary
    site.routes["/close"] = answer(PHOTO, Connection="close")
    web.names |= {"inside.test": ["127.0.0.1"], "six.test": ["::1"], "lan.test": ["10.0.0.1", "192.168.1.1"]}
    urls = {
        "a/1": canary.url("/photo"),
        "a/2": canary.url("/photo", "[::ffff:127.0.0.1]"),
        "a/3": canary.url("/photo", "2130706433"),
        "a/4": canary.url("/photo", "inside.test"),
        "a/5": canary.url("/photo", "six.test"),
        "a/6": "http://lan.test/photo",
        "a/7": "http://169.254.169.254/latest/meta-data",
        "b/1": site.url("/close", "rebind.test"),
        "b/2": canary.url("/photo", "rebind.test"),
    }
    # For b/1 robots.txt takes the name's one good answer: the photo itself is asked of the second.
    assert web.run(tmp_path, urls, per_host=1) == 0
    table = downloads(tmp_path)
    assert {image_id: row["reason"] for image_id, row in table.items()} == dict.fromkeys(urls, "private_address") | {
        "b/1": table["b/1"]["reason"]
    }
    assert table["b/1"]["reason"] in ("", "private_address")  # "": the connection that robots.txt came by was kept


def test_time_is_not_to_be_stretched(web, tmp_path):
    site = web.site
    site.routes |= {
        "/drip": drip(b"x", answer(Content_Length=1000), pause=0.3),
        "/mute": lambda connection, request: time.sleep(SLOW),
        "/drip-header": drip(b"X", b"HTTP/1.1 200 OK\r\n", pause=0.3),
    }
    urls = {f"a/{path.strip('/')}": site.url(path, "site.test") for path in site.routes if path != "/photo"}
    began = time.monotonic()
    assert web.run(tmp_path, urls, deadline=1.0, timeout=0.9) == 3
    assert time.monotonic() - began < SLOW / 2
    assert {row["reason"] for row in downloads(tmp_path).values()} == {"timeout"}
    assert [site.count(path) for path in ("/drip", "/mute", "/drip-header")] == [2, 2, 2]


def test_a_server_that_does_not_accept(web, tmp_path):
    web.names["full.test"] = ["127.0.0.3"]
    with socket.create_server(("127.0.0.3", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:  # they fill the queue: to the next one nobody answers
            connection.setblocking(False)
            connection.connect_ex(server.getsockname())
        urls = {f"a/{i}": f"http://full.test:{server.getsockname()[1]}/{i}" for i in range(5)}
        assert web.run(tmp_path, urls, timeout=0.3) == 3
        for connection in waiting:
            connection.close()
    assert {row["reason"] for row in downloads(tmp_path).values()} == {"timeout"}


def test_dead_hosts_are_given_up_as_a_whole_and_hold_nobody_up(web, tmp_path):
    site = web.site
    for number in range(3):
        site.routes[f"/{number}"] = answer(PHOTO)
    with socket.create_server(("127.0.0.2", 0)) as server:
        closed = server.getsockname()[1]  # nobody listens there when the block ends
    urls = {f"dead/{i}": f"http://dead.test/{i}" for i in range(40)}
    urls |= {f"shut/{i}": f"http://shut.test:{closed}/{i}" for i in range(40)}
    urls |= {f"live/{i}": site.url(f"/{i}", "live.test") for i in range(3)}
    assert web.run(tmp_path, urls, per_host=1) == 3
    table = downloads(tmp_path)
    assert Counter(row["reason"] for row in table.values()) == {"dns": 40, "connect": 40, "": 3}
    assert web.resolved["dead.test"] == web.resolved["shut.test"] == 4, "three times, and once more later"
    assert sum(int(table[f"dead/{i}"]["attempts"]) for i in range(40)) == 4
    assert web.run(tmp_path, urls, per_host=1, retry="dns") == 3
    assert web.resolved["dead.test"] == 8 and web.resolved["shut.test"] == 4


def test_robots_that_forbid_and_robots_in_trouble(web, tmp_path):
    site = web.site

    def rules(connection, request):
        host = request.headers["host"].partition(".")[0]
        connection.sendall({
            "forbids": answer(b"User-agent: *\nDisallow: /"),
            "broken": answer(b"", "500 Oh"),
            "free": answer(b"", "404 None"),
        }[host])  # fmt: skip

    site.routes["/robots.txt"] = rules
    hosts = ("forbids", "broken", "free")
    for host in hosts:
        site.routes |= {f"/{host}/{i}": answer(PHOTO) for i in range(10)}
    urls = {f"{host}/{i}": site.url(f"/{host}/{i}", f"{host}.test") for host in hosts for i in range(10)}
    assert web.run(tmp_path, urls, per_host=1) == 3
    reasons = {host: {row["reason"] for name, row in downloads(tmp_path).items() if host in name} for host in hosts}
    assert reasons == {"forbids": {"robots"}, "broken": {"robots_unreachable"}, "free": {""}}
    asked = Counter(request.headers["host"].partition(".")[0] for request in site.robots)
    assert asked == {"forbids": 1, "broken": 4, "free": 1}
    assert len(site.requests) == 10, "those of the free host alone"
    assert web.run(tmp_path, urls, per_host=1, retry="robots,failed", ignore_robots=True) == 0
    assert len(site.requests) == 30 and len(site.robots) == 6


def test_credentials_in_an_address_stay_here(web, tmp_path):
    site = web.site
    url = site.url("/photo", "site.test").replace("http://", "http://user:secret@")
    assert web.run(tmp_path, {"a/1": url}) == 0
    assert "authorization" not in site.requests[0].headers
    assert "secret" not in str(site.requests[0].headers)


def test_leftover_bytes_do_not_answer_the_next_request(web, tmp_path):
    site = web.site
    poison = answer(PHOTO) + answer(encoded("PNG"))
    site.routes |= {"/1": poison, "/2": answer(encoded("GIF"))}
    assert web.run(tmp_path, {f"a/{i}": site.url(f"/{i}", "site.test") for i in (1, 2)}, per_host=1) == 0
    assert sorted(files(tmp_path)) == ["images/a/1.jpg", "images/a/2.gif"]


def test_who_we_are_is_said(web, tmp_path):
    site = web.site
    assert web.run(tmp_path, {"a/1": site.url("/photo", "site.test")}, contact="me@example.org") == 0
    for request in site.requests + site.robots:
        assert request.headers["user-agent"].startswith("visavis (")
        assert request.headers["user-agent"].endswith("; me@example.org)")


def test_two_runs_at_once_on_one_folder(web, tmp_path):
    hold = threading.Event()

    def held(connection, request):
        hold.wait(SLOW)
        connection.sendall(answer(PHOTO))

    web.site.routes["/held"] = held
    urls = {"a/1": web.site.url("/held", "site.test")}
    first = threading.Thread(target=web.run, args=(tmp_path, urls))
    first.start()
    while not web.site.count("/held"):
        time.sleep(0.01)
    with pytest.raises(images.InputError, match="another run is downloading into"):
        web.run(tmp_path, urls)
    hold.set()
    first.join()
    assert downloads(tmp_path)["a/1"]["status"] == "ok"
