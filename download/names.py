"""Folder names for identities: safe on every file system, stable, and one to one."""

import hashlib
import re

_PLAIN = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9._\-]*(?<!\.)")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # devices on Windows
_LONGEST = 100


def folder_name(name: str) -> str:
    """`name` if that is safe; otherwise with each unsafe byte replaced by `=` and two hexadecimal digits.

    Never empty, hidden, `.`, `..`, a path, a device on Windows, or longer than 100 characters (a
    long name ends with a part of its SHA-256). Different names have different folder names.
    """
    if _PLAIN.fullmatch(name) and len(name) <= _LONGEST and not _RESERVED.fullmatch(name):
        return name
    data = name.encode("utf-8", "surrogatepass")
    text = "".join(chr(byte) if re.match(rb"[A-Za-z0-9._\-]", bytes([byte])) else f"={byte:02X}" for byte in data)
    if not text or text[0] == "." or _RESERVED.fullmatch(text):
        text = (f"={ord(text[0]):02X}" if text else "=") + text[1:]
    if text.endswith("."):
        text = text[:-1] + "=2E"
    if len(text) > _LONGEST:
        # "=-" occurs in no other name, where "=" is followed by two digits, or stands alone.
        text = text[: _LONGEST - 34] + "=-" + hashlib.sha256(data).hexdigest()[:32]
    return text
