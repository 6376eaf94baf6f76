"""Clients of `visavis serve` that send what they should not, or too much, or nothing: nobody else notices."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from clips import clip
from server import Served, live, served

ConnectionClosed = pytest.importorskip("websockets.exceptions").ConnectionClosed
pytest.importorskip("websockets.sync.client")
pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served("--max-bytes", "3000000", "--max-pixels", "2000000") as one:
        yield one


def test_a_client_that_leaves_ends_the_work_on_its_video(server: Served, tmp_path: Path) -> None:
    data = clip(tmp_path / "c.mp4", range(0, 40_000, 40), sound=None).read_bytes()
    place = urlsplit(server.base)
    with socket.create_connection((place.hostname, place.port)) as one:
        head = "POST /v1/detect?name=c.mp4&progress=left HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
        one.sendall(head.encode() % len(data) + data)
        while not server.get("/v1/progress/left").json()["done"]:
            time.sleep(0.02)
    until = time.monotonic() + 60
    while (done := server.get("/v1/progress/left").json()["done"]) and time.monotonic() < until:
        assert done < 1000
        time.sleep(0.1)
    assert not done


def test_a_body_of_unknown_length_is_cut_off(server: Served) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield bytes(100_000)

    answer = server.post("/v1/detect", endless())
    assert answer.status_code == 413


def test_every_answer_forbids_scripts_and_foreign_requests(server: Served) -> None:
    for path in ("/", "/docs", "/page/main.js", "/v1/about", "/no-such"):
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';") and "unsafe" not in policy
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in server.get("/").text and "http" not in server.get("/").text


def test_foreign_pages_and_names_are_refused(server: Served, photo: bytes) -> None:
    assert server.post("/v1/detect", photo, headers={"Origin": "http://evil.example"}).status_code == 403
    assert server.post("/v1/detect", photo, headers={"Origin": "null"}).status_code == 403
    assert server.get("/", headers={"Host": "evil.example"}).status_code == 421
    for origin in ("http://evil.example", "null"):
        with pytest.raises(Exception, match="403"):
            live(server, origin=origin)


def test_hostile_messages_are_answered_or_end_their_own_connection(server: Served, photo: bytes) -> None:
    with live(server) as socket:
        for text in ("{", '{"threshold": 3}', '{"threshold": "3"}', '{"look": "sharp"}', "[" * 5000, "[]"):
            socket.send(text)
            assert "error" in json.loads(socket.recv(60))
        socket.send(photo)  # nobody knows what it is to be looked at for
        assert json.loads(socket.recv(60)) == {"frame": 1, "error": "a text must be a JSON object of texts"}
        socket.send("{}")
        for data in (b"", b"words", photo[:3000]):
            socket.send(data)
            assert "cannot be read" in json.loads(socket.recv(60))["error"]
        socket.send(photo)
        assert len(json.loads(socket.recv(60))["faces"]) == 1
        with pytest.raises(ConnectionClosed):  # perhaps while it is still being sent
            _exchange(socket, bytes(5_000_000))
    assert server.get("/healthz").json() == {"status": "ok"}


def test_half_open_sockets_end_and_others_are_served_meanwhile(server: Served) -> None:
    place = urlsplit(server.base)
    began = time.monotonic()
    silent = [socket.create_connection((place.hostname, place.port)) for _ in range(50)]
    for number, one in enumerate(silent):
        one.sendall([b"", b"GET / HT", b"POST /v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\n"][number % 3])
    assert server.get("/healthz").status_code == 200
    for one in silent:
        one.settimeout(60)
        with one, one.makefile("rb") as answer:
            assert answer.readline() in (b"", b"HTTP/1.1 408 Request Timeout\r\n")
            answer.read()
    assert time.monotonic() - began < 55


def test_an_upload_that_trickles_is_ended(server: Served) -> None:
    place = urlsplit(server.base)
    with socket.create_connection((place.hostname, place.port), timeout=60) as one:
        one.sendall(b"POST /v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\nabc")
        assert b"408" in one.recv(1000).split(b"\r\n")[0]


def test_a_flood_is_answered_with_429_and_all_get_an_answer(server: Served, photo: bytes) -> None:
    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(lambda _: server.post("/v1/detect", photo), range(40)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 429}
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 429)
    assert server.post("/v1/detect", photo).status_code == 200


def _exchange(socket: Any, data: bytes) -> Any:
    socket.send(data)
    return socket.recv(60)
