"""Photos of people with and without masks: scenes with boxes in Pascal VOC's XML, or crops sorted into folders."""

import re
from collections.abc import Iterator
from pathlib import Path

from dataset.formats import crops, voc
from dataset.formats.imported import ImportedPhoto, Wanted, say_left_out, usable
from dataset.formats.names import located
from dataset.formats.xml_file import parsed
from visavis.errors import InputError

CLASSES = {
    "with_mask": "worn",
    "worn": "worn",
    "without_mask": "none",
    "none": "none",
    "mask_weared_incorrect": "wrong",
    "worn_wrong": "wrong",
    "wrong": "wrong",
}
"""What the sets in use call them -> the value in attributes.csv."""
_PERSON = re.compile(r"\d+(?=_Mask)")
"""What the copies of one photo with masks drawn on it have in common (MaskedFace-Net and its kin)."""


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of a folder with annotations/ and images/, or of one that has a folder for each class."""
    if not source.is_dir():
        raise InputError(
            f"{source} is no folder; give the one that holds annotations/, or with_mask/ and without_mask/"
        )
    if (source / "annotations").is_dir():
        yield from _scenes(source, wanted)
        return
    folders = [path for path in sorted(source.iterdir()) if path.is_dir() and path.name in CLASSES]
    if not folders:
        raise InputError(f"{source} has neither annotations/ nor a folder called {', '.join(CLASSES)}")
    photos = []
    for folder in folders:
        attributes = {"mask": CLASSES[folder.name]}
        for path in crops.photos_in(folder):
            person = _PERSON.match(path.name)
            identity = f"{source.name}/{person[0]}" if person else ""
            image = f"{source.name}/{folder.name}/{path.name}"
            photos.append(ImportedPhoto(image, path, str(path), identity, attributes=[dict(attributes)]))
    yield from crops.with_faces(photos)


def _scenes(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    files = sorted((source / "annotations").glob("*.xml"))
    if not files:
        raise InputError(f"{source / 'annotations'} holds no XML file")
    left_out: list[str] = []
    for path in files:
        root = parsed(path)
        name = root.findtext("filename") or f"{path.stem}.png"
        place = located(name, [wanted.images or source / "images"])
        one = ImportedPhoto(f"{source.name}/{name}", place, str(path), size=voc.size_of(root, str(path)))
        for number, entry in enumerate(root.iter("object"), start=1):
            where, called = f"{path} object {number}", (entry.findtext("name") or "").strip()
            if called not in CLASSES:
                raise InputError(f"{where}: unknown class {called!r}; there are {', '.join(CLASSES)}")
            if usable(box := voc.box_of(entry, where), where, left_out):
                one.boxes.append(box)
                one.attributes.append({"mask": CLASSES[called]})
        yield one
    say_left_out(left_out)
