"""Occlusion as augmentation: masks, hands, glasses, microphones and other people's shoulders drawn over faces.

Labelled photos mostly show whole faces, while many faces in the street are partly hidden. As random erasing does (Zhong
et al. 2017), this makes up for it, but with occluders where real ones are.
"""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from visavis.boxes import Boxes
from visavis.images import Picture

SMALLEST = 14.0
"""Faces whose shorter side is below this, in pixels, are left alone."""


def occlude(picture: Picture, boxes: Boxes, share: float, random: np.random.Generator) -> Picture:
    """A copy of (height, width, 3) uint8 `picture` with occluders over `share` (0..1) of the faces `boxes` (N, 4)."""
    sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
    hidden = boxes[(sides >= SMALLEST) & (random.random(len(boxes)) < share)]
    if not len(hidden):
        return picture
    image = Image.fromarray(picture)
    for box in hidden:
        _KINDS[random.choice(len(_KINDS), p=_ODDS)](image, box, random)
    return np.asarray(image)


def _mask(image: Image.Image, box: np.ndarray, random: np.random.Generator) -> None:
    """A mask or a scarf: from the nose or mouth to below the chin."""
    top, middle, tilt = random.uniform(0.45, 0.65), random.uniform(0.4, 0.6), random.uniform(-0.06, 0.06)
    left, right, low = random.uniform(-0.02, 0.12), random.uniform(0.88, 1.02), random.uniform(0.9, 1.08)
    shape = [(left, top + tilt + 0.08), (middle, top), (right, top - tilt + 0.08), (right - 0.06, 0.82), (middle, low)]
    shape.append((left + 0.06, 0.82))
    points = _within(box, shape)
    draw = ImageDraw.Draw(image)
    fill = _cloth(random)
    draw.polygon(points, fill=fill)
    darker = tuple(int(0.8 * value) for value in fill)
    width = max(1, round(0.02 * (box[2] - box[0])))
    if random.random() < 0.6:  # folds
        for at in (0.35, 0.6):
            y = top + at * (0.95 - top)
            draw.line(_within(box, [(left + 0.08, y + tilt), (right - 0.08, y - tilt)]), fill=darker, width=width)
    if random.random() < 0.5:  # its strings
        draw.line(_within(box, [(left, top + 0.1), (-0.05, 0.4)]), fill=darker, width=width)
        draw.line(_within(box, [(right, top + 0.1), (1.05, 0.4)]), fill=darker, width=width)


def _glasses(image: Image.Image, box: np.ndarray, random: np.random.Generator) -> None:
    fill = tuple(int(value) for value in random.integers(0, 60, 3))
    y, high = random.uniform(0.3, 0.42), random.uniform(0.12, 0.2)
    draw = ImageDraw.Draw(image)
    for left in (0.08, 0.54):
        draw.ellipse(_within(box, [(left, y), (left + 0.38, y + high)]), fill=fill)
    draw.line(_within(box, [(0.0, y + 0.05), (1.0, y + 0.05)]), fill=fill, width=max(1, round((box[2] - box[0]) / 30)))


def _thing(image: Image.Image, box: np.ndarray, random: np.random.Generator) -> None:
    """A microphone, cup or hand: an ellipse of one colour over up to a third of the face, mostly its lower part."""
    across, down = random.uniform(0.15, 0.5), random.uniform(0.15, 0.5)
    x, y = random.uniform(0, 1 - across), random.uniform(0.35, 1.05 - down)
    skin = np.array([200, 150, 120]) * random.uniform(0.4, 1.2)
    fill = tuple(int(value) for value in np.clip(skin, 0, 255)) if random.random() < 0.5 else _colour(random)
    ImageDraw.Draw(image).ellipse(_within(box, [(x, y), (x + across, y + down)]), fill=fill)


def _shoulder(image: Image.Image, box: np.ndarray, random: np.random.Generator) -> None:
    """Another part of the same picture, over a side or the lower part of the face."""
    x1, y1, x2, y2 = box
    hidden = random.uniform(0.2, 0.45)
    where = random.choice(3, p=(0.5, 0.25, 0.25))
    if where == 0:
        y1 = y2 - hidden * (y2 - y1)
    elif where == 1:
        x2 = x1 + hidden * (x2 - x1)
    else:
        x1 = x2 - hidden * (x2 - x1)
    width, height = max(1, round(x2 - x1)), max(1, round(y2 - y1))
    left = int(random.integers(max(1, image.width - width + 1)))
    top = int(random.integers(max(1, image.height - height + 1)))
    part = image.crop((left, top, left + width, top + height))
    image.paste(part, (round(x1), round(y1)))


_KINDS: tuple[Any, ...] = (_mask, _glasses, _thing, _shoulder)
_ODDS = (0.5, 0.1, 0.2, 0.2)


def _within(box: np.ndarray, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points given as shares of a box's width and height, in pixels."""
    width, height = box[2] - box[0], box[3] - box[1]
    return [(float(box[0] + x * width), float(box[1] + y * height)) for x, y in points]


def _colour(random: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(value) for value in random.integers(0, 256, 3))


def _cloth(random: np.random.Generator) -> tuple[int, ...]:
    """White, surgical blue or black, as most masks are, or any colour."""
    usual = ((235, 235, 235), (150, 190, 215), (25, 25, 28))
    if random.random() < 0.65:
        return tuple(int(np.clip(value + random.integers(-20, 21), 0, 255)) for value in usual[random.integers(3)])
    return _colour(random)
