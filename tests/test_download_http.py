"""download/http.py and address.py against a hostile server on loopback."""

import asyncio
import contextlib
import fcntl
import gzip
import ipaddress
import re
import socket
import termios
import threading
import time
import zlib
from pathlib import Path

import pytest
from hostile_site import Site, answer, drip, hang_up
from waiting import Waiting

from download import address
from download.http import MAX_REDIRECTS, Client
from download.reasons import REASONS, Failure, reason_of

PHOTO = b"not decoded here, only fetched" * 100
SITE = ipaddress.ip_network("127.0.0.2/32")  # stands for the open internet; 127.0.0.1 stays forbidden
SOON = 40.0  # seconds: far below what the servers here could stretch, far above what a busy machine takes
CERTIFICATE = str(Path(__file__).with_name("photos.test.pem"))


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


def client(names: dict[str, list[str]] | None = None, **options) -> Waiting:
    def lookup(host: str, port: int) -> list[str]:
        if names and host in names:
            return names[host]
        return address.lookup(host, port)

    return Waiting(**{"timeout": 90.0, "deadline": 90.0, "allow": [SITE], "lookup": lookup} | options)


def test_plain_get_keeps_the_connection(site):
    with client() as http:
        for _ in range(3):
            outcome = http.get(site.url("/photo"))
            assert (outcome.status, outcome.body, outcome.http_status) == ("ok", PHOTO, 200)
    assert site.connections == 1
    headers = site.requests[0].headers
    assert "visavis" in headers["user-agent"]
    assert headers["host"] == f"127.0.0.2:{site.port}"


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


def test_interim_answers_without_end_are_no_answer(site):
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    site.routes |= {"/flood": drip(interim * 2000, b"", pause=0), "/hints": interim * 3 + answer(PHOTO)}
    with client() as http:
        began = time.monotonic()
        assert http.get(site.url("/flood")).reason == "protocol"
        assert time.monotonic() - began < SOON, "not the deadline's 90 seconds"
        assert http.get(site.url("/hints")).body == PHOTO


def head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK", end: bytes = b"\r\n") -> bytes:
    """A head of exactly these lines."""
    return end.join([status, *lines, b"", b""])


LENGTH = b"Content-Length: %d" % len(PHOTO)

HEADS_THAT_BROWSERS_TAKE = {
    "a long line": head(LENGTH, b"Content-Security-Policy: " + b"x" * 200_000),
    "a long cookie": head(LENGTH, b"Set-Cookie: a=" + b"x" * 9000),
    "300 headers": head(*(b"X-%d: y" % number for number in range(300)), LENGTH),
    "300 robots tags": head(LENGTH, *(b"X-Robots-Tag: other%d: noindex" % number for number in range(300))),
    "the length twice": head(LENGTH, LENGTH),
    "the length twice in a line": head(LENGTH + LENGTH.replace(b"Content-Length:", b",")),
    "a space before the colon": head(b"Server : x", LENGTH),
    "a space before the length's colon": head(LENGTH.replace(b":", b" :")),
    "a line without a colon": head(b"this is no header", LENGTH),
    "a name that is none": head(b"X Y(Z): 1", b": nothing", b"caf\xe9: 1", LENGTH),
    "controls in a value": head(b"X: a\x01\x7fb\x00c", LENGTH),
    "a folded line": head(b"X: a", b"  b", LENGTH),
    "line feeds alone": head(LENGTH, end=b"\n"),
    "no phrase": head(LENGTH, status=b"HTTP/1.1 200"),
    "a long phrase": head(LENGTH, status=b"HTTP/1.1 200 " + b"o" * 9000),
    "an empty line first": b"\r\n" + head(LENGTH),
    "an empty length": head(b"Content-Length:", b"Connection: close"),
    "no encoding": head(LENGTH, b"Transfer-Encoding: identity"),
    "a megabyte in all": head(LENGTH, *(b"X-%05d: " % number + b"y" * 90 for number in range(9000))),
}


@pytest.mark.parametrize("name", HEADS_THAT_BROWSERS_TAKE)
def test_heads_that_browsers_take(site, name):
    def route(connection, request):
        connection.sendall(HEADS_THAT_BROWSERS_TAKE[name] + PHOTO)
        if b"Connection: close" in HEADS_THAT_BROWSERS_TAKE[name]:
            hang_up(connection)

    site.routes["/odd"] = route
    with client(obey_robots=True) as http:
        site.routes["/robots.txt"] = route  # "Disallow" is not in it
        outcome = http.get(site.url("/odd"))
    assert (outcome.reason, outcome.body) == ("", PHOTO)


def test_an_odd_head_keeps_the_connection(site):
    site.routes["/odd"] = HEADS_THAT_BROWSERS_TAKE["300 headers"] + PHOTO
    with client() as http:
        assert [http.get(site.url("/odd")).body == PHOTO for _ in range(3)] == [True, True, True]
    assert site.connections == 1


def test_a_head_that_comes_byte_by_byte(site):
    def route(connection, request):
        for byte in head(b"Server : x", LENGTH, LENGTH):
            connection.sendall(bytes([byte]))
        connection.sendall(PHOTO)

    site.routes["/drip"] = route
    with client() as http:
        assert http.get(site.url("/drip")).body == PHOTO


def test_a_length_and_chunks_together_are_read_as_chunks_and_the_connection_is_closed(site):
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(PHOTO), PHOTO)
    site.routes["/both"] = head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + chunks
    with client() as http:
        assert [http.get(site.url("/both")).body == PHOTO for _ in range(2)] == [True, True]
    assert site.connections == 2


def test_a_long_signed_location_is_followed(site):
    signed = "/photo?Signature=" + "a" * 12_000
    site.routes |= {signed: answer(PHOTO), "/go": answer(b"", "302 Go", Location=signed)}
    site.routes["/twice"] = head(
        b"Location: /photo", b"Location: /photo", b"Content-Length: 0", status=b"HTTP/1.1 302 x"
    )
    site.routes["/astray"] = head(
        b"Location: /photo", b"Location: /other", b"Content-Length: 0", status=b"HTTP/1.1 302 x"
    )
    with client() as http:
        assert http.get(site.url("/go")).body == PHOTO
        assert http.get(site.url("/twice")).body == PHOTO
        assert http.get(site.url("/astray")).reason == "protocol"


def test_robots_txt_with_an_odd_head_is_obeyed(site):
    rules = b"User-agent: *\nDisallow: /private/"
    odd = [b"X-%d: y" % number for number in range(300)] + [b"Server : x", b"Content-Length: %d" % len(rules)]
    site.routes |= {"/robots.txt": head(*odd) + rules, "/private/photo": answer(PHOTO)}
    with client(obey_robots=True) as http:
        assert http.get(site.url("/private/photo")).reason == "robots"
        assert http.get(site.url("/photo")).body == PHOTO


@pytest.mark.parametrize("line", [b"X: y\r\n", b"X-Robots-Tag: y\r\n", b"x" * 65536, b" folded\r\n"])
def test_heads_without_end_are_bounded(site, line):
    sent = []

    def route(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: y\r\n")
        piece = line * (65536 // len(line))
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(piece)
                sent.append(len(piece))

    site.routes["/endless"] = route
    with client() as http:
        began = time.monotonic()
        assert http.get(site.url("/endless")).reason == "protocol"
        assert time.monotonic() - began < SOON, "not the deadline's 90 seconds"
    assert sum(sent) < 30_000_000, "what is on its way in the system's buffers comes on top of the limit of 1 MB"


def test_lengths_that_contradict_each_other_are_an_error(site):
    site.routes |= {
        "/differ": head(LENGTH, b"Content-Length: 5") + PHOTO,
        "/list": head(b"Content-Length: 5, 6") + PHOTO,
        "/words": head(b"Content-Length: many") + PHOTO,
    }
    with client() as http:
        assert [http.get(site.url(path)).reason for path in ("/differ", "/list", "/words")] == ["protocol"] * 3


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


def test_every_reason_is_documented():
    text = (Path(__file__).parents[1] / "docs" / "reasons.md").read_text(encoding="utf-8")
    section = text.partition("## downloads.csv")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `?(\w+)`? \|", section, re.MULTILINE))
    assert rows == {reason: status for reason, (status, _) in REASONS.items()}
    for status in range(201, 600):
        assert reason_of(status) in REASONS
    with pytest.raises(KeyError):
        Failure("made_up")
