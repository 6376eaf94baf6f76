"""Faces made unrecognisable: no detector finds them again, whatever the photo's size, and only they change."""

from functools import cache

import numpy as np
import pytest
import skimage.data
from matplotlib.cbook import get_sample_data
from PIL import Image, ImageEnhance

from visavis import Faces, load_detector
from visavis.boxes import iou
from visavis.detectors import Detector
from visavis.effects.redaction import CELLS, Redaction
from visavis.images import Picture

EFFECTS = ("blur", "pixelate", "fill", "oval-blur")
ASTRONAUT = skimage.data.astronaut()
FACE = Faces([[175, 70, 280, 205]])


@cache
def detector(name: str) -> Detector:
    return load_detector(name, "cpu")


@cache
def astronaut(size: int) -> Picture:
    return np.asarray(Image.fromarray(ASTRONAUT).resize((size, size), Image.Resampling.LANCZOS))


@cache
def found(name: str, size: int) -> Faces:
    return detector(name).detect([astronaut(size)])[0]


@pytest.mark.parametrize("size", [300, 700, 1600])
@pytest.mark.parametrize("effect", EFFECTS)
def test_no_detector_finds_the_face_again_whatever_the_size(effect: str, size: int):
    faces = found("shipped", size)
    assert len(faces) == 1 and iou(faces.boxes, found("dlib_hog", size).boxes).max() > 0.4  # both saw it before
    redacted = Redaction(effect)(astronaut(size), faces)
    for name in ("shipped", "dlib_hog"):
        again = detector(name).detect([redacted])[0]
        assert not (iou(faces.boxes, again.boxes) > 0.1).any(), name


@pytest.mark.parametrize("contrast", [1, 1.6])
@pytest.mark.parametrize("scale", [0.12, 0.2, 0.5])
@pytest.mark.parametrize("effect", ["blur", "pixelate", "oval-blur"])
def test_no_detector_finds_a_face_of_strong_lines_again(effect: str, scale: float, contrast: float):
    """A cap's brim and a dark collar: with them, few cells are a face."""
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as portrait:
        small = portrait.resize((round(portrait.width * scale), round(portrait.height * scale)))
    picture = np.asarray(ImageEnhance.Contrast(small).enhance(contrast))
    faces = detector("shipped").detect([picture])[0]
    assert len(faces) == 1
    redacted = Redaction(effect)(picture, faces)
    for name in ("shipped", "dlib_hog"):
        assert not (iou(faces.boxes, detector(name).detect([redacted])[0].boxes) > 0.1).any(), name


@pytest.mark.parametrize("effect", ["blur", "pixelate", "oval-blur"])
def test_what_is_left_does_not_grow_with_the_photo(effect: str):
    """A large photo, redacted and then made small, shows what the small one, redacted, shows."""
    small = Redaction(effect)(astronaut(512), FACE)
    large = Redaction(effect)(astronaut(2048), Faces(FACE.boxes * 4))
    shrunk = np.asarray(Image.fromarray(large).resize((512, 512), Image.Resampling.BOX))
    inside = Redaction(effect, grow=0.1).mask((512, 512), FACE)
    assert np.abs(shrunk[inside].astype(int) - small[inside]).mean() < 3


@pytest.mark.parametrize("scale", [1, 4, 12])
def test_a_face_is_left_with_few_colours_however_large(scale: int):
    picture = np.random.default_rng(0).integers(0, 256, (200 * scale, 200 * scale, 3), dtype=np.uint8)
    redacted = Redaction("pixelate", grow=0)(picture, Faces(np.array([[50, 40, 150, 160]]) * scale))
    region = redacted[40 * scale : 160 * scale, 50 * scale : 150 * scale]
    assert len(np.unique(region.reshape(-1, 3), axis=0)) <= CELLS * CELLS


@pytest.mark.parametrize("effect", EFFECTS)
def test_only_the_pixels_of_the_mask_change(effect: str):
    before = ASTRONAUT.copy()
    redaction = Redaction(effect)
    redacted = redaction(ASTRONAUT, FACE)
    mask = redaction.mask((512, 512), FACE)
    assert (before == ASTRONAUT).all()
    assert (redacted[~mask] == ASTRONAUT[~mask]).all()
    assert (redacted[mask] != ASTRONAUT[mask]).any(axis=1).mean() > 0.9
    x1, y1, x2, y2 = FACE.boxes[0].astype(int)
    assert mask[y1:y2, x1:x2].mean() > (0.99 if effect == "oval-blur" else 0.9999)  # all of the face's own box
    assert mask.sum() < 2 * (x2 - x1) * (y2 - y1)


@pytest.mark.parametrize("effect", EFFECTS)
def test_regions_may_reach_outside_be_empty_or_tiny(effect: str):
    boxes = [[-40, -30, 60, 50], [500, 500, 700, 650], [300, 300, 302, 303], [900, 20, 990, 80], [50, 60, 50, 90]]
    redaction = Redaction(effect)
    redacted = redaction(ASTRONAUT, Faces(boxes))
    mask = redaction.mask((512, 512), Faces(boxes))
    assert mask[:30, :30].any() and mask[-5:, -5:].any() and mask[301, 301]
    assert (redacted[~mask] == ASTRONAUT[~mask]).all()
    assert (redaction(ASTRONAUT, Faces()) == ASTRONAUT).all()
    assert not redaction.mask((512, 512), Faces()).any()
    assert redaction(np.zeros((1, 1, 3), np.uint8), Faces([[0, 0, 1, 1]])).shape == (1, 1, 3)


def test_the_largest_face_is_kept_unless_another_region_reaches_into_it():
    pair = np.hstack([astronaut(512), astronaut(512)[::2, ::2].repeat(2, axis=0)])
    faces = detector("shipped").detect([pair])[0]
    assert len(faces) == 2
    redacted = Redaction("fill", keep_largest=True)(pair, faces)
    left = detector("shipped").detect([redacted])[0]
    areas = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1)
    assert len(left) == 1 and iou(left.boxes, faces.boxes[[areas.argmax()]])[0, 0] > 0.9

    near = Faces([[100, 100, 200, 200], [190, 120, 250, 180]])
    assert Redaction("fill", keep_largest=True)(ASTRONAUT, near)[150, 199].tolist() == [0, 0, 0]
    assert not Redaction(keep_largest=True).mask((512, 512), FACE).any()


def test_growing_reaches_further():
    masks = [Redaction(grow=share).mask((512, 512), FACE).sum() for share in (0, 0.2, 0.5)]
    assert masks[0] == 105 * 135 and masks[1] == pytest.approx(105 * 135 * 1.4**2, rel=0.03)
    assert masks[2] > masks[1]
