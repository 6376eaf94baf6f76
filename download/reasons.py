"""The reasons for which an image is missing, as in downloads.csv, and the exception that carries one."""

REASONS: dict[str, tuple[str, str]] = {
    "timeout": ("failed", "no answer, or not the whole of it, in the time allowed"),
    "dns": ("failed", "the host's name was not resolved"),
    "connect": ("failed", "no connection to the host"),
    "protocol": ("failed", "the server closed early or did not speak proper HTTP"),
    "truncated": ("failed", "fewer bytes than announced, or a picture that does not decode to its end"),
    "http_408": ("failed", "HTTP status 408, the server did not wait any longer"),
    "http_429": ("failed", "HTTP status 429, too many requests"),
    "http_5xx": ("failed", "HTTP status 500 to 599, an error of the server"),
    "robots_unreachable": (
        "failed",
        "the host's robots.txt could not be read, so nothing may be fetched from it (RFC 9309)",
    ),
    "retry_later": ("failed", "the host asked for a longer pause (Retry-After) than a run waits"),
    "http_403": ("refused", "HTTP status 403, forbidden"),
    "http_404": ("refused", "HTTP status 404, not found"),
    "http_410": ("refused", "HTTP status 410, gone"),
    "http_4xx": ("refused", "another HTTP status from 400 to 499"),
    "http_other": ("refused", "an HTTP status that is neither 200 nor an error, such as 204 or 304"),
    "too_many_redirects": ("refused", "more than five redirects, or a circle of them"),
    "bad_url": ("refused", "not an http or https address, in the list or in a redirect"),
    "robots": ("refused", "robots.txt forbids it, or X-Robots-Tag says noai or noimageai"),
    "private_address": ("refused", "the host is on a private, local or reserved address"),
    "tls": ("refused", "the server's certificate could not be verified, or TLS failed"),
    "empty": ("refused", "an answer without a single byte"),
    "not_image": (
        "refused",
        "the bytes are not a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF, whatever their name",
    ),
    "too_large": ("refused", "more bytes or more pixels than the limit"),
    "placeholder": ("refused", "the same bytes came for many identities: a placeholder for a missing picture"),
}
"""Each reason's status and meaning; the closed list of downloads.csv, explained in docs/reasons.md.

`failed` may be tried again and is, up to --retries times; `refused` is not, unless an option that refused it changes
(`limits.py`).
"""


class Failure(Exception):
    """A GET that failed; `reason` is a key of `REASONS`.

    whole_host: whether every other address of the host would fail as well (no such name, no connection).
    retry_after: seconds for which the server asked to be left alone.
    """

    def __init__(
        self, reason: str, detail: str = "", whole_host: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail or REASONS[reason][1]}")
        self.reason = reason
        self.status = REASONS[reason][0]
        self.whole_host = whole_host
        self.retry_after = retry_after


def reason_of(http_status: int) -> str:
    """The reason for an HTTP status; empty for 200."""
    if http_status == 200:
        return ""
    exact = f"http_{http_status}"
    return exact if exact in REASONS else {4: "http_4xx", 5: "http_5xx"}.get(http_status // 100, "http_other")
