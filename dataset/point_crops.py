"""PointDataset hands faces and their points to torch, one by one: a square around each, augmented.

It is to networks that find points what FaceDataset is to detectors, and takes the same keys.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataset.crops import covered, lit, poorer
from dataset.face_reader import Around, FaceReader
from dataset.occluders import occlude
from dataset.photos import Photos
from dataset.samplers import Key, seed_of
from dataset.transforms import check as check_transforms
from visavis.analysers.crops import Frame
from visavis.data.points import Pointed
from visavis.errors import InputError
from visavis.images import Picture
from visavis.keypoints import LAYOUTS, Points, converted
from visavis.messages import counted

AT_MOST = 3
"""Faces of one identity that an epoch or a validation sees: those of a video are much alike. Of more, each epoch takes
others."""
SHIFT, SCALE = 0.07, 0.13
"""How far the square is from where the box says: standard deviation, as a share of its half, and of its logarithm."""
TURN = 22.0
"""Degrees by which faces are turned: standard deviation of most."""
FAR = 0.15
"""The share of faces that are turned by anything up to `FARTHEST` instead."""
FARTHEST = 100.0
HIDDEN, COVERED = 0.15, 0.15
"""The shares of faces over which a mask, a hand, glasses and the like are drawn, and a piece of the crop itself."""


class PointDataset:
    """Faces and targets as visavis.analysers.points wants them (a map-style torch Dataset).

    An item is (image, target): a (3, side, side) uint8 tensor, and `points` (K, 2), shares of the crop's side, NaN
    where nobody said, and `draw`. labelled: the faces of each photo whose points are known, by image_id. count: of
    the points that are wanted, one of visavis.keypoints.LAYOUTS. margin: how many times as wide as the
    face's box the square around it is.

    transforms: none; light: the square is moved and scaled as other boxes would have it, mirrored and lit otherwise;
    full: it is also turned, and the face made small, blurred, compressed and covered in part. seed, keys: as
    FaceDataset. A face whose photo cannot be decoded is named on stderr, and the next one stands in.
    """

    def __init__(
        self,
        photos: Photos,
        labelled: dict[str, list[Pointed]],
        count: int,
        side: int,
        margin: float,
        transforms: str = "none",
        seed: int = 0,
    ) -> None:
        check_transforms(transforms)
        self.side, self.margin, self.transforms, self.seed = side, margin, transforms, seed
        rows = _rows(photos, labelled)
        numbers = np.array([number for number, _ in rows], np.int64)
        self.faces = FaceReader(photos, numbers, np.array([one.box for _, one in rows], np.float32).reshape(-1, 4))
        points = [converted(one.points, count) for _, one in rows]
        self.points: Points = np.stack(points) if points else np.zeros((0, count, 2), np.float32)
        self.mirrored = np.array(LAYOUTS[count].mirrored)
        self.slots = slots(photos, labelled)

    def __len__(self) -> int:
        return len(self.slots)

    def name(self, number: int) -> str:
        """The photo that an item is in, or one of them."""
        return self.faces.name(self.slots[number][0])

    def tell_unreadable(self) -> int:
        """Say how many faces' photos could not be read, if any, and count anew: for the end of an epoch."""
        return self.faces.failed.tell(len(self), "face")

    def __getitem__(self, key: int | Key) -> tuple[Tensor, dict[str, Any]]:
        epoch, place, number = (0, key, key) if isinstance(key, int) else key
        dice = np.random.default_rng(seed_of(self.seed, epoch, place))
        for turn in range(len(self)):
            slot = self.slots[(number + turn) % len(self)]
            face = slot[int(dice.integers(len(slot)))]
            around = self.faces.read(face, self.side)
            if around is not None:
                crop, points = self._seen(around, face, dice)
                target = {"points": torch.from_numpy(points), "draw": seed_of(self.seed, epoch, place, 1)}
                return _image(crop), target
        raise InputError(f"none of the photos of {counted(len(self), 'face')} can be read; run `python -m clean`")

    def plain(self, face: int) -> tuple[Tensor, Frame] | None:
        """The image of a face, counted without regard to identities, in the square that its box says, and that square
        in the photo; None if it cannot be read."""
        around = self.faces.read(face, self.side)
        if around is None:
            return None
        whole = Frame.around(self.faces.boxes[face], self.margin)
        return _image(_within(whole, around).cut(around.picture, self.side)), whole

    def _seen(self, around: Around, face: int, dice: np.random.Generator) -> tuple[Picture, Points]:
        """The crop, and the points in shares of its side."""
        frame = Frame.around(self.faces.boxes[face], self.margin)
        if self.transforms != "none":
            frame = moved(frame, dice, self.transforms == "full")
        crop, points = _within(frame, around).cut(around.picture, self.side), frame.inside(self.points[face])
        if self.transforms == "none":
            return crop, points
        if dice.random() < 0.5:
            crop, points = np.ascontiguousarray(crop[:, ::-1]), points[self.mirrored] * [-1, 1] + [1, 0]
        if self.transforms == "full":
            box = (0.5 + np.array([[-0.5, -0.5, 0.5, 0.5]], np.float32) / self.margin) * self.side
            crop = occlude(crop, box, HIDDEN, dice)
            if dice.random() < COVERED:
                crop = covered(crop, dice)
            crop = poorer(crop, self.margin, dice)
        return lit(crop, dice), points.astype(np.float32)


def moved(frame: Frame, dice: np.random.Generator, turn: bool) -> Frame:
    """A frame as it might have been drawn around the same face; turned where that is asked for."""
    x, y = dice.normal(0, SHIFT, 2) * frame.half
    angle = 0.0
    if turn:
        far = dice.random() < FAR
        angle = math.radians(dice.uniform(-FARTHEST, FARTHEST) if far else dice.normal(0, TURN))
    return Frame(frame.x + x, frame.y + y, frame.half * math.exp(dice.normal(0, SCALE)), angle)


def _within(frame: Frame, around: Around) -> Frame:
    """A frame of the photo as one of a part of it."""
    x, y = around.inside(np.array([frame.x, frame.y]))
    return Frame(float(x), float(y), frame.half / around.times, frame.angle)


def slots(photos: Photos, labelled: dict[str, list[Pointed]]) -> list[list[int]]:
    """The faces of each item: all of an identity take turns where it has more than `AT_MOST`."""
    return [
        slot
        for faces in _identities(photos, labelled)
        for slot in ([[face] for face in faces] if len(faces) <= AT_MOST else [faces] * AT_MOST)
    ]


def unlike(photos: Photos, labelled: dict[str, list[Pointed]]) -> list[int]:
    """The faces that a validation counts: of an identity with more than `AT_MOST` as many, spread over all it has."""
    return [
        faces[place]
        for faces in _identities(photos, labelled)
        for place in np.linspace(0, len(faces) - 1, min(len(faces), AT_MOST)).round().astype(int).tolist()
    ]


def _identities(photos: Photos, labelled: dict[str, list[Pointed]]) -> list[list[int]]:
    """The faces of each identity; one that has none is alone."""
    of: dict[str, list[int]] = {}
    for face, (number, _) in enumerate(_rows(photos, labelled)):
        of.setdefault(photos[number].identity or f"\0{face}", []).append(face)
    return list(of.values())


def _rows(photos: Photos, labelled: dict[str, list[Pointed]]) -> list[tuple[int, Pointed]]:
    """The faces, each with the number of its photo."""
    return [(number, one) for number, photo in enumerate(photos) for one in labelled.get(photo.image_id, [])]


def _image(crop: Picture) -> Tensor:
    return torch.from_numpy(crop.transpose(2, 0, 1).copy())
