"""Pascal VOC: an XML file a photo. Pixels count from 1 and the last one is inside."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from xml.etree import ElementTree

CORNERS = ("xmin", "ymin", "xmax", "ymax")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
IMAGES, ANNOTATIONS = "JPEGImages", "Annotations"


def annotation(
    name: str, size: tuple[int, int], objects: Iterable[tuple[list[float], Mapping[str, object]]], **more: object
) -> str:
    """The text of a photo's file.

    name: of the photo, below `IMAGES`. size: height, width, pixels. objects: boxes x1 y1 x2 y2, pixels, each with what
    else is to stand there; corners keep their decimals. more: of the photo.
    """
    root = ElementTree.Element("annotation")
    place = PurePosixPath(name)
    _add(root, folder=(PurePosixPath(IMAGES) / place.parent).as_posix(), filename=place.name, **more)
    _add(ElementTree.SubElement(root, "size"), width=size[1], height=size[0], depth=3)
    for (x1, y1, x2, y2), properties in objects:
        entry = ElementTree.SubElement(root, "object")
        _add(entry, name="face", pose="Unspecified", truncated=0, **{"difficult": 0, **properties})
        corners = (round(value, 3) for value in (x1 + 1, y1 + 1, x2, y2))
        _add(ElementTree.SubElement(entry, "bndbox"), **dict(zip(CORNERS, corners, strict=True)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _add(parent: ElementTree.Element, **texts: object) -> None:
    for name, value in texts.items():
        text = f"{value}"  # what XML has no place for, such as the bell, is written as \\x07
        ElementTree.SubElement(parent, name).text = _ILLEGAL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
