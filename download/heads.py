"""Cleans the head of a response, as browsers tolerate it, so that aiohttp's strict parser accepts it.

aiohttp refuses a header of more than 8,190 bytes, more than 128 headers, a repeated length, or a space before a colon.
curl and browsers accept all of these. So the head is parsed leniently here, and rewritten with only the headers that
matter to a download. An ambiguity about the end of the body remains an error.
"""

import re
from collections import Counter

LONGEST = 1_000_000
"""Bytes of a response before its body, including interim responses."""

_STATUS = re.compile(rb"HTTP/1\.([01])[ \t]+(\d{3})(?!\d)")
_END = re.compile(rb"\n\r?\n")
_CONTROLS = bytes(code for code in range(32) if code != 9) + b"\x7f"
_WANTED = frozenset(
    (b"connection", b"content-encoding", b"content-length", b"content-range", b"etag", b"last-modified")
    + (b"location", b"proxy-connection", b"retry-after", b"transfer-encoding", b"x-robots-tag")
)
_ONCE = frozenset((b"content-length", b"location", b"transfer-encoding"))


class BadHeadError(ValueError):
    """The head is too long, or ambiguous about the end of the body or the target of a redirect."""


class Head:
    """Collects the head of one response, piece by piece."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._came = 0
        self._searched = 0

    def feed(self, piece: bytes) -> bytes | None:
        """Add a piece. Returns None while more is needed; then the clean head with the first bytes of the body.

        Interim responses (100 to 199, except 101) are dropped. Data that does not begin like HTTP is returned
        unchanged. Raises BadHeadError.
        """
        self._came += len(piece)
        self._held += piece
        while True:
            if self._held[:1] in (b"\r", b"\n"):  # an empty line may remain from the response before
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
    """The same with only the headers of `_WANTED`, and each of `_ONCE` once. Raises BadHeadError."""
    fields: dict[tuple[bytes, bytes], None] = {}  # in their order, without repetitions
    for line in re.sub(rb"\r?\n[ \t]+", b" ", head).split(b"\n")[1:]:  # spaces continue a line
        name, colon, value = line.partition(b":")
        name = name.strip().lower()
        if colon and name in _WANTED:
            value = value.translate(None, _CONTROLS).strip()
            if name == b"content-length":
                value = _length(value)
            if name == b"transfer-encoding" and value.lower() == b"identity":
                continue  # from HTTP's first drafts: means no encoding
            if value:
                fields[name, value] = None
    names = Counter(name for name, _ in fields)
    if twice := [name for name in _ONCE if names[name] > 1]:
        raise BadHeadError(f"different values of {b', '.join(sorted(twice)).decode()}")
    if b"transfer-encoding" in names and b"content-length" in names:
        # The length is ignored, and the connection is not reused (RFC 9112, section 6.3).
        fields = {field: None for field in fields if field[0] not in (b"content-length", b"connection")}
        fields[b"connection", b"close"] = None
    lines = [b"HTTP/1.%b %b " % (status[1], status[2]), *(b"%b: %b" % field for field in fields)]
    return b"\r\n".join([*lines, b"", b""])


def _length(value: bytes) -> bytes:
    """The length, which may be repeated (RFC 9110, section 8.6). Raises BadHeadError if the values differ."""
    said = {one.strip() for one in value.split(b",")}
    if len(said) > 1:
        raise BadHeadError("different values of content-length")
    return said.pop()
