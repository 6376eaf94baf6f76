"""Text files as other programs write them, as text."""

import codecs
from pathlib import Path

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""What editors and spreadsheets begin a file with, and the encoding that it stands for."""


def read_text(path: Path) -> str:
    """A file of text in UTF-8, or in what its byte order mark or its zero bytes say; marks are left out, also those
    inside files that were joined, and so is what DOS ends a file with. Line breaks stay.

    Raises OSError, and UnicodeDecodeError where it is neither.
    """
    return decoded(path.read_bytes())


def decoded(data: bytes) -> str:
    """The same for the bytes of a file. Raises UnicodeDecodeError."""
    unmarked = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be" if data[:1] == b"\0" else "utf-8"
    text = data.decode(next((encoding for mark, encoding in MARKS if data.startswith(mark)), unmarked))
    return text.replace("\ufeff", "").rstrip("\0\x1a")
