"""Boxes stay on their faces, whatever is done to the photo: decoded smaller, resized, transformed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torchvision import tv_tensors
from torchvision.transforms import v2

from dataset import augmentations
from dataset.faces import FaceDataset
from dataset.photos import Photo
from dataset.transforms import preset
from visavis.boxes import as_boxes
from visavis.images import header, read_reduced


def test_jpegs_are_decoded_no_larger_than_needed(tmp_path: Path) -> None:
    large = Image.fromarray(data.astronaut()).resize((2048, 1537))
    large.save(tmp_path / "large.jpg", exif=_turned())
    large.save(tmp_path / "large.png")
    for shortest, times in ((None, 1), (1537, 1), (1000, 1), (768, 2), (300, 4), (10, 8)):
        picture, smaller = read_reduced(tmp_path / "large.jpg", shortest)
        assert smaller == times and min(picture.shape[:2]) >= (shortest or 0)
        assert picture.shape[0] > picture.shape[1]  # turned, as its EXIF says
    assert read_reduced(tmp_path / "large.png", 10)[1] == 1
    assert header(tmp_path / "large.jpg") == (2048, 1537) and header(tmp_path / "large.png") == (1537, 2048)
    assert header(tmp_path / "nowhere.jpg") is None


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("size", [None, 400, 150, 3000])
def test_boxes_shrink_with_their_photo(tmp_path: Path, ending: str, size: int | None) -> None:
    picture = np.zeros((1203, 1607, 3), np.uint8)
    picture[300:900, 400:1000] = 255
    Image.fromarray(picture).save(tmp_path / f"a.{ending}", quality=95)
    photo = Photo("a", "", tmp_path / f"a.{ending}", as_boxes([[400, 300, 1000, 900]]), as_boxes([[0, 0, 100, 100]]))
    image, target = FaceDataset([photo], preset("none"), size=size)[0]
    assert min(image.shape[1:]) == (1203 if size in (None, 3000) else size)
    np.testing.assert_allclose(target["boxes"][0].numpy(), edges(image), atol=0.5)
    assert len(target["ignore"]) == 1


GEOMETRY = {
    "flip": lambda: v2.RandomHorizontalFlip(1.0),
    "zoom out": lambda: v2.RandomZoomOut(fill=0, side_range=(1.0, 2.5), p=1.0),
    "crop": lambda: augmentations.Crop(min_scale=0.4),
    "scale jitter": lambda: augmentations.Scaled(),
    "resize": lambda: v2.Resize((131, 287)),
    "blur": lambda: v2.GaussianBlur(5, (0.1, 2.0)),
    "shaken": lambda: augmentations.Shaken(),
    "jpeg": lambda: augmentations.Recompressed(20, 75),
    "colours": lambda: v2.ColorJitter(0.3, 0.3, 0.3, 0.03),
    "grey": lambda: v2.RandomGrayscale(1.0),
}


@pytest.mark.parametrize("name", GEOMETRY)
def test_after_every_transform_box_and_rectangle_coincide_within_half_a_pixel(tmp_path: Path, name: str) -> None:
    transform = v2.Compose([GEOMETRY[name](), v2.ToDtype(torch.float32, scale=True)])
    chance = np.random.default_rng(3)
    checked = 0
    for number in range(25):
        x1, y1 = chance.integers(10, 120), chance.integers(10, 90)
        x2, y2 = x1 + chance.integers(30, 90), y1 + chance.integers(30, 70)
        picture = np.zeros((180, 240, 3), np.uint8)
        picture[y1:y2, x1:x2] = 255
        Image.fromarray(picture).save(tmp_path / "a.png")
        box = as_boxes([[x1, y1, x2, y2]])
        for learn, ignore in ((box, box[:0]), (box[:0], box)):  # as a face, and as something to ignore
            dataset = FaceDataset([Photo("a", "", tmp_path / "a.png", learn, ignore)], transform, seed=number)
            image, target = dataset[0]
            found = target["boxes"] if len(learn) else target["ignore"]
            assert isinstance(found, tv_tensors.BoundingBoxes) and found.canvas_size == tuple(image.shape[1:])
            assert len(target["labels"]) == len(target["boxes"]) == len(target["area"])
            if len(found):
                checked += 1
                np.testing.assert_allclose(found[0].numpy(), edges(image), atol=0.5)
    assert checked > 30


def edges(image: torch.Tensor) -> list[float]:
    """x1 y1 x2 y2 of the one bright rectangle in a dark image: where the light passes half of its most."""
    light = image.float().mean(dim=0)
    light = (light - light.min()) / (light.max() - light.min())
    y, x = (int(values.float().mean()) for values in torch.nonzero(light > 0.5, as_tuple=True))
    across, down = light[y].numpy(), light[:, x].numpy()
    (x1, x2), (y1, y2) = (_crossings(line) for line in (across, down))
    return [x1, y1, x2, y2]


def _crossings(line: np.ndarray) -> tuple[float, float]:
    """Where a profile rises over one half and falls below it again, in pixels from the left edge of the first."""
    bright = np.flatnonzero(line > 0.5)
    first, last = int(bright[0]), int(bright[-1])
    low = first if first == 0 else first - 0.5 + (0.5 - line[first - 1]) / (line[first] - line[first - 1])
    end = len(line) - 1
    high = last + 1 if last == end else last + 0.5 + (line[last] - 0.5) / (line[last] - line[last + 1])
    return float(low), float(high)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
