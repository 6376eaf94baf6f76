"""FaceDataset gives torch photos with their labels, one by one; dataset.loader makes batches of them.

The photos come from dataset.photos: `load_photos`, or `Photos.load` for large numbers.
"""

import gc
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset.photos import SMALLEST, VISIBLE, Photo, Photos, labels_within, load_photos
from dataset.split import Shares
from visavis.boxes import Boxes, area, clip, scale
from visavis.errors import ImageError, InputError
from visavis.images import Picture, read_reduced
from visavis.messages import counted, say

if TYPE_CHECKING:
    import torch

    from dataset.samplers import Key

__all__ = ["SMALLEST", "VISIBLE", "FaceDataset", "Photo", "Photos", "labels_within", "load_photos"]

_WORKERS = 255
"""The number of loading processes that have their own counts; with more of them, counts may be too low."""


class Unreadable:
    """How many times something could not be read, whichever of the loading processes met it."""

    def __init__(self) -> None:
        import torch

        # Seen by all of them: what each counted.
        self._counts = torch.zeros(_WORKERS, dtype=torch.int64).share_memory_()

    @property
    def count(self) -> int:
        """So many, since `tell`."""
        return int(self._counts.sum())

    def add(self) -> None:
        """One more."""
        self._counts[(1 + _worker()) % _WORKERS] += 1

    def tell(self, all_in_all: int, what: str) -> int:
        """Say how many there were, if any, and count anew."""
        if number := self.count:
            say(f"{number} of {counted(all_in_all, what)} could not be read in this epoch, and others stood in")
            self._counts[:] = 0
        return number


class FaceDataset:
    """Photos and targets for torchvision's detectors (a map-style torch Dataset).

    An item is (image, target): a float32 (3, height, width) tv_tensors.Image in 0..1, and a dict of boxes (N, 4) XYXY
    tv_tensors.BoundingBoxes, labels (N,) int64 of ones, ignore (M, 4) like boxes, area (N,) square pixels, iscrowd
    (N,) zeros, image_id (the photo's index, or that of a mosaic's first photo).

    transforms: any torchvision.transforms.v2 of a uint8 (image, target); see dataset.transforms.preset.
    mosaic: the side, in pixels, of the square canvases that dataset.mosaic composes of several photos; None gives
    single photos.
    size: the pixels of the shorter side that training needs. A larger photo is decoded at the smallest scale of libjpeg
    that has as many, and reduced to this size, which makes augmentation cheaper, too. None keeps every pixel.
    seed: makes an item depend on seed and key alone, whatever the number of loading processes, and wherever an epoch is
    resumed. Without it, torch's generator decides. A key is (epoch, position in its order, index) from
    dataset.samplers.Batches, or an index alone. With a seed, targets also have `draw`, the seed of the network's random
    choices for the picture (visavis.training.draws).
    as_bytes: leave pixels uint8, in 0..255, if the transforms do: a quarter of the bytes to send to another process and
    to a GPU. Our networks accept both.

    A photo that cannot be decoded is reported on stderr, counted in `unreadable` (for all processes), and replaced by
    the next one.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        transforms: Any = None,
        mosaic: int | None = None,
        size: int | None = None,
        seed: int | None = None,
        as_bytes: bool = False,
    ) -> None:

        self.photos = photos if isinstance(photos, Photos) else Photos(photos)
        self.transforms = transforms
        self.mosaic = mosaic
        self.size = size
        self.seed = seed
        self.as_bytes = as_bytes
        self.failed = Unreadable()
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
    def unreadable(self) -> int:
        """How many times a photo could not be read since the last `tell_unreadable`."""
        return self.failed.count

    def tell_unreadable(self) -> int:
        """Report how many photos could not be read, if any, and reset the count: for the end of an epoch."""
        return self.failed.tell(len(self), "photo")

    def name(self, number: int) -> str:
        """The photo's image_id."""
        return self.photos[number].image_id

    def __getitem__(self, key: "int | Key") -> "tuple[torch.Tensor, dict[str, Any]]":
        from dataset.samplers import seed_of, seeded

        self._spare_what_is_shared()
        epoch, place, number = (0, key, key) if isinstance(key, int) else key
        if self.seed is None:
            return self._item(number)
        with seeded(seed_of(self.seed, epoch, place)):
            image, target = self._item(number)
        return image, target | {"draw": seed_of(self.seed, epoch, place, 1)}

    def _item(self, index: int) -> "tuple[torch.Tensor, dict[str, Any]]":
        import torch
        from torchvision import tv_tensors

        number, picture, to_learn, to_ignore = self._seen(index)
        pixels = torch.from_numpy(picture).permute(2, 0, 1)
        size = picture.shape[0], picture.shape[1]
        # All boxes pass the transforms in one array: torchvision's accept no second one.
        boxes = np.concatenate([to_learn, to_ignore])
        shown: np.ndarray | float = 1.0
        if self.transforms is not None:
            whole = area(boxes)
            boxes = clip(boxes, size)
            shown = area(boxes) / np.maximum(whole, np.float32(1e-6))
            # The transforms do not clamp boxes, so that the visible share of each is known in the end.
            moved: Any = tv_tensors.BoundingBoxes(
                torch.from_numpy(boxes), format="XYXY", canvas_size=size, clamping_mode=None
            )
            pixels, target = self.transforms(tv_tensors.Image(pixels), {"boxes": moved})
            boxes, size = target["boxes"].as_subclass(torch.Tensor).numpy(), target["boxes"].canvas_size
        if pixels.dtype == torch.uint8 and not self.as_bytes:
            pixels = pixels.float().div_(255)
        return tv_tensors.Image(pixels), _target(boxes, size, len(to_learn), shown) | {"image_id": number}

    def _seen(self, index: int) -> tuple[int, Picture, Boxes, Boxes]:
        """The index of a photo, the picture before any transform, the boxes to learn from, and those to ignore."""
        number, first, picture = self._read(index)
        if self.mosaic is None:
            return number, picture, first.boxes, first.ignore
        from dataset.augmentations import drawn_by_torch
        from dataset.mosaic import compose

        random = drawn_by_torch()
        others = (self._read(int(random.integers(len(self.photos))))[1:] for _ in count())
        return number, *compose(chain([(first, picture)], others), self.mosaic, random)

    def _read(self, index: int) -> tuple[int, Photo, Picture]:
        """The first photo from `index` on that can be read: its index, the photo, and its picture."""
        for turn in range(len(self.photos)):
            number = (index + turn) % len(self.photos)
            photo = self.photos[number]
            try:
                picture, times = read_reduced(photo.path, self.size, photo.max_pixels)
            except ImageError as error:
                self.failed.add()
                say(f"left out: {photo.path}: {error}")
                continue
            return (number, *_reduced(photo, picture, times, self.size))
        raise InputError(f"of {counted(len(self.photos), 'photo')}, none can be read; run `python -m clean`")

    def _spare_what_is_shared(self) -> None:
        """Exclude the parent process's objects from garbage collection, once in each loading process.

        A collection writes into every object that it visits, and would so copy all of the parent's memory.
        """
        if not self._froze and _worker() >= 0:
            gc.freeze()
        self._froze = True


def _reduced(photo: Photo, picture: Picture, times: int, size: int | None) -> tuple[Photo, Picture]:
    """A photo whose picture was decoded `times` smaller, reduced to `size`, with its boxes scaled alike."""
    high, wide = picture.shape[:2]
    down = across = 1.0
    if size is not None and min(high, wide) > size:
        import torch
        from torchvision.transforms.v2 import functional

        goal = [max(1, round(side * size / min(high, wide))) for side in (high, wide)]
        # On bytes, this takes a fifth of Pillow's time.
        shrunk = functional.resize_image(torch.from_numpy(picture).permute(2, 0, 1), goal, antialias=True)
        picture = shrunk.permute(1, 2, 0).numpy()
        down, across = goal[0] / high, goal[1] / wide
    if down == across == times:
        return photo, picture
    factor = down / times, across / times
    return replace(photo, boxes=scale(photo.boxes, factor), ignore=scale(photo.ignore, factor)), picture


def _target(boxes: Boxes, size: tuple[int, int], learn: int, shown: np.ndarray | float) -> dict[str, Any]:
    """The target for boxes (N, 4), which may extend beyond the image of `size`; the first `learn` are to learn from.

    shown: (N,) the share of each that was inside the photo before the transforms.
    """
    import torch
    from torchvision import tv_tensors

    inside = clip(boxes, size)
    visible = area(inside)
    faces = (inside[:, 2:] - inside[:, :2] >= SMALLEST).all(axis=1) & (visible * shown >= VISIBLE * area(boxes))
    faces[learn:] = False

    def wrapped(some: Boxes) -> Any:
        return tv_tensors.BoundingBoxes(torch.from_numpy(some), format="XYXY", canvas_size=size)

    count = int(faces.sum())
    return {
        "boxes": wrapped(inside[faces]),
        # Too little of a face to learn from is not background either, so it is ignored.
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
