"""The head of an answer, as servers send it and browsers take it → one that aiohttp's strict parser takes.

aiohttp refuses a header of more than 8,190 bytes, more than 128 headers, a length that is said twice, a space before a
colon. curl and browsers take all of these. So the head is read here, leniently, and written anew with the headers that
matter to a download; everything else is left out. What is ambiguous about where a body ends stays an error.
"""

import re
from collections import Counter

LONGEST = 1_000_000
"""Bytes of an answer before its body, interim answers included."""

_STATUS = re.compile(rb"HTTP/1\.([01])[ \t]+(\d{3})(?!\d)")
_END = re.compile(rb"\n\r?\n")
_CONTROLS = bytes(code for code in range(32) if code != 9) + b"\x7f"
_WANTED = frozenset(
    (b"connection", b"content-encoding", b"content-length", b"content-range", b"etag", b"last-modified")
    + (b"location", b"proxy-connection", b"retry-after", b"transfer-encoding", b"x-robots-tag")
)
_ONCE = frozenset((b"content-length", b"location", b"transfer-encoding"))


class BadHeadError(ValueError):
    """The head is too long, or leaves open where the body ends or where a redirect leads."""


class Head:
    """Collects the head of one answer, piece by piece."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._came = 0
        self._searched = 0

    def feed(self, piece: bytes) -> bytes | None:
        """Take what came. Returns None while more is needed; then the clean head with the body's first bytes.

        Interim answers (100 to 199, but for 101) are dropped. What does not begin as HTTP does is returned as it is.
        Raises BadHeadError.
        """
        self._came += len(piece)
        self._held += piece
        while True:
            if self._held[:1] in (b"\r", b"\n"):  # an empty line may be left of the answer before
                self._held = self._held.lstrip(b"\r\n")
            if not b"HTTP/".startswith(bytes(self._held[:5])):
                return bytes(self._held)
            end = _END.search(self._held, self._searched)
            if self._came - (len(self._held) - end.end() if end else 0) > LONGEST:
                raise BadHeadError(f"more than {LONGEST:,} bytes of headers")
            if end is None:
                self._searched = max(0, len(self._held) - 2)
                return None
            head = bytes(self._held[: end.start()])
            status = _STATUS.match(head)
            if status is None:
                return bytes(self._held)
            if status[2][:1] != b"1" or status[2] == b"101":
                return _clean(head, status) + bytes(self._held[end.end() :])
            del self._held[: end.end()]
            self._searched = 0


def _clean(head: bytes, status: re.Match[bytes]) -> bytes:
    """The same with the headers of `_WANTED` alone, each of `_ONCE` once. Raises BadHeadError."""
    fields: dict[tuple[bytes, bytes], None] = {}  # in their order; what is said twice is said once
    for line in re.sub(rb"\r?\n[ \t]+", b" ", head).split(b"\n")[1:]:  # a line that begins with a space goes on
        name, colon, value = line.partition(b":")
        name = name.strip().lower()
        if colon and name in _WANTED:
            value = value.translate(None, _CONTROLS).strip()
            if name == b"content-length":
                value = _length(value)
            if name == b"transfer-encoding" and value.lower() == b"identity":
                continue  # of HTTP's first drafts: no encoding
            if value:
                fields[name, value] = None
    names = Counter(name for name, _ in fields)
    if twice := [name for name in _ONCE if names[name] > 1]:
        raise BadHeadError(f"different values of {b', '.join(sorted(twice)).decode()}")
    if b"transfer-encoding" in names and b"content-length" in names:
        # The length does not count, and the connection is not used again (RFC 9112, section 6.3).
        fields = {field: None for field in fields if field[0] not in (b"content-length", b"connection")}
        fields[b"connection", b"close"] = None
    lines = [b"HTTP/1.%b %b " % (status[1], status[2]), *(b"%b: %b" % field for field in fields)]
    return b"\r\n".join([*lines, b"", b""])


def _length(value: bytes) -> bytes:
    """A length that is said several times is one (RFC 9110, section 8.6). Raises BadHeadError where they differ."""
    said = {one.strip() for one in value.split(b",")}
    if len(said) > 1:
        raise BadHeadError("different values of content-length")
    return said.pop()
