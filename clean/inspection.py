"""The inspection of one photo: everything that needs its pixels. It runs in worker processes.

An inspection records facts. Verdicts are made later, from all photos together (the shift between two box conventions,
the duplicates), and can be made again without inspecting photos when only an option has changed.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clean import corrupt, finders, likeness, search
from visavis import images
from visavis.boxes import as_boxes
from visavis.errors import ImageError

VERSION = 3
"""To be raised when the code below changes so that it finds something else: photos are then inspected again."""

Box = tuple[float, float, float, float]
Given = tuple[float, float, float, float, str]
"""A row of faces.csv that clean did not write: x1 y1 x2 y2, pixels, and its `use`."""


@dataclass(frozen=True, slots=True)
class ListedPhoto:
    """A photo to be judged: its file, and what the list says about it.

    boxes: the labelled faces, x1 y1 x2 y2, pixels.
    url: its source according to the list. sha256: of the file that was downloaded, or empty.
    curated, score: the list's own rating of the label; the best one of several labels.
    given: the rows of faces.csv that clean did not write.
    pixels: its number of pixels according to downloads.csv; 0 if unknown.
    """

    image_id: str
    path: Path
    identity: str = ""
    boxes: tuple[Box, ...] = ()
    curated: bool = False
    score: float = 0.0
    url: str = ""
    sha256: str = ""
    given: tuple[Given, ...] = ()
    pixels: int = 0


@dataclass(frozen=True)
class Task:
    """What to inspect.

    finders: names in clean.finders.FINDERS. max_pixels: of a photo, in all; None for the default, or for what the
    download accepted if that is more. min_side: pixels.
    """

    finders: tuple[str, ...]
    max_pixels: int | None
    min_side: int

    def limit(self, photo: ListedPhoto) -> int:
        """The largest number of pixels that the photo may have."""
        return max(images.MAX_PIXELS, photo.pixels) if self.max_pixels is None else self.max_pixels

    def settings(self, photo: ListedPhoto) -> str:
        """What an inspection of `photo` depends on besides its file."""
        return repr((VERSION, self.limit(photo), self.min_side, photo.boxes))


@dataclass(frozen=True)
class Inspection:
    """What the inspection of a photo found: plain values, which go through a pipe and into a line of JSON.

    reason, detail: why it cannot be used (a keyword of clean.corrupt's or visavis.errors.ImageError), or empty.
    finds: finder -> rows of x1 y1 x2 y2 score, pixels, perhaps followed by `clean.search.CLOSER`.
    keys: finder -> its version.
    likeness: a clean.likeness.Likeness as text. frames: of an animation, of which the first is inspected.
    removed: the reason for which clean moved the file away or deleted it.
    """

    image_id: str
    settings: str
    reason: str = ""
    detail: str = ""
    height: int = 0
    width: int = 0
    bytes: int = -1
    modified_ns: int = -1
    sha256: str = ""
    finds: dict[str, list[list[float]]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    likeness: str = ""
    frames: int = 1
    removed: str = ""

    def still_holds(self, photo: ListedPhoto, task: Task) -> bool:
        """Whether the file, the label and the limits have not changed."""
        if self.settings != task.settings(photo) or self.reason == "crashed":  # memory may have been short
            return False
        try:
            status = photo.path.stat()
        except FileNotFoundError:
            return self.reason == "missing" or bool(self.removed)
        except OSError:
            return False
        if status.st_size != self.bytes or self.removed:  # a removed file that is there was put back
            return False
        return status.st_mtime_ns == self.modified_ns or _sha256(photo.path) == self.sha256  # copied, or touched

    def unasked(self, keys: dict[str, str]) -> tuple[str, ...]:
        """Which of these finders (name -> key) must still search it; none if the photo does not decode."""
        if self.reason or self.removed:
            return ()
        return tuple(name for name, key in keys.items() if self.keys.get(name) != key)

    def rows(self, finder: str) -> NDArray[np.float32]:
        """(N, 5) x1 y1 x2 y2 score of that finder's detections, with those of closer looks."""
        return np.array([row[:5] for row in self.finds[finder]], np.float32).reshape(-1, 5)

    def complete(self) -> bool:
        """Whether it has everything except some finders: an earlier version may have recorded less."""
        return bool(self.likeness or self.reason or self.removed)

    def joined(self, later: "Inspection") -> "Inspection":
        """`later`, an inspection of the same file by other finders, with what was found before."""
        return replace(later, finds=self.finds | later.finds, keys=self.keys | later.keys)


def prepare(*names: str) -> None:
    """Make and try these finders now, so that their time and errors are not attributed to the first photo."""
    likeness.of(_BLANK)
    for name in names:
        finders.load(name).detector.detect([_BLANK])


_BLANK: images.Picture = np.zeros((100, 100, 3), np.uint8)


def inspect(photo: ListedPhoto, task: Task) -> Inspection:
    """Read, decode and search one photo. A bad file gives a reason, never an exception."""
    facts: dict = {"image_id": photo.image_id, "settings": task.settings(photo)}
    with suppress(OSError):  # taken before reading, so that the next run notices a change after it
        facts["modified_ns"] = photo.path.stat().st_mtime_ns
    try:
        data = images.read_bytes(photo.path)
        facts |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        labels, limit = as_boxes(photo.boxes), task.limit(photo)
        asked = {name: finders.load(name) for name in task.finders}
        enough = search.enough(labels, list(asked.values()), max(likeness.SHORTEST, task.min_side))
        reduced = images.decode_reduced(data, enough, limit)
        picture, facts["height"], facts["width"] = reduced.picture, reduced.height, reduced.width
        corrupt.examine(picture, task.min_side)
        corrupt.check(data, limit)
        frames = images.frames(data, limit) if reduced.animated else 1
        size = reduced.height, reduced.width
        alike = str(likeness.of(picture))
        finds = {name: search.find(picture, size, labels, finder) for name, finder in asked.items()}
    except ImageError as error:
        return Inspection(reason=error.reason, detail=error.detail, **facts)
    except Exception as error:  # noqa: BLE001 any error of a decoder, also of memory, concerns this photo alone
        return Inspection(reason="crashed", detail=f"{type(error).__name__}: {error}", **facts)
    keys = {name: finder.key for name, finder in asked.items()}
    return Inspection(frames=frames, likeness=alike, finds=finds, keys=keys, **facts)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
