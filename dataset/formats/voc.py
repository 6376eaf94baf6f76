"""Pascal VOC: an XML file a photo. Pixels count from 1 and the last one is inside; `difficult` is our `ignore`."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from dataset.formats import labelled
from dataset.formats.labelled import Labelled, Wanted
from dataset.photos import Photos
from visavis.errors import InputError
from visavis.formats.voc import ANNOTATIONS, CORNERS, IMAGES, annotation


def read(source: Path, wanted: Wanted) -> Iterator[Labelled]:
    """The photos of a folder with Annotations/ and JPEGImages/ (or of a folder of XML files beside their photos).

    A file without a face is a photo without one. A photo lies in its folder where its annotation does in its own, so
    that equal names in different folders stay apart.
    """
    if not source.is_dir():
        raise InputError(f"{source} is no folder; give the one that holds Annotations/ and JPEGImages/")
    below = source / ANNOTATIONS if (source / ANNOTATIONS).is_dir() else source
    folders = [wanted.images] if wanted.images else [source / IMAGES, source / "images", below]
    files = sorted(below.rglob("*.xml"))
    if not files:
        raise InputError(f"{below} holds no XML file; give a folder in the layout of Pascal VOC")
    left_out: list[str] = []
    for path in files:
        root = _parsed(path)
        name = PurePosixPath((root.findtext("filename") or "").replace("\\", "/")).name
        if not name:
            raise InputError(f"{path} has no <filename>; add it")
        image = (PurePosixPath(path.relative_to(below).parent.as_posix()) / name).as_posix()
        one = Labelled(image, labelled.located(image, folders), str(path), root.findtext("identity") or "")
        for number, entry in enumerate(root.iter("object"), start=1):
            where = f"{path} object {number}"
            if (entry.findtext("name") or "").strip().lower() != (wanted.category or "face").lower():
                continue
            frame = entry.find("bndbox")
            texts = [(frame.findtext(corner) or "") if frame is not None else "" for corner in CORNERS]
            x1, y1, x2, y2 = labelled.numbers(texts, where)
            box = (x1 - 1, y1 - 1, x2, y2)
            if labelled.usable(box, where, left_out):
                difficult = (entry.findtext("difficult") or "0").strip() not in ("", "0")
                (one.ignore if difficult else one.boxes).append(box)
        yield one
    labelled.tell_left_out(left_out)


def write(photos: Photos, out: Path) -> None:
    """Annotations/ and JPEGImages/ in `out`, nested as the image_ids are. Corners keep their decimals."""
    for photo in photos:
        labelled.linked(photo.path, out / IMAGES / labelled.exported(photo))
        objects = [
            (box, {"difficult": difficult})
            for boxes, difficult in ((photo.boxes, 0), (photo.ignore, 1))
            for box in boxes.astype(float).tolist()
        ]
        identity = {"identity": photo.identity} if photo.identity else {}
        path = out / ANNOTATIONS / f"{photo.image_id}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            annotation(labelled.exported(photo), labelled.size_of(photo), objects, **identity), encoding="utf-8"
        )


def _parsed(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise InputError(f"{path} is no XML: {error}") from None
