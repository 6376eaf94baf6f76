"""CropDataset hands faces and what is known of them to torch, one by one: a square around each, augmented.

It is to networks that tell attributes what FaceDataset is to detectors, and takes the same keys.
"""

import io
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from dataset.face_reader import read_around
from dataset.faces import Unreadable
from dataset.photos import Photos
from dataset.samplers import Key, seed_of
from visavis.analysers.crops import GREY, cut, square
from visavis.data.attributes import GENDERS, MASKS, KnownAttributes
from visavis.errors import InputError
from visavis.images import Picture
from visavis.messages import counted

TRANSFORMS = ("none", "light", "full", "affine")
SMALLEST = 12
"""Pixels of a face's longer side that low resolution leaves it, at least: such faces are seen in streets."""


class CropDataset:
    """Faces and targets as visavis.analysers.attributes.network wants them (a map-style torch Dataset).

    An item is (image, target): a (3, side, side) uint8 tensor, and a dict of tensors, mask and gender (the number of
    the class), age_low and age_high (years), each -1 where not known; and `draw`.

    known: what is known of the faces of each photo, by image_id. margin: how many times as wide as the face's box the
    square around it is. transforms: none; light: the box is moved a little, the face mirrored half of the time and lit
    otherwise; full: it is also turned, blurred, made small, compressed and covered in part; affine: it is mirrored,
    turned, shifted, scaled and sheared, and nothing else. seed, keys: as FaceDataset. Raises InputError for others.

    If a photo cannot be decoded, a message says so, `failed` counts it, and the next face takes its place.
    """

    def __init__(
        self,
        photos: Photos,
        known: dict[str, list[KnownAttributes]],
        side: int,
        margin: float,
        transforms: str = "none",
        seed: int = 0,
    ) -> None:
        if transforms not in TRANSFORMS:
            raise InputError(f"unknown `transforms` {transforms!r} of faces; there are {', '.join(TRANSFORMS)}")
        self.photos, self.side, self.margin, self.transforms, self.seed = photos, side, margin, transforms, seed
        rows = [(number, one) for number, photo in enumerate(photos) for one in known.get(photo.image_id, [])]
        self.numbers = np.array([number for number, _ in rows], np.int64)
        self.boxes = np.array([one.box for _, one in rows], np.float32).reshape(-1, 4)
        self.labels = np.array([_numbers(one) for _, one in rows], np.float32).reshape(-1, 4)
        self.failed = Unreadable()

    def __len__(self) -> int:
        return len(self.numbers)

    def name(self, number: int) -> str:
        """The photo that a face is in."""
        return self.photos[int(self.numbers[number])].image_id

    def tell_unreadable(self) -> int:
        """Say how many faces' photos could not be read, if any, and count anew: for the end of an epoch."""
        return self.failed.tell(len(self), "face")

    def __getitem__(self, key: int | Key) -> tuple[Tensor, dict[str, Any]]:
        epoch, place, number = (0, key, key) if isinstance(key, int) else key
        dice = np.random.default_rng(seed_of(self.seed, epoch, place))
        for turn in range(len(self)):
            face = (number + turn) % len(self)
            if (read := self._read(face)) is None:
                continue
            picture, frame = read
            if self.transforms == "none":
                crop = cut(picture, frame, self.side)
            elif self.transforms == "affine":
                crop = sheared(picture, frame, self.side, dice)
            else:
                crop = moved(picture, frame, self.side, dice)
                crop = lit(worse(crop, self.margin, dice) if self.transforms == "full" else crop, dice)
            return _image(crop), self._target(face) | {"draw": seed_of(self.seed, epoch, place, 1)}
        raise InputError(f"none of the photos of {counted(len(self), 'face')} can be read; run `python -m clean`")

    def plain(self, face: int) -> Tensor | None:
        """The image of a face as it is; None if its photo cannot be read. In validation no other face may stand in: the
        answers for it would be compared with the labels of this one."""
        read = self._read(face)
        return None if read is None else _image(cut(*read, self.side))

    def _read(self, face: int) -> tuple[Picture, tuple[float, float, float, float]] | None:
        """The picture, no larger than this face needs, and the square around the face there. None, with a message, if
        it cannot be decoded."""
        box = self.boxes[face]
        read = read_around(self.photos[int(self.numbers[face])], box, 2 * self.side, self.failed)
        if read is None:
            return None
        picture, times = read
        return picture, square(box / times, self.margin)

    def _target(self, face: int) -> dict[str, Tensor]:
        mask, low, high, gender = self.labels[face]
        return {
            "mask": torch.tensor(int(mask)),
            "gender": torch.tensor(int(gender)),
            "age_low": torch.tensor(float(low)),
            "age_high": torch.tensor(float(high)),
        }


def _image(crop: Picture) -> Tensor:
    return torch.from_numpy(crop.transpose(2, 0, 1).copy())


def _numbers(one: KnownAttributes) -> tuple[float, float, float, float]:
    mask = MASKS.index(one.mask) if one.mask else -1
    gender = GENDERS.index(one.gender) if one.gender else -1
    return mask, *(one.ages or (-1.0, -1.0)), gender


def moved(picture: Picture, frame: tuple[float, float, float, float], side: int, dice: np.random.Generator) -> Picture:
    """(side, side, 3): what lies in `frame`, or a little beside it, as another detector's box is; mirrored or not."""
    x1, y1, x2, y2 = frame
    wide = x2 - x1
    x = (x1 + x2) / 2 + dice.uniform(-0.07, 0.07) * wide
    y = (y1 + y2) / 2 + dice.uniform(-0.07, 0.07) * wide
    half = wide / 2 * math.exp(dice.uniform(-0.16, 0.16))
    crop = cut(picture, (x - half, y - half, x + half, y + half), side)
    return np.ascontiguousarray(crop[:, ::-1]) if dice.random() < 0.5 else crop


def sheared(
    picture: Picture, frame: tuple[float, float, float, float], side: int, dice: np.random.Generator
) -> Picture:
    """(side, side, 3): what lies in `frame`, turned by up to 20 degrees, scaled by up to 15 %, shifted by up to a fifth
    of its side, sheared by up to 15 %, and mirrored half of the time."""
    wide = 1.6  # what comes into sight from around it
    x1, y1, x2, y2 = frame
    x, y, half = (x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2 * wide
    around = cut(picture, (x - half, y - half, x + half, y + half), round(side * wide))
    angle, scale = math.radians(dice.uniform(-20, 20)), dice.uniform(0.85, 1.15)
    shift, shear = dice.uniform(-0.2, 0.2, 2) * side, dice.uniform(-0.15, 0.15)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.array([[1, shear], [0, 1]]) * scale  # from the crop's pixels to those around
    offset = len(around) / 2 + shift - linear @ [side / 2, side / 2]
    how = (*linear[0], offset[0], *linear[1], offset[1])
    image = Image.fromarray(around).transform(
        (side, side), Image.Transform.AFFINE, how, Image.Resampling.BILINEAR, fillcolor=GREY
    )
    crop = np.asarray(image)
    return np.ascontiguousarray(crop[:, ::-1]) if dice.random() < 0.5 else crop


def worse(crop: Picture, margin: float, dice: np.random.Generator) -> Picture:
    """A face as a poorer photo might have shown it: turned, covered in part, of few pixels, blurred, compressed."""
    if dice.random() < 0.3:
        turned = Image.fromarray(crop).rotate(dice.uniform(-25, 25), Image.Resampling.BILINEAR, fillcolor=GREY)
        crop = np.asarray(turned)
    if dice.random() < 0.15:
        crop = covered(crop, dice)
    return poorer(crop, margin, dice)


def poorer(crop: Picture, margin: float, dice: np.random.Generator) -> Picture:
    """A face of few pixels, blurred, compressed, or none of this."""
    side = len(crop)
    image = Image.fromarray(crop)
    if dice.random() < 0.3:  # as few as faces in streets have
        pixels = round(margin * math.exp(dice.uniform(math.log(SMALLEST), math.log(side / margin))))
        how = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)[int(dice.integers(2))]
        image = image.resize((pixels, pixels), Image.Resampling.BOX).resize((side, side), how)
    elif dice.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(dice.uniform(0.5, 2.0)))
    if dice.random() < 0.25:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=int(dice.integers(25, 85)))
        image = Image.open(stream)
    return np.asarray(image)


def covered(crop: Picture, dice: np.random.Generator) -> Picture:
    """With a piece of itself over another part, as a hand or a neighbour hides one."""
    side = len(crop)
    high, wide = (int(dice.integers(side // 8, side // 3)) for _ in range(2))
    tops, lefts = (dice.integers(0, side - extent, 2) for extent in (high, wide))
    hidden = crop.copy()
    hidden[tops[0] : tops[0] + high, lefts[0] : lefts[0] + wide] = crop[
        tops[1] : tops[1] + high, lefts[1] : lefts[1] + wide
    ]
    return hidden


def lit(crop: Picture, dice: np.random.Generator) -> Picture:
    """In other light: brightness, contrast and colours, now and then none."""
    gain = math.exp(dice.uniform(-0.25, 0.25)) * np.exp(dice.uniform(-0.08, 0.08, 3))
    steps = np.arange(256, dtype=np.float32)[:, None] / 255
    curve = np.clip(steps ** math.exp(dice.uniform(-0.3, 0.3)) * gain + dice.uniform(-0.06, 0.06), 0, 1) * 255
    tables = curve.round().astype(np.uint8)
    shown = np.stack([tables[:, channel][crop[..., channel]] for channel in range(3)], axis=-1)
    if dice.random() < 0.08:
        shown = np.repeat(np.asarray(Image.fromarray(shown).convert("L"))[..., None], 3, axis=2)
    return shown


def summary(faces: CropDataset, heads: Iterable[str]) -> str:
    """How many labels of each of these attributes there are, for people."""
    mask, low, high, gender = faces.labels.T
    masks = ", ".join(f"{int((mask == n).sum())} {name}" for n, name in enumerate(MASKS))
    genders = ", ".join(f"{int((gender == n).sum())} {name}" for n, name in enumerate(GENDERS))
    exact, grouped = int(((low >= 0) & (low == high)).sum()), int((low < high).sum())
    counts = {"mask": masks, "age": f"{exact} to the year, {grouped} as a group", "gender": genders}
    return "; ".join(f"{name}: {counts[name]}" for name in heads)
