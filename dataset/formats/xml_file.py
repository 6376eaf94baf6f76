"""XML files as labelling tools write them."""

import re
from pathlib import Path
from xml.etree import ElementTree

from visavis.errors import InputError
from visavis.texts import decoded

_DECLARATION = r"\s*<\?xml[^>]*\?>"
_ENCODING = re.compile(rb"""encoding\s*=\s*["']\s*([^"']*?)\s*["']""")
_LARGER = dict.fromkeys(("gb2312", "gbk", "x-gbk", "cp936"), "gb18030")
"""Characters of the larger set often come under the name of a smaller one."""


def parsed(path: Path) -> ElementTree.Element:
    """A file's XML, in the encoding that it declares, or else in UTF-8 or what its byte order mark says. Python
    supports more encodings than its XML parser does. Raises InputError."""
    try:
        return ElementTree.fromstring(_text(path.read_bytes()))
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as XML: {error}") from None


def _text(data: bytes) -> str:
    """The text behind the declaration, which the parser would obey. Raises ValueError."""
    found = re.match(_DECLARATION.encode(), data)
    named = _ENCODING.search(found[0]) if found else None
    declared = named[1].decode("ascii", "replace").lower() if named else "utf-8"
    try:
        if named and not declared.startswith("utf"):  # nor is it UTF-16: the declaration was legible
            return data[len(found[0]) :].decode(_LARGER.get(declared, declared))  # type: ignore[unsupported-operation]
    except (LookupError, UnicodeDecodeError):
        pass  # tools declare one encoding and write UTF-8
    try:
        return re.sub(f"^{_DECLARATION}", "", decoded(data))
    except UnicodeDecodeError as error:
        where = f"byte {error.start} ({data[error.start]:#x})"
        raise ValueError(f"{where} is not {declared}, which it declares; save it as UTF-8" if named else
                         f"{where} is not UTF-8, and it declares no encoding; save it as UTF-8") from None  # fmt: skip
