"""Labeled Faces in the Wild, and folders like it: pairs of photos of which it is known whether they show one person.

`images/` holds the photos, `pairs.csv` a row a pair: `one,other,same` (0 or 1), and perhaps `fold`. The person is the
face in the middle of the photo, and the photo's name says who it is: `Name_0001.jpg`.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from visavis.boxes import Boxes
from visavis.data import tables
from visavis.errors import ImageError, InputError
from visavis.evaluation import pairs
from visavis.images import Picture, find, read
from visavis.messages import say

IMAGES, PAIRS = "images", "pairs.csv"
COLUMNS = ("one", "other", "same")

Finder = Callable[[Picture], Boxes]
"""(N, 4) boxes of the faces in a picture."""
Coder = Callable[[Picture, Boxes], NDArray[np.float32]]
"""(N, size) encodings of faces, NaN where one cannot be made."""


@dataclass(frozen=True)
class Pairs:
    """one, other: names of photos below images/. same: (P,) whether they show one person. fold: (P,)."""

    folder: Path
    one: list[str]
    other: list[str]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]

    @property
    def photos(self) -> list[str]:
        """All photos of the folder, those of no pair included, by name."""
        images = self.folder / IMAGES
        return sorted(path.relative_to(images).as_posix() for path in find(images))


@dataclass
class Contender:
    """How the face of a photo is found and encoded, and what came of it, by the photo's name."""

    name: str
    find: Finder
    encode: Coder
    encodings: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    unfound: list[str] = field(default_factory=list)
    find_ms: list[float] = field(default_factory=list)
    encode_ms: list[float] = field(default_factory=list)

    def take(self, name: str, picture: Picture) -> None:
        """Find and encode the face in the middle of a photo."""
        began = time.perf_counter()
        boxes = self.find(picture)
        found = time.perf_counter()
        middle = in_the_middle(boxes, picture.shape[:2])
        encoding = self.encode(picture, boxes[middle : middle + 1]) if middle is not None else np.full((1, 1), np.nan)
        self.find_ms.append((found - began) * 1000)
        if np.isnan(encoding).any():
            self.unfound.append(name)
        else:
            self.encode_ms.append((time.perf_counter() - found) * 1000)
            self.encodings[name] = encoding[0]

    def distances(self, given: Pairs) -> NDArray[np.float64]:
        """(P,) of each pair; NaN where one of its faces was not found."""
        return np.array([self._apart(one, other) for one, other in zip(given.one, given.other, strict=True)])

    def _apart(self, one: str, other: str) -> float:
        if one not in self.encodings or other not in self.encodings:
            return float("nan")
        return float(np.linalg.norm(self.encodings[one].astype(np.float64) - self.encodings[other]))


def read_pairs(folder: Path) -> Pairs:
    """Raises InputError where something is missing or wrong, with the row."""
    path = folder / PAIRS
    if not path.is_file():
        raise InputError(f"{path} is not there; `protocol` lfw needs it, with the columns one,other,same, and images/")
    rows = list(tables.rows(path, COLUMNS))
    if not rows:
        raise InputError(f"{path} has no pair; give one in each row")
    for number, row in enumerate(rows, start=2):
        if row["same"] not in ("0", "1"):
            raise InputError(f"{path} row {number}: same is {row['same']!r}; write 1 for one person, 0 for two")
        for name in (row["one"], row["other"]):
            if not (folder / IMAGES / (name or "?")).is_file():
                raise InputError(f"{path} row {number}: there is no photo {folder / IMAGES / (name or '?')}")
    same = np.array([row["same"] == "1" for row in rows])
    try:
        fold = np.array([int(row["fold"]) for row in rows]) if "fold" in rows[0] else pairs.folds(same)
    except (ValueError, TypeError):
        raise InputError(f"{path}: the column fold must hold a whole number in each row") from None
    for kind, what in ((True, "one person (same 1)"), (False, "two people (same 0)")):
        if not (same == kind).any():
            raise InputError(f"{path} has no pair of {what}; accuracy needs both kinds")
    return Pairs(folder, [row["one"] for row in rows], [row["other"] for row in rows], same, fold)


def person(name: str) -> str:
    """Who a photo of this name shows: the name without its number."""
    return Path(name).stem.rpartition("_")[0] or Path(name).stem


def in_the_middle(boxes: Boxes, size: tuple[int, int]) -> int | None:
    """Which of (N, 4) boxes is the person's: of those in which the middle of the photo (height, width) lies, the one
    whose own middle is nearest to it; None where there is none."""
    middle = np.array([size[1], size[0]]) / 2
    inside = (boxes[:, :2] <= middle).all(axis=1) & (middle <= boxes[:, 2:]).all(axis=1)
    away = np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - middle, axis=1)
    return int(np.where(inside, away, np.inf).argmin()) if inside.any() else None


def encode_all(contenders: Iterable[Contender], given: Pairs) -> list[dict[str, str]]:
    """Have every contender look at every photo. Returns those that could not be read, with the reason: their faces are
    found by nobody."""
    unreadable = []
    for name in tqdm(given.photos, unit="photo", disable=None):
        try:
            picture = read(given.folder / IMAGES / name)
        except ImageError as error:
            say(f"{name}: {error}")
            unreadable.append({"photo": name, "reason": error.reason})
            continue
        for contender in contenders:
            contender.take(name, picture)
    return unreadable


def people(names: Iterable[str], least: int) -> dict[str, list[str]]:
    """The photos of everybody who has at least so many, by person."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(person(name), []).append(name)
    return {who: photos for who, photos in found.items() if len(photos) >= least}


def costs(contender: Contender) -> dict[str, Any]:
    """Milliseconds, the median."""
    return {
        "find_ms": float(np.median(contender.find_ms)) if contender.find_ms else None,
        "encode_ms": float(np.median(contender.encode_ms)) if contender.encode_ms else None,
    }
