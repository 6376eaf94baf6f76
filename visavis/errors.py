"""What visavis raises for callers to catch: one file, so that every module can raise it and none depends on another."""


class InputError(ValueError):
    """What the caller gave cannot be used. The message says what, where, and what to do about it."""


class ImageError(ValueError):
    """A picture that cannot be used. `reason` is a stable keyword:

    missing      there is no such file
    unreadable   the file is there and the system does not let us read it
    empty        no bytes
    not_image    the bytes are not a picture in one of `EXTENSIONS`' formats
    truncated    a picture that begins well and does not decode to its end
    unwritable   a picture that cannot be saved in its own format
    too_large    more pixels or bytes than the limit, judged before decoding
    changed      it is no longer the file that was looked at before
    crashed      a decoder or what draws failed in a way that nobody foresaw
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["ImageError"], tuple[str, str]]:  # it goes through pipes
        return ImageError, (self.reason, self.detail)


class StillBusy(KeyboardInterrupt):
    """Interrupted while a call that cannot be broken off is deep in C code: only ending the process helps."""
