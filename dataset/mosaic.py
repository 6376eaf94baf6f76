"""Training pictures put together from photos, so that faces of every size and angle come in every one of them.

A mosaic (Bochkovskiy et al., "YOLOv4", 2020, section 3.4) of photos, or parts of them, on a square canvas. Their
scales are drawn so that the heights of faces are spread evenly on a logarithmic scale: photos of one large face teach
crowds of small ones. What a small photo leaves free is filled with further ones. All canvases have one size, which
on a CPU saves as much again: nothing is padding, and each new size would make oneDNN compile its kernels anew.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import Image

from dataset.photos import SMALLEST, VISIBLE, Photo
from visavis.boxes import Boxes, area, as_boxes, clip
from visavis.images import Picture

SCALED = (1, 2, 4, 8, 16)
"""How many photos get a scale of their own (one of these numbers); the others fill the room that is left."""

FACE = 10.0
"""Height of the smallest face that a scale is drawn for, pixels; the largest is as high as its room."""
CLOSE_UP = 0.2
"""Share of the canvases that show one photo so close that a face fills it, or more than that."""
CLOSE = (0.4, 1.2)
"""Height of the face in a close-up, as a share of the canvas's: least and most."""
UPRIGHT = 0.45
"""Share of the photos that are not turned at all."""
QUARTER = 0.2
"""Share of the photos that lie on a side or stand on their heads, as cameras that were held so leave them."""
TILT = 40.0
"""The other photos are turned by up to so many degrees either way."""
ENLARGED, REDUCED = 3.0, 0.08
"""No photo is enlarged, or made smaller, by more than this."""
STRETCH = 1.15
"""A photo is stretched by up to this much, in width against height."""
ROOM = 24
"""Room narrower than this, in pixels, stays grey."""
GREY = (124, 116, 104)  # ImageNet's mean, which normalisation turns into nothing

Room = tuple[int, int, int, int]  # top, left, height, width on the canvas


def compose(
    photos: Iterator[tuple[Photo, Picture]], side: int, random: np.random.Generator
) -> tuple[Picture, Boxes, Boxes]:
    """A canvas of side x side pixels with the first of `photos`, and as many of the next ones as it takes.

    Returns the picture (side, side, 3), the faces to learn from (N, 4), and those to ignore (M, 4): what was to be
    ignored before, and faces of which too little is seen.
    """
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = GREY
    learn, ignore = [as_boxes([])], [as_boxes([])]
    close = bool(random.random() < CLOSE_UP)
    scaled = 1 if close else int(random.choice(SCALED))
    free: list[Room] = [(0, 0, side, side)]
    while free:
        room = free.pop(0)
        photo, picture = turned(*next(photos), random)
        part, faces, unsure = _part(photo, picture, room[2:], scaled > 0, random, close)
        close = False
        top, left, rest = _place(part.shape[:2], room, random)
        canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
        corner = np.array([left, top, left, top], np.float32)
        learn.append(faces + corner)
        ignore.append(unsure + corner)
        if scaled > 0:  # the last ones fill their room as well as they can
            free += [one for one in rest if min(one[2:]) >= ROOM]
        scaled -= 1
    return canvas, np.concatenate(learn), np.concatenate(ignore)


def turned(photo: Photo, picture: Picture, random: np.random.Generator) -> tuple[Photo, Picture]:
    """A photo upright, by quarter turns, or tilted by up to `TILT` degrees; what it leaves free of its new corners is
    grey. The box of a tilted face is that of the ellipse in its box before, for a face fills no corners."""
    chance = random.random()
    if chance < UPRIGHT:
        return photo, picture
    if chance < UPRIGHT + QUARTER:
        quarters = int(random.integers(1, 4))
        size = picture.shape[:2]
        boxes, ignore = (_quarters(boxes, size, quarters) for boxes in (photo.boxes, photo.ignore))
        return replace(photo, boxes=boxes, ignore=ignore), np.ascontiguousarray(np.rot90(picture, quarters))
    angle = random.uniform(-TILT, TILT)
    image = Image.fromarray(picture).rotate(angle, Image.Resampling.BILINEAR, expand=True, fillcolor=GREY)
    sizes = picture.shape[:2], (image.height, image.width)
    boxes, ignore = (_tilted(boxes, *sizes, angle) for boxes in (photo.boxes, photo.ignore))
    return replace(photo, boxes=boxes, ignore=ignore), np.asarray(image)


def _quarters(boxes: Boxes, size: tuple[int, int], quarters: int) -> Boxes:
    """Boxes of a picture of `size` (height, width) after so many quarter turns against the clock, as np.rot90's."""
    height, width = size
    for _ in range(quarters):
        x1, y1, x2, y2 = boxes.T
        boxes = np.stack([y1, width - x2, y2, width - x1], axis=1)
        height, width = width, height
    return boxes


def _tilted(boxes: Boxes, before: tuple[int, int], after: tuple[int, int], angle: float) -> Boxes:
    """Boxes of the ellipses in `boxes` after a turn of `angle` degrees against the clock about the middle of a picture
    of the size `before` (height, width), which has the size `after` then."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2 - before[1] / 2, (boxes[:, 1] + boxes[:, 3]) / 2 - before[0] / 2
    across, down = (boxes[:, 2] - boxes[:, 0]) / 2, (boxes[:, 3] - boxes[:, 1]) / 2
    x, y = x * cosine + y * sine + after[1] / 2, y * cosine - x * sine + after[0] / 2
    across, down = np.hypot(across * cosine, down * sine), np.hypot(across * sine, down * cosine)
    return np.stack([x - across, y - down, x + across, y + down], axis=1).astype(np.float32)


def _place(size: tuple[int, ...], room: Room, random: np.random.Generator) -> tuple[int, int, list[Room]]:
    """Top and left of a part of that size in a corner of the room, and the two rooms that are left beside it."""
    top, left, height, width = room
    low, right = random.random(2) < 0.5
    down, across = height - size[0], width - size[1]
    y, x = top + (down if low else 0), left + (across if right else 0)
    free_y, free_x = top + (0 if low else size[0]), left + (0 if right else size[1])
    if random.random() < 0.5:
        rest = [(free_y, left, down, width), (y, free_x, size[0], across)]
    else:
        rest = [(top, free_x, height, across), (free_y, x, down, size[1])]
    return y, x, rest


def _part(
    photo: Photo,
    picture: Picture,
    room: tuple[int, ...],
    scaled: bool,
    random: np.random.Generator,
    close: bool = False,
) -> tuple[Picture, Boxes, Boxes]:
    """As much of a photo as goes into `room` (height, width), and its faces there: to learn from, to ignore.

    scaled: at a scale drawn for a face of it; otherwise so that it fills the room. close: a face of it fills the room.
    """
    face = photo.boxes[random.integers(len(photo.boxes))] if len(photo.boxes) else None
    down = _scale(face, picture.shape[:2], room, scaled, random, CLOSE if close else None)
    across = down * STRETCH ** random.uniform(-1, 1)
    height = min(room[0], max(1, round(picture.shape[0] * down)))
    width = min(room[1], max(1, round(picture.shape[1] * across)))
    seen = min(height / down, picture.shape[0]), min(width / across, picture.shape[1])  # of it, in its own pixels
    top, left = _corner(face, picture.shape[:2], seen, random)
    part = Image.fromarray(picture).resize(
        (width, height), Image.Resampling.BILINEAR, box=(left, top, left + seen[1], top + seen[0])
    )

    def moved(boxes: Boxes) -> Boxes:
        factors = np.array([width / seen[1], height / seen[0]] * 2, np.float32)
        return (boxes - np.array([left, top, left, top], np.float32)) * factors

    whole = moved(photo.boxes)
    faces = clip(whole, (height, width))
    enough = (area(faces) >= VISIBLE * area(whole)) & ((faces[:, 2:] - faces[:, :2]) >= SMALLEST).all(axis=1)
    unsure = np.concatenate([faces[~enough], clip(moved(photo.ignore), (height, width))])
    return np.asarray(part), faces[enough], unsure[area(unsure) > 0]


def _scale(
    face: np.ndarray | None,
    photo: tuple[int, ...],
    room: tuple[int, ...],
    scaled: bool,
    random: np.random.Generator,
    close: tuple[float, float] | None = None,
) -> float:
    """How much larger or smaller a photo (height, width) is to be shown in a room (height, width). close: shares of the
    room's height between which the face's is to be."""
    fills = max(room[0] / photo[0], room[1] / photo[1])
    if not scaled:
        factor = fills * STRETCH * random.uniform(1.0, 1.5)
    elif face is None:
        factor = fills * np.exp(random.uniform(np.log(0.5), np.log(4.0)))
    else:
        least, most = close or (FACE / room[0], 1.0)
        height = room[0] * (random.uniform(least, most) if close else (most / least) ** random.random() * least)
        factor = height / max(1.0, face[3] - face[1])
    return float(np.clip(factor, REDUCED, ENLARGED))


def _corner(
    face: np.ndarray | None, photo: tuple[int, ...], seen: tuple[float, float], random: np.random.Generator
) -> tuple[float, float]:
    """Top and left, in the photo, of the part that is seen, of size `seen`; the face, if there is one, lies inside."""
    corner = []
    for axis in (0, 1):
        low, high = 0.0, photo[axis] - seen[axis]
        if face is not None:
            whole = sorted((face[3 - axis] - seen[axis], face[1 - axis]))  # the whole face, or nothing but the face
            low, high = np.clip(whole, low, high) + 0.0  # of -0.0, which a box may begin at, numpy says it is below 0
        corner.append(float(random.uniform(low, high)))
    return corner[0], corner[1]
