"""XML files as labelling tools write them."""

import re
from pathlib import Path
from xml.etree import ElementTree

from visavis.errors import InputError


def parsed(path: Path) -> ElementTree.Element:
    """A file's XML, in whatever encoding it declares: Python supports more of them than its XML parser.
    Raises InputError."""
    try:
        data = path.read_bytes()
        declared = re.match(rb"""<\?xml[^>]*?encoding=["']([A-Za-z0-9._-]+)["'][^>]*?\?>""", data)
        if declared is None:
            return ElementTree.fromstring(data)
        encoding = declared[1].decode()
        if encoding.lower() in ("gb2312", "gbk"):  # characters of the larger set often come under these names
            encoding = "gb18030"
        text = data[declared.end() :].decode(encoding)
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, OSError, LookupError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as XML: {error}") from None
