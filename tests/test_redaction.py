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
from visavis.effects.redaction import EFFECTS, Redaction
from visavis.images import Picture

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
    faces = detector("shipped").detect([picture])[0][:1]  # a medal may be taken for another one
    assert len(faces) == 1
    redacted = Redaction(effect)(picture, faces)
    for name in ("shipped", "dlib_hog"):
        again = detector(name).detect([redacted])[0]
        # What is found at an IoU below a fifth is of another size: the whole of the smallest picture, a head and cap.
        assert not (iou(faces.boxes, again.boxes) > 0.2).any(), name


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
    assert len(np.unique(region.reshape(-1, 3), axis=0)) <= 3 * 3


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
    assert len(left) == 1 and iou(left.boxes, faces.boxes[[areas.argmax()]])[0, 0] > 0.85

    near = Faces([[100, 100, 200, 200], [190, 120, 250, 180]])
    assert Redaction("fill", keep_largest=True)(ASTRONAUT, near)[150, 199].tolist() == [0, 0, 0]
    assert not Redaction(keep_largest=True).mask((512, 512), FACE).any()


def test_growing_reaches_further():
    masks = [Redaction(grow=share).mask((512, 512), FACE).sum() for share in (0, 0.2, 0.5)]
    assert masks[0] == 105 * 135 and masks[1] == pytest.approx(105 * 135 * 1.4**2, rel=0.03)
    assert masks[2] > masks[1]


@pytest.mark.parametrize(
    ("face", "grow", "region", "cells"),
    [
        ([10, 10, 40, 40], 0.0, (10, 10, 40, 40), (3, 3)),
        ([10, 10, 40, 40], 0.2, (4, 4, 46, 46), (3, 3)),
        ([10, 10, 55, 40], 0.0, (10, 10, 55, 40), (3, 2)),  # as many as fit the longer side, squares
        ([10, 10, 18, 18], 0.0, (10, 10, 18, 18), (2, 2)),  # of 4 pixels at least
        ([10, 10, 16, 16], 0.0, (10, 10, 16, 16), (2, 2)),  # but for rounding: 1.5 are 2
        ([10.4, 10.6, 39.6, 39.2], 0.0, (10, 10, 40, 40), (3, 3)),
        ([-20, 40, 40, 100], 0.0, (0, 40, 40, 60), (2, 1)),  # two ninths of the face are in the picture
    ],
)
def test_cells_are_the_averages_of_a_third_of_the_region(face, grow, region, cells):
    picture = np.random.default_rng(1).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    redacted = Redaction("pixelate", grow=grow)(picture, Faces([face]))
    x1, y1, x2, y2 = region
    expected, wide, high = picture.astype(float), (x2 - x1) // cells[0], (y2 - y1) // cells[1]
    for y in range(y1, y2, high):
        for x in range(x1, x2, wide):
            expected[y : y + high, x : x + wide] = picture[y : y + high, x : x + wide].mean(axis=(0, 1))
    assert np.abs(redacted - expected).max() <= 1  # rounding


def test_an_oval_is_the_ellipse_in_the_box():
    mask = Redaction("oval-blur", grow=0).mask((40, 60), Faces([[10, 10, 50, 30]]))
    rows = [np.flatnonzero(row) for row in mask]
    assert [(row[0], row[-1]) for row in rows[10:20:9]] == [(24, 35), (10, 49)] and not mask[9].any()
    assert mask[30:].sum() == 0 and (mask[10:20] == mask[29:19:-1]).all()


def test_the_largest_of_the_sure_faces_is_kept():
    faces = Faces([[0, 0, 10, 10], [20, 0, 32, 12], [40, 0, 60, 20]])
    redaction = Redaction("fill", grow=0, keep_largest=True)
    kept = {sure: [not redaction.mask((20, 60), faces, sure)[5, x] for x in (5, 25, 50)] for sure in (None, 0, 1, 2)}
    assert kept == {
        None: [False, False, True], 0: [False] * 3, 1: [True, False, False], 2: [False, True, False],
    }  # fmt: skip


def test_an_effect_that_is_none_is_refused():
    with pytest.raises(ValueError, match=f"no effect 'smear'; there are {', '.join(EFFECTS)}"):
        Redaction("smear")
