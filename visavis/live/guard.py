"""What every request passes before anything else: is it for us, from our own page, allowed, and not too much?"""

import asyncio
import time
from collections.abc import Collection
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "visavis"
OPEN = ("/healthz",)
"""Paths that need no token."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
"""On every answer: no script but the page's own files, no request to anybody else, and nothing is kept."""

PATIENCE = 15.0
"""Seconds that an upload may take at least; each `BYTES_A_SECOND` that have come give one more."""
BYTES_A_SECOND = 100_000
DRAINED = 5.0
"""Seconds for which what nobody will look at is still read: who is refused while sending would not hear why."""


class Guard:
    """An ASGI application around another.

    hosts: names by which we may be called, None for any; else a foreign page could have its own name point at us.
    token: what a client must show, None where nobody needs to. most: bytes of a request's body.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None, token: str | None, most: int) -> None:
        self._app, self._hosts, self._token, self._most = app, hosts, token, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refused(scope, headers)
        if scope["type"] == "websocket":
            await (_closed(receive, send) if refusal else self._app(scope, receive, send))
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        body = _Body(receive, self._most)
        if refusal is None and _declared(headers) > self._most:
            refusal = PlainTextResponse(f"more than {self._most:,} bytes\n", 413)
        if refusal is not None:
            await body.drain()
            await refusal(scope, receive, sent)
            return
        scope["visavis.drain"] = body.drain
        await self._app(scope, body.receive, sent)

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return PlainTextResponse(f"this server is not called {host!r}\n", 421)
        origin = headers.get("origin")
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if origin is not None and not reads and urlsplit(origin).netloc.lower() != host.lower():
            return PlainTextResponse(f"a page from {origin!r} may not use this server\n", 403)
        if self._token is None or scope["path"] in OPEN:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and reads and self._is_token(given):
            answer = RedirectResponse("/", 303)  # the token does not stay in the address
            secure = scope["scheme"] == "https"
            answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", secure=secure)
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if self._is_token(bearer) or self._is_token(_cookie(headers)):
            return None
        said = "give the token that `visavis serve` printed, in the page's address or as Authorization: Bearer TOKEN\n"
        return PlainTextResponse(said, 401, {"www-authenticate": "Bearer"})

    def _is_token(self, given: str) -> bool:
        return self._token is not None and compare_digest(given.encode("utf-8", "replace"), self._token.encode())


class _Body:
    """A request's body, that may have so many bytes and take so long."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most = receive, most
        self._bytes, self._whole = 0, False
        self._began = time.monotonic()

    async def receive(self) -> Message:
        """The next message. Raises HTTPException."""
        if self._whole:  # what comes now is that the client has left
            return await self._receive()
        left = self._began + PATIENCE + self._bytes / BYTES_A_SECOND - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), left)
        except TimeoutError:
            raise HTTPException(408, "the upload takes too long", {"connection": "close"}) from None
        self._bytes += len(message.get("body", b""))
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        if self._bytes > self._most:
            await self.drain()
            raise HTTPException(413, f"more than {self._most:,} bytes", {"connection": "close"})
        return message

    async def drain(self) -> None:
        """Read what is left, for a while and to a limit."""
        until, left = time.monotonic() + DRAINED, self._most
        while not self._whole and left > 0:
            try:
                message = await asyncio.wait_for(self._receive(), until - time.monotonic())
            except TimeoutError:
                return
            left -= len(message.get("body", b""))
            self._whole = message["type"] != "http.request" or not message.get("more_body", False)


async def _closed(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the client sees 403


def _declared(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() else 0


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _cookie(headers: Headers) -> str:
    cookies: Any = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""
