"""Glasses, moustaches, hats, ears and noses on faces: vector shapes of our own, placed, turned and scaled by points.

They need the 68 points of visavis.keypoints. Where two faces overlap, the larger one is taken to be in front, and what
is drawn on the other one goes behind it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from visavis.effects.face_parts import outline
from visavis.effects.sketch import Colour, Layer, Outlines, Path, Place, Shape, Sketch, curve, oval
from visavis.faces import Faces
from visavis.images import Picture
from visavis.keypoints import PARTS, SIXTY_EIGHT, Points, converted

SMALLEST = 6.0
"""The least distance between the eyes, in pixels; nothing is drawn on smaller faces. Nor is it on faces whose eyes are
farther apart than the picture's longer side: one could not tell what it is, and its lines would be as wide as that."""
BLACK: Colour = (24, 22, 26)
BROWN: Colour = (62, 38, 22)


@dataclass(frozen=True)
class Head:
    """A face to draw on: its 68 points in pixels, and where its coordinates lie."""

    points: Path
    place: Place

    @classmethod
    def of(cls, points: Points) -> "Head":
        """From (68, 2) points, pixels. The y axis follows the face's length where it is foreshortened."""
        eyes = converted(points, 5)[:2].astype(np.float64)
        # A turned head has its eyes closer together than its height suggests: the larger of the two units counts.
        across = eyes[1] - eyes[0]
        mouth = converted(points, 5)[3:].mean(axis=0) - eyes.mean(axis=0)
        unit = max(float(np.hypot(*across)), float(np.hypot(*mouth)) * 0.88)
        along = across / max(1e-6, float(np.hypot(*across))) * unit
        middle = eyes.mean(axis=0)
        return cls(points.astype(np.float64), Place((float(middle[0]), float(middle[1])), (along[0], along[1])))

    def own(self, part: str | int | slice) -> Path:
        """Points of a part, by its name or numbers, in the face's coordinates."""
        chosen = self.points[PARTS[part] if isinstance(part, str) else part]
        return self.place.inside(np.atleast_2d(chosen))

    def middle(self, part: str | int | slice) -> tuple[float, float]:
        """The middle of a part, in the face's coordinates."""
        x, y = self.own(part).mean(axis=0)
        return float(x), float(y)


class Pen:
    """Draws in a head's coordinates."""

    def __init__(self, layer: Layer, place: Place) -> None:
        self._layer, self._place = layer, place

    def fill(self, path: Path, colour: Colour, alpha: float = 1.0, to: tuple[Colour, Path] | None = None) -> None:
        """See Layer.fill."""
        fade = None if to is None else (to[0], self._place.outside(to[1]))
        self._layer.fill(self._place.outside(path), colour, alpha, fade)

    def line(self, path: Path, colour: Colour, width: float, alpha: float = 1.0) -> None:
        """See Layer.line; the width is in the face's unit."""
        self._layer.line(self._place.outside(path), colour, max(0.6, width * self._place.unit), alpha)


def glasses(pen: Pen, head: Head) -> None:
    """Dark-rimmed glasses with lenses that reflect a little; their arms reach the ends of the jaw."""
    eyes = [head.middle("left_eye"), head.middle("right_eye")]
    nose = head.middle(27)
    apart = eyes[1][0] - eyes[0][0]
    rims = []
    for (x, y), ear, sign in ((eyes[0], 0, -1), (eyes[1], 16, 1)):
        half = np.clip(abs(x - nose[0]) * 0.86, 0.2, 0.46)  # the eye beyond the nose has less room
        rim = oval(x + sign * 0.02, y + 0.06, float(half), 0.34 * min(1.0, 0.6 + apart * 0.4), power=2.7)
        end = head.own(ear)[0]
        outer = x + sign * (half + 0.02)
        if (end[0] - outer) * sign > 0.05:
            pen.line(np.array([[outer, y - 0.06], [end[0], min(end[1] - 0.02, y + 0.12)]]), BLACK, 0.055)
        rims.append((rim, x, y, float(half), sign))
    for rim, x, y, half, _ in rims:
        pen.fill(rim, (120, 150, 170), 0.16)
        shine = np.array([[x - 0.5 * half, y + 0.24], [x - 0.25 * half, y + 0.3], [x + 0.45 * half, y - 0.2],
                          [x + 0.2 * half, y - 0.22]])  # fmt: skip
        pen.fill(shine, (255, 255, 255), 0.2)
        pen.line(np.concatenate([rim, rim[:1]]), BLACK, 0.075)
        upper = rim[rim[:, 1] < y + 0.0]
        if len(upper) > 1:
            pen.line(upper[np.argsort(upper[:, 0])], (70, 66, 74), 0.02, 0.6)
    (_, x1, y1, half1, _), (_, x2, y2, half2, _) = rims
    if x2 - half2 > x1 + half1:
        high = (y1 + y2) / 2 - 0.02
        bridge = [[x1 + half1, y1 + 0.03], [(x1 + half1 + x2 - half2) / 2, high - 0.06], [x2 - half2, y2 + 0.03]]
        pen.line(curve(bridge, closed=False), BLACK, 0.07)


def moustache(pen: Pen, head: Head) -> None:
    """A full moustache with turned-up ends, between nose and mouth."""
    base, lip = np.array(head.middle(33)), np.array(head.middle(51))
    left, right = head.own(48)[0], head.own(54)[0]
    middle = base * 0.45 + lip * 0.55
    thick = max(0.12, float(lip[1] - base[1]) * 1.15)
    for corner, sign in ((left, -1), (right, 1)):
        reach = corner - middle + [sign * 0.2, -0.1]
        along = np.array([[0.0, -0.28 * thick], [0.25, -0.55 * thick], [0.62, -0.35 * thick], [0.9, -0.75 * thick],
                          [1.0, -1.15 * thick], [0.97, -0.3 * thick], [0.75, 0.42 * thick], [0.38, 0.62 * thick],
                          [0.0, 0.25 * thick]])  # fmt: skip
        shape = np.stack([middle[0] + along[:, 0] * reach[0],
                          middle[1] + along[:, 0] * reach[1] + along[:, 1]], axis=1)  # fmt: skip
        pen.fill(curve(shape), BROWN, 0.97, ((30, 18, 11), np.array([middle - [0, thick], middle + [0, thick]])))
        for share in (0.15, 0.35, 0.55, 0.75):
            hair = np.array([[0.05 + share * 0.3, -0.2 + share * 0.4], [0.5, -0.25 + share * 0.55],
                             [0.93, -0.75 + share * 0.35]])  # fmt: skip
            strand = np.stack([middle[0] + hair[:, 0] * reach[0],
                               middle[1] + hair[:, 0] * reach[1] + hair[:, 1] * thick], axis=1)  # fmt: skip
            pen.line(curve(strand, closed=False), (112, 76, 48), 0.012, 0.5)


def hat(pen: Pen, head: Head) -> None:
    """A top hat with a red band, above the brows."""
    x, y, wide = _crown(head)
    brim, tall = wide * 0.86, 1.25
    top, low = y - tall, y
    body = np.array([[x - 0.60 * wide, low], [x - 0.62 * wide, low - tall * 0.5], [x - 0.68 * wide, top],
                     [x + 0.68 * wide, top], [x + 0.62 * wide, low - tall * 0.5], [x + 0.60 * wide, low]])  # fmt: skip
    across = np.array([[x - 0.7 * wide, low], [x + 0.7 * wide, low]])
    pen.fill(oval(x, low + 0.05, brim, 0.15), (16, 15, 18))
    pen.fill(oval(x, low, brim, 0.14), (52, 49, 56), 1.0, ((24, 23, 27), across))
    pen.fill(body, (66, 63, 70), 1.0, ((22, 21, 25), across))
    foot = oval(x, low - 0.01, 0.60 * wide, 0.1)
    pen.fill(foot[foot[:, 1] > low - 0.02], (40, 38, 44), 1.0, ((22, 21, 25), across))
    edge = np.linspace(0, np.pi, 24)
    lower = np.stack([x + 0.602 * wide * np.cos(edge), low - 0.02 + 0.09 * np.sin(edge)], axis=1)
    upper = np.stack([x + 0.612 * wide * np.cos(edge), low - 0.26 + 0.09 * np.sin(edge)], axis=1)
    pen.fill(np.concatenate([lower, upper[::-1]]), (188, 36, 44), 1.0, ((112, 16, 26), across))
    pen.fill(oval(x, top, 0.68 * wide, 0.1), (82, 79, 87), 1.0, ((44, 42, 48), across))


def ears(pen: Pen, head: Head) -> None:
    """A cat's ears on top of the head."""
    x, y, wide = _crown(head)
    for sign in (-1, 1):
        foot = x + sign * wide * 0.48
        outer = [[foot - 0.34 * sign, y + 0.12], [foot - 0.16 * sign, y - 0.42], [foot + 0.16 * sign, y - 0.86],
                 [foot + 0.32 * sign, y - 0.4], [foot + 0.36 * sign, y + 0.24], [foot, y + 0.2]]  # fmt: skip
        inner = [[foot - 0.14 * sign, y + 0.0], [foot - 0.03 * sign, y - 0.36], [foot + 0.15 * sign, y - 0.62],
                 [foot + 0.22 * sign, y - 0.3], [foot + 0.22 * sign, y + 0.06],
                 [foot + 0.04 * sign, y + 0.1]]  # fmt: skip
        down = np.array([[foot, y - 0.8], [foot, y + 0.25]])
        pen.fill(curve(outer), (74, 66, 64), 1.0, ((38, 33, 33), down))
        pen.fill(curve(inner), (244, 178, 178), 1.0, ((204, 120, 126), down))


def nose(pen: Pen, head: Head) -> None:
    """A clown's red nose."""
    x, y = head.middle(30)
    wide = float(np.ptp(head.own("nose_base")[:, 0]))
    size = max(0.24, 0.62 * wide)
    pen.fill(oval(x, y + 0.05 * size, size, size), (150, 10, 18), 0.35)
    down = np.array([[x - 0.5 * size, y - 0.6 * size], [x + 0.6 * size, y + 0.9 * size]])
    pen.fill(oval(x, y, 0.97 * size, 0.97 * size), (236, 44, 46), 1.0, ((168, 12, 22), down))
    pen.fill(oval(x - 0.34 * size, y - 0.4 * size, 0.26 * size, 0.17 * size, -0.6), (255, 255, 255), 0.75)


FILTERS: dict[str, Callable[[Pen, Head], None]] = {
    "glasses": glasses, "moustache": moustache, "hat": hat, "ears": ears, "nose": nose,
}  # fmt: skip
"""Name -> what draws it. To add one is to add a line."""


def _crown(head: Head) -> tuple[float, float, float]:
    """x and y of where the hair begins above the middle of the head, and the head's width there; the face's units.

    The middle of a turned head is behind that of its face: on the other side of the jaw's middle than the brows.
    """
    brows = np.concatenate([head.own("left_brow"), head.own("right_brow")])
    left, right = head.own(0)[0], head.own(16)[0]
    wide = max(1.5, float(right[0] - left[0]) * 0.98)
    middle = 0.5 * float(left[0] + right[0])
    return middle - 0.3 * (float(brows[:, 0].mean()) - middle), float(brows[:, 1].min()) - 0.62, wide


@dataclass(frozen=True)
class Filters:
    """Draws several of `FILTERS` on faces: `filters(image, faces)` is a copy of the image. Raises ValueError for an
    unknown name, and for faces without the 68 points."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in FILTERS]
        if unknown or not self.names:
            raise ValueError(f"there is no filter {', '.join(unknown)!r}; there are {', '.join(FILTERS)}")

    def __call__(self, image: Picture, faces: Faces) -> Picture:
        """A copy of `image`, (height, width, 3) uint8, with the filters on each face whose points are known."""
        picture = image
        for head, before in _heads(faces):
            if head.place.unit <= max(image.shape[:2]):
                picture = self._one(picture, head, before)
        return picture.copy() if picture is image else picture

    def shapes(self, faces: Faces) -> list[list[Shape]]:
        """What `filters(image, faces)` draws on each face, for a program that draws it itself: shapes in the picture's
        pixels, of the face that is farthest behind first."""
        drawn = []
        for head, before in _heads(faces):
            outlines = Outlines()
            self._draw(outlines, head, before)
            drawn.append(outlines.shapes)
        return drawn

    def _one(self, picture: Picture, head: Head, before: Sequence[Head]) -> Picture:
        corners = head.place.outside([[-2.6, -3.4], [2.6, -3.4], [2.6, 2.6], [-2.6, 2.6]])
        low, high = corners.min(axis=0), corners.max(axis=0)
        sketch = Sketch((picture.shape[0], picture.shape[1]), (*low, *high))
        if sketch.empty:
            return picture
        self._draw(sketch, head, before)
        return sketch.onto(picture)

    def _draw(self, layer: Layer, head: Head, before: Sequence[Head]) -> None:
        pen = Pen(layer, head.place)
        for name in FILTERS:  # in their order: ears stand before a hat
            if name in self.names:
                FILTERS[name](pen, head)
        for other in before:
            layer.erase(outline(other.points, "face"))


def _heads(faces: Faces) -> list[tuple[Head, list[Head]]]:
    """The heads that are large enough to draw on, the smallest first, each with those in front of it."""
    if faces.keypoints is None or faces.keypoints.shape[1] != len(SIXTY_EIGHT):
        raise ValueError("filters need the 68 points of each face, which the analyser `points` finds")
    heads = [Head.of(points) for points in faces.keypoints if not np.isnan(points).any()]
    heads = sorted((head for head in heads if head.place.unit >= SMALLEST), key=lambda head: head.place.unit)
    return [(head, heads[number + 1 :]) for number, head in enumerate(heads)]
