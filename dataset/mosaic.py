"""Training pictures composed of several photos, so that each has faces of many sizes and angles.

A mosaic (Bochkovskiy et al., "YOLOv4", 2020, section 3.4) holds photos, or parts of them, on a square canvas. Their
scales are drawn so that most faces have heights that those of crowds have in use, and the others any, each evenly
distributed on a logarithmic scale: so photos of one large face also teach crowds of small ones. Space that a small
photo leaves is filled with more photos. All canvases have the same size, which halves the time on a CPU: there is no
padding, and oneDNN would compile its kernels for each new size.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import Image

from dataset.photos import SMALLEST, VISIBLE, Photo
from visavis.boxes import Boxes, area, as_boxes, clip, quarter_turned
from visavis.images import Picture

SCALED = (1, 1, 1, 2, 4)
"""The number of photos with a randomly drawn scale is one of these; the others fill the remaining space. With more
photos there is less of each: the neighbours and the surroundings that a face has in use."""

FACE = 10.0
"""Height in pixels of the smallest face for which a scale is drawn; the largest is as high as its room."""
IN_CROWDS = 0.7
"""Share of the faces for which a height within `SMALL` is drawn, as far as `ENLARGED` and `REDUCED` allow it."""
SMALL = (14.0, 90.0)
"""Smallest and largest height of faces in crowds, in pixels: as the shipped detector's looks show them."""
CLOSE_UP = 0.1
"""Share of the canvases that show a single photo so close that a face fills the canvas or more."""
CLOSE = (0.4, 1.2)
"""Smallest and largest height of the face in a close-up, as a share of the canvas's."""
UPRIGHT = 0.74
"""Share of the photos that are not turned at all."""
QUARTER = 0.06
"""Share of the photos that are turned by 90, 180 or 270 degrees, as by a camera that was not held upright."""
TILT = 30.0
"""The other photos are turned by up to this many degrees in either direction."""
LONG = 4
"""A photo so many times as long as wide is not tilted."""
ENLARGED, REDUCED = 3.0, 0.08
"""No photo is enlarged or reduced by more than these factors."""
STRETCH = 1.15
"""A photo's aspect ratio is changed by up to this factor."""
ROOM = 24
"""Space narrower than this, in pixels, stays grey."""
GREY = (124, 116, 104)  # ImageNet's mean, which normalisation turns into 0

Room = tuple[int, int, int, int]  # top, left, height, width on the canvas


def compose(
    photos: Iterator[tuple[Photo, Picture]], side: int, random: np.random.Generator
) -> tuple[Picture, Boxes, Boxes]:
    """A canvas of side x side pixels with the first of `photos`, and as many of the next ones as fit.

    Returns the picture (side, side, 3), the faces to learn from (N, 4), and the boxes to ignore (M, 4): those of the
    photos, and faces of which too little is visible.
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
        if scaled > 0:  # the last ones fill their room as far as possible
            free += [one for one in rest if min(one[2:]) >= ROOM]
        scaled -= 1
    return canvas, np.concatenate(learn), np.concatenate(ignore)


def turned(photo: Photo, picture: Picture, random: np.random.Generator) -> tuple[Photo, Picture]:
    """A photo upright, by quarter turns, or, if it is not long, tilted by up to `TILT` degrees, with grey corners. A
    tilted face gets the box of the tilted ellipse in its former box, because a face does not fill the corners."""
    chance = random.random()
    if chance < UPRIGHT:
        return photo, picture
    if chance < UPRIGHT + QUARTER:
        quarters = int(random.integers(1, 4))
        size = picture.shape[:2]
        boxes, ignore = (quarter_turned(boxes, size, quarters) for boxes in (photo.boxes, photo.ignore))
        return replace(photo, boxes=boxes, ignore=ignore), np.ascontiguousarray(np.rot90(picture, quarters))
    if max(picture.shape[:2]) > LONG * min(picture.shape[:2]):
        return photo, picture  # tilted, it would take memory by the square of its length
    angle = random.uniform(-TILT, TILT)
    image = Image.fromarray(picture).rotate(angle, Image.Resampling.BILINEAR, expand=True, fillcolor=GREY)
    sizes = picture.shape[:2], (image.height, image.width)
    boxes, ignore = (_tilted(boxes, *sizes, angle) for boxes in (photo.boxes, photo.ignore))
    return replace(photo, boxes=boxes, ignore=ignore), np.asarray(image)


def _tilted(boxes: Boxes, before: tuple[int, int], after: tuple[int, int], angle: float) -> Boxes:
    """Boxes of the ellipses in `boxes` after an anticlockwise turn of `angle` degrees about the centre of a picture of
    the size `before` (height, width), which then has the size `after`."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2 - before[1] / 2, (boxes[:, 1] + boxes[:, 3]) / 2 - before[0] / 2
    across, down = (boxes[:, 2] - boxes[:, 0]) / 2, (boxes[:, 3] - boxes[:, 1]) / 2
    x, y = x * cosine + y * sine + after[1] / 2, y * cosine - x * sine + after[0] / 2
    across, down = np.hypot(across * cosine, down * sine), np.hypot(across * sine, down * cosine)
    return np.stack([x - across, y - down, x + across, y + down], axis=1).astype(np.float32)


def _place(size: tuple[int, ...], room: Room, random: np.random.Generator) -> tuple[int, int, list[Room]]:
    """Top and left of a part of that size in a corner of the room, and the two rooms that remain beside it."""
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
    """As much of a photo as fits into `room` (height, width), and its faces there: to learn from, and to ignore.

    scaled: at a scale drawn for one of its faces; otherwise it fills the room. close: one of its faces fills the room.
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
    """The factor by which a photo (height, width) is scaled for a room (height, width). close: smallest and largest
    height of the face, as shares of the room's."""
    fills = max(room[0] / photo[0], room[1] / photo[1])
    if not scaled:
        factor = fills * STRETCH * random.uniform(1.0, 1.5)
    elif face is None:
        factor = fills * np.exp(random.uniform(np.log(0.5), np.log(4.0)))
    else:
        if close:
            height = room[0] * random.uniform(*close)
        else:
            least, most = SMALL if random.random() < IN_CROWDS else (FACE, np.inf)
            height = least * (min(most, room[0]) / least) ** random.random()
        factor = height / max(1.0, face[3] - face[1])
    return float(np.clip(factor, REDUCED, ENLARGED))


def _corner(
    face: np.ndarray | None, photo: tuple[int, ...], seen: tuple[float, float], random: np.random.Generator
) -> tuple[float, float]:
    """Top and left, in the photo, of the visible part, of size `seen`; the face, if there is one, lies inside."""
    corner = []
    for axis in (0, 1):
        low, high = 0.0, photo[axis] - seen[axis]
        if face is not None:
            whole = sorted((face[3 - axis] - seen[axis], face[1 - axis]))  # the whole face, or only the face
            low, high = np.clip(whole, low, high) + 0.0  # turns -0.0, which numpy takes for less than 0, into 0.0
        corner.append(float(random.uniform(low, high)))
    return corner[0], corner[1]
