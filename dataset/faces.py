"""Photos with their labels: `load_photos` joins the tables, `FaceDataset` hands them to torch."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset import tables
from dataset.split import SPLITS, Shares, sides
from visavis.boxes import Boxes, area, as_boxes, clip
from visavis.command import InputError, say
from visavis.faces import Faces
from visavis.images import SUFFIXES, ImageError, Picture, read

if TYPE_CHECKING:
    import torch

SMALLEST = 4.0
"""A face of fewer pixels a side, after clipping, is nothing to learn from."""
VISIBLE = 0.25
"""Nor is one of which less than this share lies inside the picture."""


@dataclass(frozen=True)
class Photo:
    """A photo and what is known of the faces in it. Boxes as stored: they may reach outside."""

    image_id: str
    identity: str
    path: Path
    boxes: Boxes  # (N, 4) float32, to learn from
    ignore: Boxes = field(default_factory=lambda: as_boxes([]))  # (M, 4) float32, to leave out of the loss
    side: str = "train"  # of the split: train, val or test; none for one that would bring its like to two sides


def load_photos(folder: Path, split: str = "all", shares: Shares = Shares()) -> list[Photo]:
    """The photos of one split of a data folder, by image_id.

    A photo is in it if downloads.csv calls it ok (or, with no such table, if it lies under images/)
    and clean.csv does not drop it. Its faces are its rows in faces.csv or, where it has none there,
    those in labels.csv. Photos that look alike (groups.csv) are in the same split. Raises InputError
    with file and row for bad tables, and for an empty split.
    """
    if split not in SPLITS:
        raise InputError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    if not folder.is_dir():
        raise InputError(f"no data folder at {folder}; make one with `python -m download lists` or give --data")
    labels, identities = _labels(folder / "labels.csv")
    faces, ignored = _faces(folder / "faces.csv", set(identities))
    paths = _paths(folder, identities)
    dropped = _dropped(folder / "clean.csv")
    groups = {row["image_id"]: row["group"] for _, row in _if_there(folder / "groups.csv")}
    on = sides({image_id: identities.get(image_id, "") for image_id in paths.keys() - dropped}, groups, shares)
    photos = []
    for image_id in sorted(on):
        identity = identities.get(image_id, "")
        if split not in ("all", on[image_id]):
            continue
        learn = faces[image_id] if image_id in faces or image_id in ignored else labels.get(image_id, [])
        ignore = as_boxes(ignored.get(image_id, []))
        photos.append(Photo(image_id, identity, paths[image_id], as_boxes(learn), ignore, on[image_id]))
    if not photos:
        kept = len(paths.keys() - dropped)
        why = f"{kept} of {len(paths)} photos are kept in all" if kept else "no photo is kept; see clean.csv"
        raise InputError(f"{folder}: no photo in the split {split!r} ({why}); add identities or change --val, --test")
    return photos


class FaceDataset:
    """Photos and targets as torchvision's detectors want them (a map-style torch Dataset).

    An item is (image, target): a uint8 (3, height, width) tv_tensors.Image, or what `transforms` makes
    of it, and a dict of boxes (N, 4) XYXY tv_tensors.BoundingBoxes, labels (N,) int64 of ones, ignore
    (M, 4) like boxes, area (N,) square pixels, iscrowd (N,) zeros, image_id (its number,
    or a mosaic's first photo's).

    mosaic: the side, in pixels, of the square canvases that dataset.mosaic puts together from several photos;
    None gives each photo as it is.

    A photo that cannot be decoded is told on stderr, counted in `unreadable`, and the next one stands in.
    """

    def __init__(self, photos: list[Photo], transforms: Any = None, mosaic: int | None = None) -> None:
        self.photos = photos
        self.transforms = transforms
        self.mosaic = mosaic
        self.unreadable = 0

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> "tuple[torch.Tensor, dict[str, Any]]":
        import torch
        from torchvision import tv_tensors
        from torchvision.ops import clip_boxes_to_image

        number, picture, to_learn, to_ignore = self._seen(index)
        image: Any = tv_tensors.Image(torch.from_numpy(picture.copy()).permute(2, 0, 1))
        # One array of boxes through the transforms: torchvision's know no second one.
        stored = torch.from_numpy(np.concatenate([to_learn, to_ignore]))
        learn = torch.arange(len(stored)) < len(to_learn)
        target: dict[str, Any] = {
            "boxes": tv_tensors.BoundingBoxes(stored, format="XYXY", canvas_size=picture.shape[:2])
        }
        if self.transforms is not None:
            image, target = self.transforms(image, target)
        size = image.shape[-2:]
        boxes = tv_tensors.wrap(clip_boxes_to_image(target["boxes"], size), like=target["boxes"])
        area, worthwhile = _worthwhile(boxes.as_subclass(torch.Tensor), stored)
        faces = learn & worthwhile
        return image, {
            "boxes": boxes[faces],
            # What is too little of a face to learn from is no background either.
            "ignore": boxes[~faces & (area > 0)],
            "labels": torch.ones(int(faces.sum()), dtype=torch.int64),
            "area": area[faces],
            "iscrowd": torch.zeros(int(faces.sum()), dtype=torch.int64),
            "image_id": number,
        }

    def _seen(self, index: int) -> tuple[int, Picture, Boxes, Boxes]:
        """The number of a photo, the picture before any transform, its boxes to learn from, and those to ignore."""
        number, picture = self._read(index)
        first = self.photos[number]
        if self.mosaic is None:
            return number, picture, first.boxes, first.ignore
        from dataset.mosaic import compose
        from dataset.transforms import drawn_by_torch

        random = drawn_by_torch()
        others = (self._read(int(random.integers(len(self.photos)))) for _ in count())
        shown = chain([(first, picture)], ((self.photos[other], seen) for other, seen in others))
        return number, *compose(shown, self.mosaic, random)

    def _read(self, index: int) -> tuple[int, Picture]:
        """The first photo from `index` on that can be read: its number and its picture."""
        for turn in range(len(self.photos)):
            number = (index + turn) % len(self.photos)
            try:
                return number, read(self.photos[number].path)
            except ImageError as error:
                self.unreadable += 1
                say(f"left out: {self.photos[number].path}: {error}")
        raise InputError(f"none of the {len(self.photos)} photos can be read; run `python -m clean`")


def _worthwhile(boxes: "torch.Tensor", stored: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
    """Area (N,) of what is visible of each box, and whether it is enough to learn from."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0)
    whole = (stored[:, 2:] - stored[:, :2]).prod(dim=1)  # no transform here rescales pixels: areas compare
    area = sides.prod(dim=1)
    return area, (sides >= SMALLEST).all(dim=1) & (area >= VISIBLE * whole)


def labels_within(photo: Photo, size: tuple[int, int]) -> tuple[Faces, Boxes]:
    """The labels that a detector is held to in a picture of `size` (height, width), and what to ignore.

    As in training: boxes are clipped to the picture, and what is too little of a face joins the ignored.
    """
    boxes = clip(photo.boxes, size)
    sides = boxes[:, 2:] - boxes[:, :2]
    worthwhile = (sides >= SMALLEST).all(axis=1) & (area(boxes) >= VISIBLE * area(photo.boxes))
    ignored = np.concatenate([boxes[~worthwhile], clip(photo.ignore, size)])
    return Faces(boxes[worthwhile]), ignored[area(ignored) > 0]


def collate(items: list[Any]) -> tuple[list[Any], list[Any]]:
    """A batch of detection is two lists: pictures differ in size, and targets in length."""
    images, targets = zip(*items, strict=True)
    return list(images), list(targets)


def _labels(path: Path) -> tuple[dict[str, list[tuple[float, ...]]], dict[str, str]]:
    """Boxes, and the identity, of each image_id in labels.csv."""
    boxes: dict[str, list[tuple[float, ...]]] = {}
    identities: dict[str, str] = {}
    for line, row in enumerate(tables.rows(path), start=2):
        boxes.setdefault(row["image_id"], []).append(tables.box(row, path, line))
        identity = identities.setdefault(row["image_id"], row["identity"])
        if identity != row["identity"]:
            raise InputError(f"labels.csv row {line}: {row['image_id']} is {row['identity']!r}, and {identity!r} above")
    return boxes, identities


def _faces(path: Path, known: set[str]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Boxes to learn from and boxes to leave out, by image_id, from faces.csv if it is there."""
    train: dict[str, list[Any]] = {}
    ignore: dict[str, list[Any]] = {}
    for line, row in _if_there(path):
        if row["image_id"] not in known:
            raise InputError(
                f"faces.csv row {line}: labels.csv has no {row['image_id']!r}; run `python -m clean` again"
            )
        if row["use"] not in ("train", "ignore"):
            raise InputError(f"faces.csv row {line}: use is {row['use']!r}; it must be train or ignore")
        chosen = train if row["use"] == "train" else ignore
        chosen.setdefault(row["image_id"], []).append(tables.box(row, path, line))
    for image_id in ignore:
        train.setdefault(image_id, [])
    return train, ignore


def _paths(folder: Path, identities: dict[str, str]) -> dict[str, Path]:
    """Where each photo lies. downloads.csv may name photos without any label: pictures with no face."""
    if (folder / "downloads.csv").exists():
        return {
            row["image_id"]: folder / row["path"]
            for row in tables.rows(folder / "downloads.csv")
            if row["status"] == "ok"
        }
    images = folder / "images"
    if not images.is_dir():
        raise InputError(f"{folder} has neither downloads.csv nor images/; run `python -m download images` first")
    found: dict[str, Path] = {}
    for path in sorted(images.rglob("*")):
        image_id = path.relative_to(images).with_suffix("").as_posix()
        if path.suffix.lower() not in SUFFIXES or image_id not in identities:
            continue
        if image_id in found:
            raise InputError(f"two photos for {image_id}: {found[image_id].name} and {path.name}; remove one")
        found[image_id] = path
    return found


def _dropped(path: Path) -> set[str]:
    return {row["image_id"] for _, row in _if_there(path) if row["keep"] == "0"}


def _if_there(path: Path) -> Iterator[tuple[int, tables.Row]]:
    return enumerate(tables.rows(path), start=2) if path.exists() else iter(())
