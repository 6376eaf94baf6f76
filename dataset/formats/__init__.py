"""Other people's labels into our tables and back: WIDER FACE, COCO, Pascal VOC, YOLO, CVAT, Label Studio, or a CSV; and
into them UTKFace, FairFace, photos of people with and without masks, and faces whose points are known.

There is one file per format. docs/formats.md says what each keeps and loses.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from dataset.formats.imported import ImportedPhoto, Wanted
from dataset.formats.intake import take_in
from dataset.photos import Photos
from visavis.errors import InputError

__all__ = ["FORMATS", "export", "guess", "import_labels"]

FORMATS: dict[str, str] = {
    "wider": "dataset.formats.wider",
    "coco": "dataset.formats.coco",
    "voc": "dataset.formats.voc",
    "yolo": "dataset.formats.yolo",
    "cvat": "dataset.formats.cvat",
    "label-studio": "dataset.formats.label_studio",
    "csv": "dataset.formats.boxes_csv",
    "utkface": "dataset.formats.utkface",
    "fairface": "dataset.formats.fairface",
    "masks": "dataset.formats.masks",
    "points68": "dataset.formats.points68",
    "kaggle-keypoints": "dataset.formats.kaggle_keypoints",
}
"""Name -> module with `read(source, wanted) -> iterator of ImportedPhoto` and perhaps `write(photos, out)`."""

JOINABLE = ("utkface", "fairface", "masks", "points68", "kaggle-keypoints")
"""Formats that have attributes of faces, or their points. Several can be imported into one data folder, one after the
other."""


def import_labels(
    kind: str, source: Path, out: Path, negatives: Path | None = None, wanted: Wanted = Wanted()
) -> tuple[int, int, int]:
    """Make a data folder of labels in one of `FORMATS`. Returns the number of photos, of faces and of failed photos.

    negatives: a folder of photos without faces, all of which are added. Raises InputError with file and row.
    """
    read: Callable[[Path, Wanted], Iterator[ImportedPhoto]] = _module(kind).read
    return take_in(lambda: read(source, wanted), out, negatives, wanted.exif, add=kind in JOINABLE)


def export(kind: str, photos: Photos, out: Path) -> tuple[int, int]:
    """Write photos and labels in one of `FORMATS` into the folder `out`. Returns the number of photos and of faces.

    Raises InputError if the format cannot be written, `out` is not empty, or a photo cannot be read.
    """
    module = _module(kind)
    if not hasattr(module, "write"):
        able = ", ".join(name for name in FORMATS if hasattr(_module(name), "write"))
        raise InputError(f"{kind} can only be imported; export to one of {able}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not an empty folder; give another --out")
    module.write(photos, out)
    return len(photos), sum(len(photo.boxes) for photo in photos)


def guess(source: Path) -> str:
    """Which of `FORMATS` a source most likely has, judged by its name, or for JSON by its first character. Raises
    InputError if these do not say."""
    by_ending = {".csv": "csv", ".json": "coco", ".yaml": "yolo", ".yml": "yolo", ".txt": "wider", ".xml": "cvat"}
    if source.name in ("classes.txt", "obj.data") or source.suffix.lower() in (".data", ".names"):
        return "yolo"
    if source.is_dir():
        from dataset.formats.yolo import described_in

        if (source / "annotations.xml").is_file():
            return "cvat"
        is_yolo = described_in(source) or any(source.glob("labels/**/*.txt"))
        return "yolo" if is_yolo and not any(source.rglob("*.xml")) else "voc"
    if source.suffix.lower() == ".json" and source.is_file():
        with source.open("rb") as file:
            return "label-studio" if file.read(200).lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"[") else "coco"
    if source.suffix.lower() not in by_ending:
        raise InputError(f"{source}: its format is not clear; give one of {', '.join(FORMATS)}: `import csv {source}`")
    return by_ending[source.suffix.lower()]


def _module(kind: str) -> Any:
    if kind not in FORMATS:
        raise InputError(f"there is no format {kind!r}; give one of {', '.join(FORMATS)}")
    return import_module(FORMATS[kind])
