"""FaceDataset hands photos and their labels to torch; `collate` makes a batch of them.

The photos themselves come from dataset.photos: `load_photos`, or `Photos.load` where they are many.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset.photos import SMALLEST, VISIBLE, Photo, Photos, labels_within, load_photos
from dataset.split import Shares
from visavis.boxes import Boxes, area, clip, scale
from visavis.command import InputError, say
from visavis.images import ImageError, Picture, read_reduced, resize

if TYPE_CHECKING:
    import torch

__all__ = ["SMALLEST", "VISIBLE", "FaceDataset", "Photo", "Photos", "collate", "labels_within", "load_photos"]

_WORKERS = 255
"""Loading processes that count for themselves; beyond them, counts may be too low."""


class FaceDataset:
    """Photos and targets as torchvision's detectors want them (a map-style torch Dataset).

    An item is (image, target): a uint8 (3, height, width) tv_tensors.Image, or what `transforms` makes
    of it, and a dict of boxes (N, 4) XYXY tv_tensors.BoundingBoxes, labels (N,) int64 of ones, ignore
    (M, 4) like boxes, area (N,) square pixels, iscrowd (N,) zeros, image_id (its number,
    or a mosaic's first photo's).

    transforms: any torchvision.transforms.v2 of (image, target); see dataset.transforms.preset.
    mosaic: the side, in pixels, of the square canvases that dataset.mosaic puts together from several photos;
    None gives each photo as it is.
    size: pixels of the shorter side that training needs. A larger photo is decoded at the smallest scale of libjpeg's
    that has as many, and made that small; then augmentation costs less, too. None keeps every pixel.
    seed: with one, what an item is depends on nothing but seed, `epoch` and number, however many processes load and
    wherever an epoch is taken up again; without, torch's own generator decides.

    A photo that cannot be decoded is told on stderr, counted in `unreadable` (by whichever process met it), and the
    next one stands in.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        transforms: Any = None,
        mosaic: int | None = None,
        size: int | None = None,
        seed: int | None = None,
    ) -> None:
        import torch

        self.photos = photos if isinstance(photos, Photos) else Photos(photos)
        self.transforms = transforms
        self.mosaic = mosaic
        self.size = size
        self.seed = seed
        # Seen by all loading processes: the epoch, and how many photos each of them could not read.
        self._shared = torch.zeros(1 + _WORKERS, dtype=torch.int64).share_memory_()
        self._froze = False

    @classmethod
    def of(
        cls, folder: str | Path, split: str = "train", transforms: Any = None, shares: Shares = Shares(), **more: Any
    ) -> "FaceDataset":
        """The dataset of one split of a data folder. more: mosaic, size, seed. Raises InputError."""
        return cls(Photos.load(Path(folder), split, shares), transforms, **more)

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def epoch(self) -> int:
        """Which epoch it is, for `seed`. Set it between epochs; the loading processes see it."""
        return int(self._shared[0])

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._shared[0] = number

    @property
    def unreadable(self) -> int:
        """How many times a photo could not be read since `tell_unreadable`."""
        return int(self._shared[1:].sum())

    def tell_unreadable(self) -> int:
        """Say how many photos could not be read, if any, and count anew: for the end of an epoch."""
        if number := self.unreadable:
            say(f"{number} of {len(self)} photos could not be read in this epoch, and others stood in")
            self._shared[1:] = 0
        return number

    def __getitem__(self, index: int) -> "tuple[torch.Tensor, dict[str, Any]]":
        import torch
        from torchvision import tv_tensors

        self._spare_what_is_shared()
        with nullcontext() if self.seed is None else _seeded(self.seed, self.epoch, index):
            number, picture, to_learn, to_ignore = self._seen(index)
            image: Any = tv_tensors.Image(torch.from_numpy(picture.copy()).permute(2, 0, 1))
            # One array of boxes through the transforms: torchvision's know no second one.
            stored = np.concatenate([to_learn, to_ignore])
            seen = clip(stored, (picture.shape[0], picture.shape[1]))
            # Not clamped by the transforms, so that what of a box is seen and what not is known in the end.
            boxes = tv_tensors.BoundingBoxes(
                torch.from_numpy(seen), format="XYXY", canvas_size=picture.shape[:2], clamping_mode=None
            )
            target: dict[str, Any] = {"boxes": boxes}
            if self.transforms is not None:
                image, target = self.transforms(image, target)
        shown = area(seen) / np.maximum(area(stored), np.float32(1e-6))
        height, width = image.shape[-2:]
        moved = target["boxes"].as_subclass(torch.Tensor).numpy()
        return image, _target(moved, (height, width), len(to_learn), shown) | {"image_id": number}

    def _seen(self, index: int) -> tuple[int, Picture, Boxes, Boxes]:
        """The number of a photo, the picture before any transform, its boxes to learn from, and those to ignore."""
        number, first, picture = self._read(index)
        if self.mosaic is None:
            return number, picture, first.boxes, first.ignore
        from dataset.mosaic import compose
        from dataset.transforms import drawn_by_torch

        random = drawn_by_torch()
        others = (self._read(int(random.integers(len(self.photos))))[1:] for _ in count())
        return number, *compose(chain([(first, picture)], others), self.mosaic, random)

    def _read(self, index: int) -> tuple[int, Photo, Picture]:
        """The first photo from `index` on that can be read: its number, what is known of it, and its picture."""
        for turn in range(len(self.photos)):
            number = (index + turn) % len(self.photos)
            photo = self.photos[number]
            try:
                picture, times = read_reduced(photo.path, self.size)
            except ImageError as error:
                self._shared[1 + (1 + _worker()) % _WORKERS] += 1
                say(f"left out: {photo.path}: {error}")
                continue
            return (number, *_reduced(photo, picture, times, self.size))
        raise InputError(f"none of the {len(self.photos)} photos can be read; run `python -m clean`")

    def _spare_what_is_shared(self) -> None:
        """In a loading process: leave out of garbage collection what the parent process made.

        A collection writes into every object that it looks at, and so would copy all of the parent's memory.
        """
        if not self._froze and _worker() >= 0:
            gc.freeze()
        self._froze = True


def collate(items: list[Any]) -> tuple[list[Any], list[Any]]:
    """A batch of detection is two lists: pictures differ in size, and targets in length."""
    images, targets = zip(*items, strict=True)
    return list(images), list(targets)


def _reduced(photo: Photo, picture: Picture, times: int, size: int | None) -> tuple[Photo, Picture]:
    """A photo whose picture was decoded so many `times` smaller, shrunk to `size`, and its boxes as small."""
    factors = np.ones(2, np.float32) / times
    if size is not None and min(picture.shape[:2]) > size:
        high, wide = picture.shape[:2]
        goal = max(1, round(high * size / min(high, wide))), max(1, round(wide * size / min(high, wide)))
        picture = resize(picture, goal)
        factors *= np.array([goal[0] / high, goal[1] / wide], np.float32)
    if (factors == 1).all():
        return photo, picture
    factor = float(factors[0]), float(factors[1])
    boxes, ignore = scale(photo.boxes, factor), scale(photo.ignore, factor)
    return Photo(photo.image_id, photo.identity, photo.path, boxes, ignore, photo.side), picture


def _target(boxes: Boxes, size: tuple[int, int], learn: int, shown: np.ndarray) -> dict[str, Any]:
    """The target for boxes (N, 4), which may reach out of the image of `size`; the first `learn` are to learn from.

    shown: (N,) which share of each was inside the photo before the transforms.
    """
    import torch
    from torchvision import tv_tensors

    inside = clip(boxes, size)
    visible = area(inside)
    share = visible / np.maximum(area(boxes), np.float32(1e-6)) * shown
    enough = ((inside[:, 2:] - inside[:, :2]) >= SMALLEST).all(axis=1) & (share >= VISIBLE)
    faces = (np.arange(len(boxes)) < learn) & enough

    def wrapped(some: Boxes) -> Any:
        return tv_tensors.BoundingBoxes(torch.from_numpy(some), format="XYXY", canvas_size=size)

    count = int(faces.sum())
    return {
        "boxes": wrapped(inside[faces]),
        # What is too little of a face to learn from is no background either.
        "ignore": wrapped(inside[~faces & (visible > 0)]),
        "labels": torch.ones(count, dtype=torch.int64),
        "area": torch.from_numpy(visible[faces]),
        "iscrowd": torch.zeros(count, dtype=torch.int64),
    }


def _worker() -> int:
    """The number of this loading process, or -1 in the process that trains."""
    from torch.utils.data import get_worker_info

    info = get_worker_info()
    return info.id if info is not None else -1


@contextmanager
def _seeded(seed: int, epoch: int, index: int) -> Iterator[None]:
    """torch's generator starts from these three, and goes on as it was afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch, index]).generate_state(1, np.uint64)[0] >> 1))
        yield
