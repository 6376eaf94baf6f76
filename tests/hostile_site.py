"""A web server on loopback that behaves as the web does: badly. It counts what is asked of it.

A route is a function (socket, request) that writes what it likes, or the bytes of a whole answer.
"""

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

Route = Callable[[socket.socket, "Request"], None]


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)


def answer(body: bytes = b"", status: str = "200 OK", **headers: object) -> bytes:
    """A whole HTTP answer; `Content_Type="x"` becomes a header. Content-Length is right unless given."""
    lines = {"Content_Length": len(body), "Content_Type": "image/jpeg"} | headers
    head = [f"{name.replace('_', '-')}: {value}" for name, value in lines.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *head, "", ""]).encode() + body


class Site:
    """Serves on `host` until the block ends. `requests` come in their order, those for robots.txt in `robots`."""

    def __init__(self, host: str = "127.0.0.2", certificate: str | None = None) -> None:
        self.routes: dict[str, bytes | Route] = {}
        self.requests: list[Request] = []
        self.robots: list[Request] = []
        self.connections = 0
        self.active: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self.most_together = 0
        self._lock = threading.Lock()
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._server = socket.create_server((host, 0), backlog=128)
        self.host, self.port = self._server.getsockname()
        self.closing = threading.Event()

    def url(self, path: str, host: str | None = None) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{host or self.host}:{self.port}{path}"

    def count(self, path: str) -> int:
        return sum(request.path == path for request in self.requests)

    def __enter__(self) -> "Site":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None):
        self.closing.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as lines:
                while first := lines.readline():
                    self._one(connection, first, lines)
        except OSError:
            return  # the client left, or does not trust us

    def _one(self, connection: socket.socket, first: bytes, lines) -> None:
        headers = {}
        while (line := lines.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        request = Request(first.decode("latin-1").split(" ")[1], headers)
        with self._lock:
            (self.robots if request.path == "/robots.txt" else self.requests).append(request)
        route = self.routes.get(request.path, answer(b"no", "404 Not Found"))
        if callable(route):
            route(connection, request)
        else:
            connection.sendall(route)

    def slow(self, seconds: float, body: bytes) -> Route:
        """A route that takes its time, and counts in `most_at_once` and `most_together` how many wait with it."""

        def route(connection: socket.socket, request: Request) -> None:
            host = request.headers["host"].partition(":")[0]
            with self._lock:
                self.active[host] += 1
                self.most_at_once[host] = max(self.most_at_once[host], self.active[host])
                self.most_together = max(self.most_together, self.active.total())
            time.sleep(seconds)
            with self._lock:  # before the answer: after it the client may already have sent its next request
                self.active[host] -= 1
            connection.sendall(answer(body))

        return route


def hang_up(connection: socket.socket) -> None:
    """Close, so that the client sees the end of the answer."""
    connection.shutdown(socket.SHUT_RDWR)


def drip(piece: bytes, begin: bytes, pause: float = 0.1) -> Route:
    """A route that sends `begin`, then `piece` again and again, a little later each."""

    def route(connection: socket.socket, request: Request) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return route
