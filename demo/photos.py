"""A few dozen photos with face boxes, made from the few real ones that packages on the registry ship.

Five portraits of three people are cropped, mirrored, scaled, tinted and pasted into pictures without a
face. The boxes are placed by hand, from hairline to chin, and move with the pixels. They are for demonstration and for
tests: three people teach a detector nothing about faces in general.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator

from dataset import tables
from demo import portraits
from visavis import boxes as arithmetic
from visavis import images
from visavis.boxes import Boxes, as_boxes
from visavis.images import Picture

COLUMNS = ("image", "identity", "width", "height", "x1", "y1", "x2", "y2")
"""Columns of boxes.csv, which has a row for each face."""

SOURCES: dict[str, tuple[float, float, float, float]] = {
    "astronaut.png": (180, 68, 272, 186),
    "biden.jpg": (405, 185, 705, 580),
    "obama.jpg": (355, 85, 615, 460),
    "obama2.jpg": (200, 215, 485, 635),
    "obama3.jpg": (625, 275, 905, 645),
}
"""Picture -> its face, x1 y1 x2 y2, pixels."""

SCENES = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "camera.png", "hubble_deep_field.jpg")
"""Pictures in scikit-image's wheel without a human face (camera.png's photographer shows a tiny one, cut off here)."""

EACH = 5
"""Photos of each identity."""

LONGEST = 480
"""The longer side of a photo at most, in pixels."""


@dataclass(frozen=True)
class LabelledPicture:
    """A picture and its faces. boxes: (N, 4) float32, pixels."""

    picture: Picture
    boxes: Boxes

    def cropped(self, x1: int, y1: int, x2: int, y2: int) -> "LabelledPicture":
        """The part of the picture from (x1, y1) to (x2, y2)."""
        return LabelledPicture(self.picture[y1:y2, x1:x2], self.boxes - np.array([x1, y1, x1, y1], np.float32))

    def resized(self, longest: int) -> "LabelledPicture":
        """Scaled so that the longer side is `longest` pixels."""
        height, width = self.picture.shape[:2]
        factor = longest / max(height, width)
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        exact = (size[0] / height, size[1] / width)
        return LabelledPicture(images.resize(self.picture, size), arithmetic.scale(self.boxes, exact))

    def mirrored(self) -> "LabelledPicture":
        """Mirrored left to right."""
        right = np.float32(self.picture.shape[1])
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = right - self.boxes[:, [2, 0]]
        return LabelledPicture(np.ascontiguousarray(self.picture[:, ::-1]), boxes)

    def with_pasted(self, other: "LabelledPicture", x: int, y: int) -> "LabelledPicture":
        """`other` laid on top with its corner at (x, y); it must fit inside."""
        height, width = other.picture.shape[:2]
        picture = self.picture.copy()
        picture[y : y + height, x : x + width] = other.picture
        return LabelledPicture(picture, np.concatenate([self.boxes, other.boxes + np.array([x, y, x, y], np.float32)]))


@dataclass(frozen=True)
class Originals:
    """What the photos are made of. portraits: name -> each of `SOURCES` with its face. scenes: pictures without one."""

    portraits: dict[str, LabelledPicture]
    scenes: dict[str, Picture]


Style = Callable[[Originals, Generator], LabelledPicture]


def build(folder: Path, seed: int = 0, each: int = EACH) -> int:
    """Write images/, scenes/ (pictures without a face) and boxes.csv into `folder`; return the number of photos.

    each: photos of an identity. The same seed makes the same photos. Raises InputError where the portraits cannot be
    fetched.
    """
    originals = load()
    rows = []
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for position, (identity, style) in enumerate(FAMILIES.items()):
        for number in range(1, each + 1):
            rng = np.random.default_rng([seed, position, number])
            photo = style(originals, rng)
            if rng.random() < 0.5:
                photo = photo.mirrored()
            name = f"{identity}_{number}.jpg"
            (folder / "images" / name).write_bytes(images.encode(photo.picture, quality=92))
            height, width = photo.picture.shape[:2]
            for box in photo.boxes.tolist():
                corners = {side: round(value, 2) for side, value in zip(("x1", "y1", "x2", "y2"), box, strict=True)}
                rows.append({"image": name, "identity": identity, "width": width, "height": height, **corners})
    (folder / "scenes").mkdir(exist_ok=True)
    for name, scene in originals.scenes.items():
        (folder / "scenes" / f"{Path(name).stem}.jpg").write_bytes(images.encode(scene, quality=92))
    tables.write(folder / "boxes.csv", rows, COLUMNS)
    return len(FAMILIES) * each


def load() -> Originals:
    """Read the portraits and the scenes. Raises InputError where the portraits cannot be fetched."""
    fetched = portraits.fetch()
    labelled = {
        name: LabelledPicture(images.decode(fetched[name]) if name in fetched else _shipped(name), as_boxes([box]))
        for name, box in SOURCES.items()
    }
    return Originals(labelled, scenes())


def scenes() -> dict[str, Picture]:
    """Name -> each of `SCENES`."""
    found = {name: _shipped(name) for name in SCENES}
    found["camera.png"] = found["camera.png"][240:, :]
    return found


def _shipped(name: str) -> Picture:
    import skimage

    return images.read(Path(skimage.__file__).parent / "data" / name)


def _near(originals: Originals, rng: Generator, name: str) -> LabelledPicture:
    """The head, with a margin of 40 to 110 % of the face on each side, as far as the picture reaches."""
    return _around(originals.portraits[name], rng, 0.4, 1.1).resized(int(rng.integers(260, LONGEST)))


def _wide(originals: Originals, rng: Generator, name: str) -> LabelledPicture:
    """Head and body, with a margin of one to two faces."""
    return _around(originals.portraits[name], rng, 1.0, 2.0).resized(int(rng.integers(360, LONGEST)))


def _pasted(originals: Originals, rng: Generator, *names: str) -> LabelledPicture:
    """Cut-outs of heads side by side in a scene, the first one the largest."""
    everything = list(originals.scenes.values())
    photo = LabelledPicture(everything[rng.integers(len(everything))], as_boxes([])).resized(LONGEST)
    height, width = photo.picture.shape[:2]
    room = width // len(names)
    for place, name in enumerate(names):
        longest = int(min(height, room) * rng.uniform(0.8, 0.95) * 0.85**place)
        head = _around(originals.portraits[name], rng, 0.25, 0.45).resized(longest)
        x = place * room + int(rng.integers(0, room - head.picture.shape[1] + 1))
        photo = photo.with_pasted(head, x, int(rng.integers(0, height - head.picture.shape[0] + 1)))
    return photo


def _tinted(originals: Originals, rng: Generator, style: Style, colours: bool = True) -> LabelledPicture:
    """`style` in another light: darker, with each colour scaled by itself; or grey and grainy."""
    photo = style(originals, rng)
    values = photo.picture.astype(np.float32)
    if colours:
        values = values * rng.uniform(0.5, 0.9) * rng.uniform(0.8, 1.2, 3)
    else:
        values = values.mean(axis=2, keepdims=True).repeat(3, axis=2) + rng.normal(0, 8, (*values.shape[:2], 1))
    return LabelledPicture(values.clip(0, 255).astype(np.uint8), photo.boxes)


def _around(photo: LabelledPicture, rng: Generator, least: float, most: float) -> LabelledPicture:
    """A crop of the whole face, with a margin of `least` to `most` face widths on each side."""
    height, width = photo.picture.shape[:2]
    x1, y1, x2, y2 = photo.boxes[0].tolist()
    left, up, right, down = rng.uniform(least, most, 4) * (x2 - x1)
    return photo.cropped(
        max(0, int(x1 - left)), max(0, int(y1 - up)), min(width, int(x2 + right)), min(height, int(y2 + down))
    )


FAMILIES: dict[str, Style] = {
    "Eileen_Collins": partial(_near, name="astronaut.png"),
    "Eileen_Collins_studio": partial(_wide, name="astronaut.png"),
    "Eileen_Collins_evening": partial(_tinted, style=partial(_wide, name="astronaut.png")),
    "Eileen_Collins_postcard": lambda originals, rng: _pasted(originals, rng, "astronaut.png"),
    "Barack_Obama": partial(_near, name="obama.jpg"),
    "Barack_Obama_office": partial(_wide, name="obama.jpg"),
    "Barack_Obama_speaking": partial(_near, name="obama2.jpg"),
    "Barack_Obama_podium": partial(_tinted, style=partial(_wide, name="obama2.jpg")),
    "Barack_Obama_hall": partial(_wide, name="obama3.jpg"),
    "Barack_Obama_postcard": lambda originals, rng: _pasted(originals, rng, "obama3.jpg"),
    "Barack_Obama_group": lambda originals, rng: _pasted(originals, rng, "obama.jpg", "astronaut.png"),
    "Joe_Biden_official": partial(_wide, name="biden.jpg"),
    "Joe_Biden_flag": partial(_near, name="biden.jpg"),
    "Joe_Biden_newspaper": partial(_tinted, style=partial(_wide, name="biden.jpg"), colours=False),
    "Joe_Biden_far": lambda originals, rng: _pasted(originals, rng, "biden.jpg"),
}
"""Identity -> how its photos are made. The project splits by a hash of the identity; these names are chosen so
that one person is wholly kept out of training, two of his families for validation and two for the test."""
