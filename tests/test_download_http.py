"""download/http.py against a hostile server on loopback."""

import fcntl
import gzip
import re
import socket
import termios
import time
import zlib
from pathlib import Path

import pytest
from hostile_site import Site, answer, drip, hang_up
from waiting import PHOTO, SOON, client

from download.http import MAX_REDIRECTS
from download.reasons import REASONS, Failure, reason_of


@pytest.fixture
def site():
    with Site("127.0.0.2") as running:
        running.routes["/photo"] = answer(PHOTO)
        yield running


def test_answers(site):
    routes = {
        "/403": (answer(b"x", "403 No"), "http_403"),
        "/404": (answer(b"x", "404 No"), "http_404"),
        "/410": (answer(b"x", "410 No"), "http_410"),
        "/418": (answer(b"x", "418 Teapot"), "http_4xx"),
        "/429": (answer(b"x", "429 Slow", Retry_After=7), "http_429"),
        "/500": (answer(b"x", "500 Oh"), "http_5xx"),
        "/503": (answer(b"x", "503 Oh"), "http_5xx"),
        "/204": (answer(b"", "204 None", Content_Length=None), "http_other"),
        "/302": (answer(b"", "302 Nowhere"), "http_other"),
        "/announced": (answer(b"x", Content_Length=10**12), "too_large"),
        "/header": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", "protocol"),
        "/noise": (b"\x00\x01\x02 hello\r\n\r\n", "protocol"),
        "/bomb": (answer(gzip.compress(bytes(50_000_000)), Content_Encoding="gzip"), "too_large"),
        "/aftergzip": (
            drip(bytes(65536), answer(gzip.compress(b"hi"), Content_Length=None, Content_Encoding="gzip"), 0),
            "too_large",
        ),
        "/badgzip": (answer(b"no gzip", Content_Encoding="gzip"), "protocol"),
        "/cookie": (answer(PHOTO, Set_Cookie="a=b; Path=/"), ""),
        "/with%20space/%C3%A9": (answer(PHOTO), ""),
    }
    site.routes |= {path: route for path, (route, _) in routes.items()}
    with client(max_bytes=1_000_000) as http:
        found = {path: http.get(site.url(path)) for path in routes}
        assert {path: outcome.reason for path, outcome in found.items()} == {
            path: reason for path, (_, reason) in routes.items()
        }
        assert found["/429"].retry_after == 7
        assert found["/404"].http_status == 404
        assert http.get(site.url("/with space/é")).status == "ok"
    assert all("cookie" not in request.headers for request in site.requests)


def test_bodies_that_break_off(site):
    def short(connection, request):
        connection.sendall(answer(PHOTO, Content_Length=len(PHOTO) + 1))
        hang_up(connection)

    def early(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Len")
        hang_up(connection)

    def until_the_end(connection, request):
        connection.sendall(answer(PHOTO, Content_Length=None))
        hang_up(connection)

    site.routes |= {
        "/short": short,
        "/early": early,
        "/close": until_the_end,
        "/long": answer(PHOTO + b"more", Content_Length=len(PHOTO)),
        "/endless": drip(bytes(65536), answer(Content_Length=None), pause=0),
    }
    with client(max_bytes=1_000_000) as http:
        assert http.get(site.url("/short")).reason == "truncated"
        assert http.get(site.url("/early")).reason == "protocol"
        assert http.get(site.url("/close")).body == PHOTO
        assert http.get(site.url("/long")).reason == "protocol", "what follows is no answer"
        assert http.get(site.url("/endless")).reason == "too_large"


@pytest.mark.parametrize(
    "begin, piece",
    [
        (answer(Content_Length=1000), b"x"),
        (answer(Content_Length=None), b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (answer(Content_Length=None, Transfer_Encoding="chunked"), b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x"),
    ],
)
def test_dripping_cannot_stretch_the_deadline(site, begin, piece):
    site.routes["/drip"] = drip(piece, begin)
    with client(timeout=120.0, deadline=0.6) as http:
        began = time.monotonic()
        assert http.get(site.url("/drip")).reason == "timeout"
        assert 0.4 < time.monotonic() - began < SOON
        http.client.deadline = 90.0
        assert http.get(site.url("/photo")).status == "ok", "the client is fit for more"


def test_deflate_with_and_without_its_header(site):
    raw = zlib.compressobj(wbits=-15)
    packed = {"/raw": raw.compress(PHOTO) + raw.flush(), "/zlib": zlib.compress(PHOTO)}
    for path, body in packed.items():
        site.routes[path] = answer(body, Content_Encoding="deflate")
        site.routes[path + "/slowly"] = in_two(answer(body, Content_Encoding="deflate"), len(body) - 1)
    site.routes["/noise"] = answer(b"\xff\xff\xff no deflate", Content_Encoding="deflate")
    with client() as http:
        for path in packed:
            assert http.get(site.url(path)).body == PHOTO
            assert http.get(site.url(path + "/slowly")).body == PHOTO
        assert http.get(site.url("/noise")).reason == "protocol"


def in_two(data: bytes, last: int):
    """A route that sends `data` in two goes, the second of `last` bytes when the first has been taken."""

    def route(connection, request):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(data[:-last])
        while any(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))):
            pass  # the other side has not acknowledged it yet
        connection.sendall(data[-last:])

    return route


def test_silence_and_slow_names_time_out(site):
    site.routes["/mute"] = lambda connection, request: time.sleep(120)
    with client(timeout=0.4, deadline=120.0) as http:
        began = time.monotonic()
        assert http.get(site.url("/mute")).reason == "timeout"
        assert time.monotonic() - began < SOON

    def slow(host, port):
        time.sleep(120)
        return ["127.0.0.2"]

    with client(timeout=0.4, lookup=slow) as http:
        began = time.monotonic()
        assert http.get("http://slow.test/").reason == "dns"
        assert time.monotonic() - began < SOON


def test_no_host_and_no_server():
    with client({"dead.test": ["127.0.0.2"], "empty.test": []}) as http:
        assert http.get("http://dead.test:9/").reason == "connect"
        assert http.get("http://empty.test/").reason == "dns"
        assert http.get("http://no-such-host.invalid/").reason == "dns"
        assert http.get(f"http://{'a' * 70}.test/").reason in ("bad_url", "dns")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "ftp://a/b",
        "file:///etc/passwd",
        "//a/b",
        "data:image/png;base64,AA",
        "http://[::1",
        "http://a:b/",
    ]
    + ["javascript:alert(1)", "photo.jpg", "http://a:99999999/", "http:///x"],
)
def test_addresses_that_are_none(url):
    with client() as http:
        assert http.get(url).reason == "bad_url"


def test_redirects(site):
    for step in range(10):
        site.routes[f"/chain{step}"] = answer(b"", "301 Go", Location=f"/chain{step + 1}")
    site.routes |= {
        "/chain10": answer(PHOTO),
        "/loop": answer(b"", "302 Go", Location="/loop"),
        "/file": answer(b"", "302 Go", Location="file:///etc/passwd"),
        "/odd": answer(b"", "302 Go", Location="http://[oops/"),
        "/utf8": answer(b"", "302 Go", Location="/caf\u00e9"),
        "/caf%C3%A9": answer(PHOTO),
        "/big": drip(bytes(65536), answer(b"", "302 Go", Location="/photo", Content_Length=None), 0),
    }
    with client() as http:
        assert http.get(site.url(f"/chain{10 - MAX_REDIRECTS}")).status == "ok"
        before = len(site.requests)
        assert http.get(site.url("/chain0")).reason == "too_many_redirects"
        assert len(site.requests) - before == MAX_REDIRECTS + 1
        assert http.get(site.url("/loop")).reason == "too_many_redirects"
        assert http.get(site.url("/file")).reason == "bad_url"
        assert http.get(site.url("/odd")).reason == "bad_url"
        assert http.get(site.url("/utf8")).status == "ok"
        assert http.get(site.url("/big")).status == "ok", "a redirect's body is not read to its end"


def test_every_reason_is_documented():
    text = (Path(__file__).parents[1] / "docs" / "reasons.md").read_text(encoding="utf-8")
    section = text.partition("## downloads.csv")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `?(\w+)`? \|", section, re.MULTILINE))
    assert rows == {reason: status for reason, (status, _) in REASONS.items()}
    for status in range(201, 600):
        assert reason_of(status) in REASONS
    with pytest.raises(KeyError):
        Failure("made_up")
