"""The web server around the application: its socket, its limits on connections, and how it begins and ends."""

import asyncio
import os
import socket
import ssl
import sys
import webbrowser
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from visavis.errors import InputError
from visavis.live.frames import LARGEST

LOOPBACK = ("127.0.0.1", "localhost", "::1")

CONNECTIONS = 256
"""At once; one more is closed unheard."""
HEAD_SECONDS = 10.0
"""Longest that the head of a request may take: a connection that says nothing ends then."""


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any that is free. Raises InputError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(CONNECTIONS)
    except OSError as error:
        raise InputError(f"cannot listen at {host}, `port` {port}: {error.strerror}; give another") from None
    return listener


def address(listener: socket.socket, host: str, secure: bool) -> str:
    """What a browser on this machine opens."""
    name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{name}:{listener.getsockname()[1]}/"


def run(app: ASGIApp, listener: socket.socket, certificate: Path | None, key: Path | None) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises InputError for a certificate that cannot be used."""
    config = Config(
        app,
        http=_Connection,
        ws="websockets-sansio",
        ws_max_size=LARGEST,
        ws_per_message_deflate=False,  # frames are JPEG already, and nothing can grow on its way in
        ws_ping_interval=10,
        ws_ping_timeout=10,
        lifespan="off",
        log_config=None,  # a configuration of logging would close the handlers of all other packages
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"`tls_cert` {certificate}: {error}; give a PEM file, and its key in it or as `tls_key`"
        ) from None
    Server(config).run([listener])


def open_page(url: str) -> None:
    """Open it in the browser of whoever sits here, if anybody does; a browser of the terminal is none."""
    screen = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen:
        webbrowser.open(url)


class _Connection(H11Protocol):
    """uvicorn's, which alone would wait for a request's head for ever, and for any number of them."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """What arrives of a head does not prolong its time."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._end)

    def _unwatch(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self) -> None:
        if self.transport.get_protocol() is self:  # not one that has become a WebSocket
            self.transport.close()
