"""HTTP(S)_PROXY: a real proxy on loopback, which says what it was asked for; and servers without a good certificate."""

import select
import socket
import threading
from pathlib import Path

import pytest
from downloading import PHOTO, downloads, labels, options
from hostile_site import Site, answer
from waiting import Waiting

from download import address, images
from visavis.errors import InputError

CERTIFICATE = str(Path(__file__).with_name("photos.test.pem"))


class Proxy:
    """Forwards to one site whatever it is asked for, as the resolver of all names."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.asked: list[str] = []
        self.headers: list[bytes] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://user:secret@127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, socket.create_connection((self._site.host, self._site.port)) as site:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            method, target, _ = head.decode("latin-1").split(" ", 2)
            self.asked.append(f"{method} {target}")
            self.headers.append(head)
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                rest = head.partition(b"\r\n")[2].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
                site.sendall(f"GET {path} HTTP/1.1\r\n".encode() + rest)
                # It is closed after the answer, and the answer has to say so: else it may be asked once more.
                status, _, rest = site.recv(65536).partition(b"\r\n")
                connection.sendall(status + b"\r\nConnection: close\r\n" + rest)
            ends = {connection: site, site: connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)


def lookup(host: str, port: int) -> list[str]:
    """The open internet as our own resolver has it: of the names here it knows one that leads inside."""
    if host == "inside.test":
        return ["127.0.0.1"]
    if host[0].isdigit():
        return [host]
    raise socket.gaierror(-2, "Name or service not known")


def test_http_goes_by_the_proxy_which_resolves(monkeypatch):
    with Site("127.0.0.2") as site, Proxy(site) as proxy:
        site.routes["/photo"] = answer(PHOTO)
        with Waiting(lookup=lookup, proxies={"http": proxy.url, "no": "direct.test"}) as http:
            assert http.get("http://far.test/photo").body == PHOTO
            assert http.get("http://u:p@far.test/photo").body == PHOTO
            assert http.get("http://inside.test/photo").reason == "private_address"
            assert http.get("http://127.0.0.1/photo").reason == "private_address"
            assert http.get("http://direct.test/photo").reason == "dns", "NO_PROXY: resolved by ourselves"
            assert http.get("https://far.test/photo").reason == "dns", "there is none for https"
        assert proxy.asked == ["GET http://far.test/photo"] * 2
        assert b"\r\nproxy-authorization: basic" in proxy.headers[0].lower()
        assert not any(b"\r\nauthorization" in head.lower() for head in proxy.headers)
        assert site.requests[0].headers["host"] == "far.test"


def test_https_is_a_tunnel_through_it_with_the_certificate_verified(monkeypatch):
    with Site("127.0.0.2", CERTIFICATE) as site, Proxy(site) as proxy:
        site.routes["/photo"] = answer(PHOTO)
        with Waiting(lookup=lookup, proxies={"https": proxy.url}) as http:
            assert http.get("https://photos.test/photo").reason == "tls"
        monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)
        with Waiting(lookup=lookup, proxies={"https": proxy.url}) as http:
            assert http.get("https://photos.test/photo").body == PHOTO
            assert http.get("https://other.test/photo").reason == "tls"
        assert proxy.asked == ["CONNECT photos.test:443"] * 2 + ["CONNECT other.test:443"]


def test_a_proxy_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with Waiting(lookup=lookup, proxies={"http": url, "https": url}) as http:
        assert http.get("http://far.test/").reason == "connect"
        assert http.get("https://far.test/").reason == "connect"


def test_the_command_takes_it_from_the_environment(tmp_path, monkeypatch, capfd):
    with Site("127.0.0.2") as site, Proxy(site) as proxy:
        site.routes["/photo"] = answer(PHOTO)
        monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        labels(tmp_path, {"a/1": "http://far.test/photo"})
        assert images.run(options(tmp_path, allow_private=False), lookup=lookup) == 0
        assert proxy.asked == ["GET http://far.test/robots.txt", "GET http://far.test/photo"]
    assert "uses the proxy 127.0.0.1" in (said := capfd.readouterr().err) and "secret" not in said
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
    with pytest.raises(InputError, match="HTTP_PROXY"):
        images.run(options(tmp_path))


def test_insecure_takes_any_certificate_and_says_so(tmp_path, capfd):
    with Site("127.0.0.2", CERTIFICATE) as site:
        site.routes["/photo"] = answer(PHOTO)
        labels(tmp_path, {"a/1": site.url("/photo", "unknown.test")})
        resolve = {"lookup": lambda host, port: ["127.0.0.2"], "allow": address.ANYWHERE}
        assert images.run(options(tmp_path), **resolve) == 0
        assert downloads(tmp_path)["a/1"]["reason"] == "tls"
        assert "--insecure" not in capfd.readouterr().err
        assert images.run(options(tmp_path, insecure=True, retry="tls"), **resolve) == 0
        assert downloads(tmp_path)["a/1"]["status"] == "ok"
        assert "certificates are not verified" in capfd.readouterr().err
