"""WindowDataset hands windows over photos to torch, those of a photo together, exactly as use will cut them."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dataset.crops import lit
from dataset.faces import Unreadable
from dataset.photos import Photos, labels_within
from dataset.samplers import Key, seed_of
from dataset.transforms import check as check_transforms
from visavis.boxes import Boxes, as_boxes, covered, iou, scale
from visavis.detectors.sliding_window.design import FACES, OTHERS, Design
from visavis.detectors.sliding_window.windows import SIDE, Layer
from visavis.errors import ImageError, InputError
from visavis.images import Picture, fit, read_reduced
from visavis.messages import counted, say
from visavis.metrics import COVERED

FACE = 0.4
"""IoU with a face from which on a window is to be taken for one."""
NEAR = 0.1
"""IoU from which on a window is near a face without being one: the hardest to tell."""
_NONE = np.zeros((0, SIDE, SIDE, 3), np.uint8)


class WindowDataset:
    """An item is (image, target): (K, 3, SIDE, SIDE) uint8, windows of a photo, and `labels` and `weights`, (K,)
    float32, as visavis.detectors.sliding_window.network wants them, and `draw`.

    transforms: none; light: the photo is cut a little at its edges, so that windows lie otherwise, and mirrored and lit
    otherwise. seed, keys: as dataset.faces.FaceDataset. A photo that cannot be decoded is named on stderr, and the next
    one stands in, as for one that is smaller than all windows.
    """

    def __init__(self, photos: Photos, design: Design, transforms: str = "none", seed: int = 0) -> None:
        check_transforms(transforms)
        if transforms == "full":
            raise InputError("`transforms` full is for whole photos; windows know none and light")
        self.photos, self.design, self.transforms, self.seed = photos, design, transforms, seed
        self.weights = class_weights(OTHERS, FACES, design.alpha)
        self.failed = Unreadable()

    def __len__(self) -> int:
        return len(self.photos)

    def name(self, number: int) -> str:
        """The photo."""
        return self.photos[number].image_id

    def unusable(self) -> InputError:
        """What to raise if no photo gives a window."""
        return InputError(
            f"no windows can be cut from {counted(len(self), 'photo')}: none can be read (run `python -m clean`), or "
            f"all are smaller than the windows (`sizes` {self.design.sizes})"
        )

    def tell_unreadable(self) -> int:
        """Say how many photos could not be read, if any, and count anew: for the end of an epoch."""
        return self.failed.tell(len(self), "photo")

    def __getitem__(self, key: int | Key) -> tuple[Tensor, dict[str, Any]]:
        epoch, place, number = (0, key, key) if isinstance(key, int) else key
        dice = np.random.default_rng(seed_of(self.seed, epoch, place))
        for turn in range(len(self)):
            read = self.read((number + turn) % len(self))
            if read is None:
                continue
            picture, faces, ignored = read
            if self.transforms == "light":
                picture, faces, ignored = cropped(picture, faces, ignored, dice)
            parts = list(self.drawn(picture, faces, ignored, dice))
            windows = np.concatenate([_NONE, *(layer.views(picture)[np.unravel_index(numbers, layer.shape)]
                                               for layer, numbers, _ in parts)])  # fmt: skip
            labels = np.concatenate([np.zeros(0, bool), *(given for _, _, given in parts)])
            if not len(labels):
                continue
            if self.transforms == "light" and len(windows):
                if dice.random() < 0.5:
                    windows = windows[:, :, ::-1]
                windows = lit(windows.reshape(-1, *windows.shape[2:]), dice).reshape(windows.shape)
            target = {
                "labels": torch.from_numpy(labels.astype(np.float32)),
                "weights": torch.from_numpy(self.weights[labels.astype(int)]),
                "draw": seed_of(self.seed, epoch, place, 1),
            }
            return torch.from_numpy(np.ascontiguousarray(windows.transpose(0, 3, 1, 2))), target
        raise self.unusable()

    def read(self, number: int) -> tuple[Picture, Boxes, Boxes] | None:
        """A photo at the size of use, its faces and what to ignore; None, which is said, if it cannot be decoded."""
        photo, longest = self.photos[number], self.design.longest
        shorter = round(longest * min(photo.size) / max(photo.size)) if min(photo.size) else None
        try:
            read, times = read_reduced(photo.path, shorter, photo.max_pixels)
        except ImageError as error:
            self.failed.add()
            say(f"left out: {photo.path}: {error}")
            return None
        picture, factor = fit(read, longest)
        faces, ignored = labels_within(photo, (read.shape[0] * times, read.shape[1] * times))
        return picture, scale(faces.boxes, factor / times), scale(ignored, factor / times)

    def drawn(
        self, picture: Picture, faces: Boxes, ignored: Boxes, dice: np.random.Generator
    ) -> Iterator[tuple[Layer, NDArray[np.int64], NDArray[np.bool_]]]:
        """Windows to be shown, those of a size together: the layer, the numbers of its windows, and whether each is a
        face."""
        layers = self.design.layers((picture.shape[0], picture.shape[1]))
        every = np.concatenate([as_boxes([]), *(layer.boxes() for layer in layers)])
        unknown = (covered(every, ignored) >= COVERED).any(axis=1)
        overlap = np.where(unknown, np.nan, iou(every, faces).max(axis=1, initial=0))
        chosen = [
            some(np.flatnonzero(overlap >= FACE), FACES, dice),
            some(np.flatnonzero((overlap >= NEAR) & (overlap < FACE)), OTHERS // 2, dice),
            some(np.flatnonzero(overlap < NEAR), OTHERS // 2, dice),
        ]
        numbers, first = np.sort(np.concatenate(chosen)), 0
        for layer in layers:
            last = first + math.prod(layer.shape)
            own = numbers[(numbers >= first) & (numbers < last)]
            yield layer, own - first, overlap[own] >= FACE
            first = last


def some(numbers: NDArray[np.int64], most: int, dice: np.random.Generator) -> NDArray[np.int64]:
    """At most so many of them, chosen by chance."""
    return numbers if len(numbers) <= most else dice.choice(numbers, most, replace=False)


def cropped(picture: Picture, faces: Boxes, ignored: Boxes, dice: np.random.Generator) -> tuple[Picture, Boxes, Boxes]:
    """Without up to a tenth of its height and width, at any of its edges."""
    height, width = picture.shape[:2]
    top, bottom = (dice.uniform(0, 0.05, 2) * height).astype(int)
    left, right = (dice.uniform(0, 0.05, 2) * width).astype(int)
    moved = np.array([left, top, left, top], np.float32)
    return picture[top : height - bottom, left : width - right], faces - moved, ignored - moved


def class_weights(others: int, faces: int, alpha: float) -> NDArray[np.float32]:
    """(2,) weights of windows without and with a face in the loss, where there are so many of each: those without have
    1 - alpha of all weight together, those with a face alpha."""
    both = others + faces
    return np.array([(1 - alpha) * both / others, alpha * both / faces], np.float32)
