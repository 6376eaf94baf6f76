"""One look at one photo: everything that needs its pixels. It runs in worker processes.

What is seen is facts, no verdicts: those are made later from all photos together (the shift between
two box conventions, the duplicates), and made again for nothing when only an option changed.
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
"""Part of what a look depends on; a change of the code below that sees otherwise raises it."""

Box = tuple[float, float, float, float]
Given = tuple[float, float, float, float, str]
"""A row of faces.csv that clean did not write: x1 y1 x2 y2, pixels, and its `use`."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo to be judged: its file, and what the list says of it.

    boxes: the labelled faces, x1 y1 x2 y2, pixels.
    url: where the list says that it came from. sha256: of the file that was downloaded, or empty.
    curated, score: the list's own opinion of the label, the best of them where there are several.
    given: the rows of faces.csv that clean did not write.
    pixels: as many as downloads.csv says that it has; 0 where that does not say.
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
    """What to look for.

    finders: names in clean.finders.FINDERS. max_pixels: of a photo, in all; None for the default, or for what the
    download accepted if that is more. min_side: pixels.
    """

    finders: tuple[str, ...]
    max_pixels: int | None
    min_side: int

    def limit(self, photo: Photo) -> int:
        """Pixels that the photo may have in all."""
        return max(images.MAX_PIXELS, photo.pixels) if self.max_pixels is None else self.max_pixels

    def settings(self, photo: Photo) -> str:
        """What a look at `photo` depends on besides its file."""
        return repr((VERSION, self.limit(photo), self.min_side, photo.boxes))


@dataclass(frozen=True)
class Seen:
    """What one look at a photo found: plain values, which go through a pipe and into a line of JSON.

    reason, detail: why it cannot be used (a keyword of clean.corrupt's or visavis.errors.ImageError), or empty.
    finds: finder -> rows of x1 y1 x2 y2 score, pixels, and `clean.search.CLOSER` or nothing.
    keys: finder -> its version.
    likeness: a clean.likeness.Likeness as text. frames: of an animation; the first is looked at.
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

    def still_holds(self, photo: Photo, task: Task) -> bool:
        """Whether the file, the label and the limits are as they were."""
        if self.settings != task.settings(photo) or self.reason == "crashed":  # memory may have been short
            return False
        try:
            status = photo.path.stat()
        except FileNotFoundError:
            return self.reason == "missing" or bool(self.removed)
        except OSError:
            return False
        if status.st_size != self.bytes or self.removed:  # what was removed and is there was put back
            return False
        return status.st_mtime_ns == self.modified_ns or _sha256(photo.path) == self.sha256  # copied, or touched

    def unasked(self, keys: dict[str, str]) -> tuple[str, ...]:
        """Which of these finders (name -> key) would still have to look; none at what does not decode."""
        if self.reason or self.removed:
            return ()
        return tuple(name for name, key in keys.items() if self.keys.get(name) != key)

    def rows(self, finder: str) -> NDArray[np.float32]:
        """(N, 5) x1 y1 x2 y2 score of that finder's finds, those of closer looks among them."""
        return np.array([row[:5] for row in self.finds[finder]], np.float32).reshape(-1, 5)

    def complete(self) -> bool:
        """Whether nothing but finders is missing: those who wrote it may have known less."""
        return bool(self.likeness or self.reason or self.removed)

    def joined(self, later: "Seen") -> "Seen":
        """`later`, a look at the same file by other finders, with what was found before."""
        return replace(later, finds=self.finds | later.finds, keys=self.keys | later.keys)


def prepare(*names: str) -> None:
    """Make and try these finders now, not on the first photo's time: what is wrong with them is no photo's fault."""
    likeness.of(_BLANK)
    for name in names:
        finders.load(name).detector.detect([_BLANK])


_BLANK: images.Picture = np.zeros((100, 100, 3), np.uint8)


def look(photo: Photo, task: Task) -> Seen:
    """Read, decode and search one photo. A bad file is a reason, never an exception."""
    facts: dict = {"image_id": photo.image_id, "settings": task.settings(photo)}
    with suppress(OSError):  # before it is read: a change after that shows, in the next run
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
        return Seen(reason=error.reason, detail=error.detail, **facts)
    except Exception as error:  # noqa: BLE001 whatever a decoder fails with, memory too, is this photo's matter alone
        return Seen(reason="crashed", detail=f"{type(error).__name__}: {error}", **facts)
    keys = {name: finder.key for name, finder in asked.items()}
    return Seen(frames=frames, likeness=alike, finds=finds, keys=keys, **facts)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
