"""The faults that benchmarks.clean plants, each a function that adds photos to a folder."""

import hashlib
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from clean.faceless import OVERLAP
from clean.inspection import Box, ListedPhoto
from dataset import tables
from visavis import images
from visavis.boxes import as_boxes, clip, iou
from visavis.errors import ImageError
from visavis.images import Picture

CORRUPT = (
    "changed",
    "damaged",
    "truncated",
    "empty",
    "not_image",
    "not_a_photo",
    "too_large",
    "too_small",
    "unreadable",
    "crashed",
)


COPIES = ("same", "saved", "halved", "cropped", "mirrored")
"""The faults by which a photo is there twice; either of the two may be the one that is kept."""


class Folder:
    """A data folder in the making: image_id is fault/name, so that the tables tell what was planted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.labels: list[dict] = []
        self.downloads: list[dict] = []
        self.harmless = 0
        """Bytes of headers that were inverted and left the very same picture."""

    def add(self, image_id: str, data: bytes, label: Box, sha256: str = "") -> None:
        """A photo's bytes and its label. sha256: of what was downloaded, where that is known."""
        path = f"images/{image_id}.jpg"
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_bytes(data)
        corners = dict(zip(("x1", "y1", "x2", "y2"), label, strict=True))
        self.labels.append({"image_id": image_id, "identity": "", "url": "", **corners})
        self.downloads.append({"image_id": image_id, "status": "ok", "path": path, "sha256": sha256})

    def write(self) -> None:
        """Write the tables."""
        tables.write(self.path / "labels.csv", self.labels)
        tables.write(self.path / "downloads.csv", self.downloads)

    def clean(self, *arguments: str) -> None:
        """Run clean on it, in a process of its own, whose start counts where it is timed."""
        words = [sys.executable, "-m", "clean", "--data", str(self.path), *arguments]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise RuntimeError(done.stderr)


class Good:
    """A photo as it is, in the folder; copies of it are planted as duplicates."""

    def __init__(self, folder: Folder, photo: ListedPhoto) -> None:
        self.name, self.label = photo.image_id, photo.boxes[0]
        self.data = photo.path.read_bytes()
        self.picture = images.decode(self.data)
        folder.add(f"good/{self.name}", self.data, self.label)


def base_photos(photos: Sequence[ListedPhoto], chance: random.Random) -> list[ListedPhoto]:
    """Those with exactly one label, in a random order, no two alike."""
    from clean import likeness

    single = [one for one in photos if len(one.boxes) == 1]
    likes = [likeness.of(images.read(one.path)) for one in single]
    twins = {second for _, second, _ in likeness.pairs(likes)}
    chosen = [one for number, one in enumerate(single) if number not in twins]
    chance.shuffle(chosen)
    return chosen


Plant = Callable[[Folder, list[Good], list[ListedPhoto], list[ListedPhoto], int, random.Random], None]
"""(folder, good photos in it, fresh photos to be used up, scenes without a face, how many, chance)"""


def _truncated(
    folder: Folder, good: list[Good], bases: list[ListedPhoto], scenes: list[ListedPhoto], each: int, chance
) -> None:
    for photo in _taken(bases, each):
        data = photo.path.read_bytes()
        folder.add(f"truncated/{photo.image_id}", data[: chance.randrange(1, len(data) - 2)], photo.boxes[0])


def _header(
    folder: Folder, good: list[Good], bases: list[ListedPhoto], scenes: list[ListedPhoto], each: int, chance
) -> None:
    """One byte before the first scan inverted. If the decoded picture is still exactly the same, it is no fault.

    Half of them have the sha256 of what was downloaded, half have none, as if damaged before the download.
    """
    for number, photo in enumerate(_taken(bases, 2 * each)):
        whole = photo.path.read_bytes()
        before = images.decode(whole)
        while True:
            data = bytearray(whole)
            data[chance.randrange(max(20, data.find(b"\xff\xda")))] ^= 0xFF
            if not same(bytes(data), before):
                break
            folder.harmless += 1
        if number % 2:
            folder.add(f"header/{photo.image_id}", bytes(data), photo.boxes[0])
        else:
            known = hashlib.sha256(whole).hexdigest()
            folder.add(f"header_recorded/{photo.image_id}", bytes(data), photo.boxes[0], known)


def same(data: bytes, before: Picture) -> bool:
    """Whether the bytes still decode to exactly that picture."""
    try:
        return np.array_equal(images.decode(data), before)
    except ImageError:
        return False


def _one_colour(
    folder: Folder, good: list[Good], bases: list[ListedPhoto], scenes: list[ListedPhoto], each: int, chance
) -> None:
    for photo in _taken(bases, each):
        blank = np.empty_like(images.read(photo.path))
        blank[:] = [chance.randrange(256) for _ in range(3)]
        folder.add(f"one_colour/{photo.image_id}", images.encode(blank), photo.boxes[0])


def _scene(
    folder: Folder, good: list[Good], bases: list[ListedPhoto], scenes: list[ListedPhoto], each: int, chance
) -> None:
    """A label whose photo was replaced by a scene without a face, of another size."""
    for photo, scene in zip(_taken(bases, each), chance.sample(scenes, min(each, len(scenes))), strict=False):
        label = _within(photo.boxes[0], images.read(scene.path).shape)
        folder.add(f"scene/{photo.image_id}", scene.path.read_bytes(), label)


def _swapped(
    folder: Folder, good: list[Good], bases: list[ListedPhoto], scenes: list[ListedPhoto], each: int, chance
) -> None:
    """Somebody else's photo. If that person's face is at the label by chance, no finder can notice: counted apart."""
    some = _taken(bases, each)
    for photo, other in zip(some, some[1:] + some[:1], strict=True):
        label = _within(photo.boxes[0], images.read(other.path).shape)
        chanced = float(iou(as_boxes([label]), as_boxes(other.boxes)).max()) >= OVERLAP
        fault = "swapped_by_chance" if chanced else "swapped"
        folder.add(f"{fault}/{photo.image_id}", other.path.read_bytes(), label)


def _moved(
    folder: Folder, good: list[Good], bases: list[ListedPhoto], scenes: list[ListedPhoto], each: int, chance
) -> None:
    """The label somewhere else in the picture, clear of the face."""
    planted = 0
    while planted < each and bases:
        photo = bases.pop()
        height, width = images.read(photo.path).shape[:2]
        x1, y1, x2, y2 = photo.boxes[0]
        for _ in range(100):
            left, top = chance.uniform(0, width - (x2 - x1)), chance.uniform(0, height - (y2 - y1))
            label = (left, top, left + x2 - x1, top + y2 - y1)
            if min(left, top) >= 0 and float(iou(as_boxes([label]), as_boxes(photo.boxes))[0, 0]) < 0.05:
                folder.add(f"moved/{photo.image_id}", photo.path.read_bytes(), label)
                planted += 1
                break


def _copies(fault: str, first: int, change: Callable[[Picture, Box, random.Random], tuple[Picture, Box]]) -> Plant:
    def plant(
        folder: Folder, good: list[Good], bases: list[ListedPhoto], scenes: list[ListedPhoto], each: int, chance
    ) -> None:
        for one in good[first * each : (first + 1) * each]:
            picture, label = change(one.picture, one.label, chance)
            data = one.data if fault == "same" else images.encode(picture, quality=50 if fault == "saved" else 85)
            folder.add(f"{fault}/{one.name}", data, label)

    return plant


def _halved(picture: Picture, label: Box, chance: random.Random) -> tuple[Picture, Box]:
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    across, down = width / picture.shape[1], height / picture.shape[0]
    return images.resize(picture, (height, width)), (*_times(label[:2], across, down), *_times(label[2:], across, down))


def _times(point: tuple[float, float], across: float, down: float) -> tuple[float, float]:
    return point[0] * across, point[1] * down


def _cropped(picture: Picture, label: Box, chance: random.Random) -> tuple[Picture, Box]:
    """Up to 5 % off each side."""
    height, width = picture.shape[:2]
    left, right = (round(chance.uniform(0, 0.05) * width) for _ in range(2))
    top, bottom = (round(chance.uniform(0, 0.05) * height) for _ in range(2))
    x1, y1, x2, y2 = label
    return picture[top : height - bottom, left : width - right], (x1 - left, y1 - top, x2 - left, y2 - top)


def _mirrored(picture: Picture, label: Box, chance: random.Random) -> tuple[Picture, Box]:
    width = picture.shape[1]
    return np.ascontiguousarray(picture[:, ::-1]), (width - label[2], label[1], width - label[0], label[3])


def _as_it_is(picture: Picture, label: Box, chance: random.Random) -> tuple[Picture, Box]:
    return picture, label


def _within(label: Box, shape: Sequence[int]) -> Box:
    """The label, moved to lie in a picture of that size if it fits, cut to it if not."""
    height, width = shape[:2]
    x1, y1, x2, y2 = label
    across, down = min(0.0, width - x2) - min(0.0, x1), min(0.0, height - y2) - min(0.0, y1)
    moved = clip(as_boxes([(x1 + across, y1 + down, x2 + across, y2 + down)]), (height, width))[0].tolist()
    return moved[0], moved[1], max(moved[2], moved[0] + 1), max(moved[3], moved[1] + 1)


def _taken(bases: list[ListedPhoto], count: int) -> list[ListedPhoto]:
    return [bases.pop() for _ in range(min(count, len(bases)))]


FAULTS: dict[str, Plant] = {
    "truncated": _truncated,
    "header": _header,
    "header_recorded": lambda *_: None,  # planted by the one before
    "one_colour": _one_colour,
    "scene": _scene,
    "swapped": _swapped,
    "swapped_by_chance": lambda *_: None,  # planted by the one before
    "moved": _moved,
    "same": _copies("same", 0, _as_it_is),
    "saved": _copies("saved", 1, _as_it_is),
    "halved": _copies("halved", 2, _halved),
    "cropped": _copies("cropped", 3, _cropped),
    "mirrored": _copies("mirrored", 4, _mirrored),
}
