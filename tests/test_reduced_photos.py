"""visavis.reduced_photos: no more of a photo than a detector has use for, and boxes back in the photo's pixels."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

import visavis
from visavis import boxes, images
from visavis.errors import ImageError
from visavis.reduced_photos import SPARE, UsefulSize, read_reduced_photo

ASTRONAUT = Image.fromarray(skimage.data.astronaut())


@pytest.mark.parametrize(
    ("useful_size", "size", "seen"),
    [
        (UsefulSize(), (3000, 4000), (3000, 4000)),
        (UsefulSize(512, 1280), (3000, 4000), (512, 682)),
        (UsefulSize(512, 1280), (500, 9000), (71, 1280)),
        (UsefulSize(512), (512, 512), (512, 512)),
        (UsefulSize(512, 1280), (1, 5000), (1, 1280)),
        (UsefulSize(None, 100), (50, 80), (50, 80)),
    ],
)
def test_the_size_that_a_photo_is_seen_at(useful_size: UsefulSize, size: tuple[int, int], seen: tuple[int, int]):
    assert useful_size.size(*size) == seen


def test_what_is_seen_of_a_photo_is_seen_of_what_was_seen():
    detector = visavis.load_detector(device="cpu")
    for height in range(900, 6000, 11):
        for width in (height, height + 1, height * 4 // 3, height * 3):
            seen = detector.about.useful_size.size(height, width)
            assert detector.about.useful_size.size(*seen) == seen and min(seen) <= 819 and max(seen) <= 2457


@pytest.mark.parametrize("side", [900, 2047, 2301, 4503])
def test_boxes_are_where_they_are_in_the_whole_photo(side: int, tmp_path: Path):
    path = tmp_path / "photo.jpg"
    ASTRONAUT.resize((side, side - 1)).save(path, quality=95)
    detector = visavis.load_detector(device="cpu")
    (whole,) = detector.detect([images.read(path)])
    seen = read_reduced_photo(path, UsefulSize(512, 1280))
    assert (seen.height, seen.width) == (side - 1, side) and min(seen.picture.shape[:2]) == 512
    (found,) = detector.detect([seen.picture])
    assert len(found) == len(whole) == 1
    off = np.abs(boxes.scale(found.boxes, seen.scale) - whole.boxes).max()
    assert off < 0.02 * (whole.boxes[0, 2] - whole.boxes[0, 0])


def test_libjpeg_leaves_enough(tmp_path: Path):
    path = tmp_path / "photo.jpg"
    ASTRONAUT.resize((4000, 3000)).save(path)
    for shortest, times in ((512, 2), (300, 4), (100, 8), (1400, 1)):
        read = images.decode_reduced(path.read_bytes(), lambda height, width, s=shortest: SPARE * s)
        assert (read.times, read.height, read.width, read.animated) == (times, 3000, 4000, False)
        assert min(read.picture.shape[:2]) >= SPARE * shortest


def test_a_long_thin_photo_is_reduced_as_often_as_it_is_said(tmp_path: Path):
    path = tmp_path / "thin.jpg"
    Image.new("RGB", (17, 20_000)).save(path)
    read = images.decode_reduced(path.read_bytes(), lambda height, width: 4)
    assert read.times == 4 and read.picture.shape[0] == 5000


def test_what_cannot_be_seen(tmp_path: Path):
    with pytest.raises(ImageError, match="missing"):
        read_reduced_photo(tmp_path / "gone.jpg", UsefulSize())
    (tmp_path / "many.gif").write_bytes(b"GIF89a")
    with pytest.raises(ImageError, match=r"not_image|truncated"):
        read_reduced_photo(tmp_path / "many.gif", UsefulSize())
