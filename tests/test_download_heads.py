"""Heads of answers that are odd, which are read as browsers read them, and those that are none."""

import contextlib
import time

import pytest
from hostile_site import Site, answer, drip, hang_up
from waiting import PHOTO, SOON, client


@pytest.fixture
def site():
    with Site("127.0.0.2") as running:
        running.routes["/photo"] = answer(PHOTO)
        yield running


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
