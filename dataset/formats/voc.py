"""Pascal VOC: one XML file per photo. Pixels count from 1, and the last one is inside; `difficult` is our `ignore`."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from dataset.formats import imported
from dataset.formats.imported import Box, ImportedPhoto, Wanted
from dataset.formats.names import found_elsewhere, located, meanings
from dataset.formats.xml_file import parsed
from dataset.photos import Photos
from visavis.errors import InputError
from visavis.formats.voc import ANNOTATIONS, CORNERS, IMAGES, annotation


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of a folder with Annotations/ and JPEGImages/ (or of a folder of XML files beside their photos).

    A file without a face belongs to a photo without one. Subfolders of photos and of annotations correspond, so that
    equal names in different folders are told apart.
    """
    if not source.is_dir():
        raise InputError(f"{source} is not a folder; give the one that holds Annotations/ and JPEGImages/")
    below = source / ANNOTATIONS if (source / ANNOTATIONS).is_dir() else source
    folders = [wanted.images] if wanted.images else [source / IMAGES, source / "images", below]
    files = sorted(path for path in below.rglob("*") if path.suffix.lower() == ".xml")
    if not files:
        raise InputError(f"{below} holds no XML file; give a folder in the layout of Pascal VOC")
    left_out: list[str] = []
    elsewhere: list[str] = []
    roots = {path: parsed(path) for path in files}
    used = Counter(_name(entry) for root in roots.values() for entry in root.iter("object"))
    names = {name: name for name in used}
    classes = imported.face_classes(used, names, wanted.category, str(below)) if used or wanted.category else set()
    for path, root in roots.items():
        above = PurePosixPath(path.relative_to(below).parent.as_posix())
        names_in = [PurePosixPath(one).name or path.stem for one in meanings(root.findtext("filename") or "")]
        images = [(above / name).as_posix() for name in names_in]
        image = next((one for one in images if located(one, folders).exists()), images[-1])
        name, place = PurePosixPath(image).name, located(image, folders)
        own = path.relative_to(below).with_suffix("").as_posix()  # people rename files, but not the <filename> inside
        other = None
        if not place.exists():
            other = found_elsewhere(image, folders) or found_elsewhere(own, folders)
        if other is not None:
            image, place = other
            elsewhere.append(f"{path} names {name}, which is taken for {place.name}")
        one = ImportedPhoto(image, place, str(path), root.findtext("identity") or "", size=size_of(root, str(path)))
        for number, entry in enumerate(root.iter("object"), start=1):
            where = f"{path} object {number}"
            if _name(entry) not in classes:
                continue
            if imported.usable(box := box_of(entry, where), where, left_out):
                difficult = imported.marked(entry.findtext("difficult") or "", where)
                (one.ignore if difficult else one.boxes).append(box)
        yield one
    imported.say_some("annotation names", "annotations name", "a missing photo:", elsewhere)
    imported.say_left_out(left_out)


def write(photos: Photos, out: Path) -> None:
    """Write Annotations/ and JPEGImages/ into `out`, nested as the image_ids are. Corners keep their decimals."""
    for photo in photos:
        imported.linked(photo.path, out / IMAGES / imported.exported(photo))
        objects = [
            (box, {"difficult": difficult})
            for boxes, difficult in ((photo.boxes, 0), (photo.ignore, 1))
            for box in boxes.astype(float).tolist()
        ]
        identity = {"identity": photo.identity} if photo.identity else {}
        path = out / ANNOTATIONS / f"{photo.image_id}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            annotation(imported.exported(photo), imported.size_of(photo), objects, **identity), encoding="utf-8"
        )


def _name(entry: ElementTree.Element) -> str:
    return (entry.findtext("name") or "").strip().lower()


def box_of(entry: ElementTree.Element, where: str) -> Box:
    """The box of an object. Raises InputError."""
    if entry.find("bndbox") is None:
        raise InputError(f"{where} has no <bndbox>; correct or remove it")
    x1, y1, x2, y2 = imported.numbers([entry.findtext(f"bndbox/{corner}") or "" for corner in CORNERS], where)
    return x1 - 1, y1 - 1, x2, y2


def size_of(root: ElementTree.Element, where: str) -> tuple[int, int] | None:
    """Height and width according to the annotation; None if it has none. Raises InputError."""
    return imported.size_in({side: root.findtext(f"size/{side}") for side in ("height", "width")}, where)
