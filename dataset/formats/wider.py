"""WIDER FACE's wider_face_*_bbx_gt.txt (Yang et al. 2016): a path, a count, and one line per face.

A line is x y width height blur expression illumination invalid occlusion pose. Photos without a face have the count
0 and a line of zeros.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from dataset.formats.imported import ImportedPhoto, Wanted, numbers, say_left_out, say_some, usable
from dataset.formats.names import resolved
from visavis.errors import InputError
from visavis.texts import read_text

FIELDS = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
HEAVY = 2
"""The level of blur and occlusion that counts as heavy; 0 is none, 1 some."""


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of one split. `invalid` faces are ignored, and with `wanted.ignore_heavy` heavily blurred or occluded
    ones; all flags go into the column `source` of faces.csv. Faces without an area are left out.
    """
    part = source.name.removeprefix("wider_face_").removesuffix("_bbx_gt.txt")
    above = source.parent.parent
    folders = [wanted.images] if wanted.images else [
        above / f"WIDER_{part}" / "images", source.parent / f"WIDER_{part}" / "images", source.parent / "images",
        source.parent,
    ]  # fmt: skip
    left_out: list[str] = []
    elsewhere: list[str] = []
    lines = _lines(source)
    place = 0
    while place < len(lines):
        number, image = lines[place]
        count = lines[place + 1][1] if place + 1 < len(lines) else ""
        if not count.isdigit():
            raise InputError(
                f"{source} row {number + 1}: {count!r} must be the number of faces of the photo {image} above it"
            )
        faces = lines[place + 2 : place + 2 + int(count)]
        if len(faces) < int(count):
            raise InputError(f"{source} row {number}: the file ends before the {count} faces of {image}")
        name, path, other = resolved(image, folders)
        if other:
            elsewhere.append(f"{image} is taken for {path.name}")
        one = ImportedPhoto(name, path, f"{source} row {number}")
        for line, text in faces:
            _add(one, text, f"{source} row {line}", wanted, left_out)
        yield one
        place += 2 + len(faces)
        if not faces and place < len(lines) and set(lines[place][1].split()) == {"0"}:
            place += 1
    say_some("photo has", "photos have", "another name than in its file:", elsewhere)
    say_left_out(left_out)


def _add(one: ImportedPhoto, text: str, where: str, wanted: Wanted, left_out: list[str]) -> None:
    values = numbers(text.split(), where)
    if len(values) < 4:
        raise InputError(f"{where}: {text!r} is not x y width height and flags; correct or remove it")
    x, y, width, height = values[:4]
    if not all(map(math.isfinite, values)):
        raise InputError(f"{where}: {text!r} has a number that is not finite; correct or remove it")
    flags = {name: int(value) for name, value in zip(FIELDS, values[4:], strict=False)}
    box = (x, y, x + width, y + height)
    if not usable(box, where, left_out):
        return
    heavy = HEAVY in (flags.get("blur"), flags.get("occlusion"))
    if flags.get("invalid") or (heavy and wanted.ignore_heavy):
        one.ignore.append(box)
        return
    one.boxes.append(box)
    one.flags.append(" ".join(f"{name}={value}" for name, value in flags.items() if value))


def _lines(source: Path) -> list[tuple[int, str]]:
    """Number and text of each line that is not empty."""
    try:
        text = read_text(source)
    except FileNotFoundError:
        raise InputError(f"{source} is not there; give wider_face_train_bbx_gt.txt") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source} cannot be read as text: {error}") from None
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
