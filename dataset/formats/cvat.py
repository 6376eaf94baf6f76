"""CVAT's own XML, "CVAT for images 1.1": an `image` with its shapes. Boxes are of the photo as displayed, in pixels."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from dataset.formats import imported
from dataset.formats.imported import Box, ImportedPhoto, Wanted
from dataset.formats.names import resolved
from dataset.formats.xml_file import parsed
from visavis.errors import InputError

SHAPES = ("box", "polygon", "ellipse", "mask")
"""Shapes around a face. Points, lines, skeletons, cuboids and tags are left out, and counted."""

_OTHERS = ("polyline", "points", "skeleton", "cuboid", "tag")


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of an annotations.xml, or of the folder that holds it. An image without a shape has no face; a
    rotated box becomes the box of the ellipse in it. Raises InputError."""
    source = source / "annotations.xml" if source.is_dir() else source
    root = parsed(source)
    if root.find("track") is not None and root.find("image") is None:
        raise InputError(f"{source} is in the format CVAT for video; export the task as CVAT for images 1.1")
    if root.tag != "annotations" or root.find("image") is None:
        raise InputError(f"{source} is not in the format CVAT for images 1.1: it has no <image> in <annotations>")
    photos = list(root.iter("image"))
    used = Counter(_label(shape) for photo in photos for shape in photo if shape.tag in SHAPES)
    names = [label.findtext("name", "") for label in root.iter("label")] + list(used)
    classes = imported.face_classes(used, {name: name for name in names}, wanted.category, str(source)) if names else ()
    elsewhere: list[str] = []
    left_out: list[str] = []
    others = Counter(shape.tag for photo in photos for shape in photo if shape.tag in _OTHERS)
    for number, photo in enumerate(photos, start=1):
        name = photo.get("name", "")
        where = f"{source} image {number} ({name})"
        beside = source.parent / "images"
        folders = [wanted.images] if wanted.images else [beside / photo.get("subset", ""), beside, source.parent]
        image, place, other = resolved(name, folders)
        if other:
            elsewhere.append(f"{name} is taken for {place.name}")
        one = ImportedPhoto(image, place, where, size=imported.size_in(photo.attrib, where))
        for shape in photo:
            if shape.tag in SHAPES and _label(shape) in classes:
                inside = f"{where} {shape.tag}"
                if imported.usable(box := _box(shape, inside), inside, left_out):
                    one.boxes.append(box)
        yield one
    imported.say_some("photo has", "photos have", "another name than in its file:", elsewhere)
    imported.say_some(
        "kind of shapes is", "kinds of shapes are", "left out:", [f"{kind} ({count})" for kind, count in others.items()]
    )
    imported.say_left_out(left_out)


def _label(shape: ElementTree.Element) -> str:
    return shape.get("label", "").strip()


def _box(shape: ElementTree.Element, where: str) -> Box:
    """The upright box of a shape. Raises InputError."""
    if shape.tag == "polygon":
        values = imported.numbers(shape.get("points", "").replace(";", ",").split(","), where)
        if len(values) < 6 or len(values) % 2:
            raise InputError(f"{where}: points is {shape.get('points')!r}, not x,y;x,y;x,y; correct or remove it")
        return imported.around(zip(values[::2], values[1::2], strict=True))
    if shape.tag == "box":
        box = _numbers(shape, ("xtl", "ytl", "xbr", "ybr"), where)
    elif shape.tag == "ellipse":
        x, y, across, down = _numbers(shape, ("cx", "cy", "rx", "ry"), where)
        box = x - across, y - down, x + across, y + down
    else:
        left, top, width, height = _numbers(shape, ("left", "top", "width", "height"), where)
        return left, top, left + width, top + height
    (degrees,) = imported.numbers([shape.get("rotation", "0")], where)
    return imported.around_ellipse(box, degrees)


def _numbers(shape: ElementTree.Element, names: tuple[str, str, str, str], where: str) -> Box:
    missing = [name for name in names if name not in shape.attrib]
    if missing:
        raise InputError(f"{where} has no {', '.join(missing)}; correct or remove it")
    a, b, c, d = imported.numbers([shape.attrib[name] for name in names], where)
    return a, b, c, d
