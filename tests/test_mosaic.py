"""Mosaics and what is drawn over faces: boxes stay with what they frame."""

from itertools import cycle
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.measure import label, regionprops

from dataset import mosaic
from dataset.faces import FaceDataset, Photo
from dataset.mosaic import ENLARGED, QUARTER, compose, turned
from dataset.occluders import SMALLEST, occlude
from dataset.transforms import preset
from visavis.boxes import as_boxes
from visavis.images import read

RED = np.array([255, 0, 0])
SIZES = {"wide": (400, 90), "high": (60, 300), "small": (40, 40), "large": (900, 700)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Black photos of several shapes, their faces filled red; one has no face, one a face to ignore."""
    folder = tmp_path_factory.mktemp("photos")
    made = []
    for name, (width, height) in SIZES.items():
        picture = np.zeros((height, width, 3), np.uint8)
        faces = [(0.1, 0.2, 0.4, 0.8), (0.6, 0.1, 0.9, 0.7)]
        boxes = as_boxes([[round(x1 * width), round(y1 * height), round(x2 * width), round(y2 * height)]
                          for x1, y1, x2, y2 in faces])  # fmt: skip
        for x1, y1, x2, y2 in boxes.astype(int):
            picture[y1:y2, x1:x2] = RED
        Image.fromarray(picture).save(folder / f"{name}.png")
        ignored = slice(1, 2) if name == "wide" else slice(0, 0)
        learnt = slice(0, 1) if name == "wide" else slice(0, 2)
        made.append(Photo(name, name, folder / f"{name}.png", boxes[learnt], boxes[ignored]))
    Image.new("RGB", (200, 150)).save(folder / "none.png")
    return [*made, Photo("none", "none", folder / "none.png", as_boxes([]))]


def composed(photos, seed, side):
    """A canvas of these photos, over and over."""
    return compose(((one, read(one.path)) for one in cycle(photos)), side, np.random.default_rng(seed))


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), index=st.integers(0, 4), side=st.sampled_from([96, 320]))
def test_a_mosaics_boxes_frame_its_faces(photos, seed, index, side):
    with mock.patch.object(mosaic, "UPRIGHT", 1 - QUARTER):  # none is tilted: these faces fill their boxes
        picture, learn, ignore = composed(photos[index:] + photos[:index], seed, side)
    assert picture.shape == (side, side, 3) and picture.dtype == np.uint8
    every = np.concatenate([learn, ignore])
    assert (every >= 0).all() and (every <= side).all() and (every[:, 2:] > every[:, :2]).all()
    red = picture[..., 0].astype(float) / 255 * (picture[..., 1] < 60)  # grey room is no red
    framed = np.zeros((side, side))
    edges = 0.0
    for x1, y1, x2, y2 in every:
        framed[round(y1) : round(y2), round(x1) : round(x2)] = 1
        edges += 2 * (x2 - x1 + y2 - y1) + 8
    # Enlarging blurs an edge over as many pixels as it enlarges, half of them each side.
    assert np.abs(red - framed).sum() <= ENLARGED * edges


@pytest.mark.parametrize("seed", range(12))
def test_a_turned_photos_boxes_frame_its_faces(seed):
    """Faces as ellipses, upright, by quarter turns, or tilted."""
    picture = np.zeros((300, 400, 3), np.uint8)
    boxes = as_boxes([[40, 60, 120, 180], [200, 100, 260, 140]])
    down, across = np.mgrid[:300, :400] + 0.5
    for x1, y1, x2, y2 in boxes:
        inside = ((across - (x1 + x2) / 2) / (x2 - x1)) ** 2 + ((down - (y1 + y2) / 2) / (y2 - y1)) ** 2 <= 0.25
        picture[inside] = RED
    photo, seen = turned(Photo("", "", Path(), boxes, boxes[:1]), picture, np.random.default_rng(seed))
    red = (seen[..., 0] > 127) & (seen[..., 1] < 60)
    for number, found in enumerate(sorted(regionprops(label(red)), key=lambda one: -one.area)):
        y1, x1, y2, x2 = found.bbox
        np.testing.assert_allclose(photo.boxes[number], [x1, y1, x2, y2], atol=2)
    assert number == 1 and (photo.ignore == photo.boxes[:1]).all()


def test_photos_are_turned_as_often_as_is_said(photos):
    shapes = []
    picture = np.zeros((100, 150, 3), np.uint8)
    for seed in range(400):
        photo, seen = turned(Photo("", "", Path(), as_boxes([[10, 10, 30, 40]])), picture, np.random.default_rng(seed))
        shapes.append(("upright" if (photo.boxes == [[10, 10, 30, 40]]).all() else "turned", seen.shape[:2]))
    upright = sum(kind == "upright" for kind, _ in shapes) / 400
    quarters = sum(kind == "turned" and shape in ((100, 150), (150, 100)) for kind, shape in shapes) / 400
    assert 0.67 < upright < 0.81 and 0.02 < quarters < 0.1


def test_a_long_photo_is_not_tilted():
    picture = np.zeros((100, 401, 3), np.uint8)
    photo = Photo("", "", Path(), as_boxes([[10, 10, 30, 40]]))
    shapes = {turned(photo, picture, np.random.default_rng(seed))[1].shape[:2] for seed in range(60)}
    assert shapes == {(100, 401), (401, 100)}


def test_some_canvases_are_close_ups_in_which_a_face_fills_much(photos, monkeypatch):
    def filled(share: float) -> np.ndarray:
        monkeypatch.setattr(mosaic, "CLOSE_UP", share)
        each = [np.concatenate(composed([photos[3], *photos[:3]], seed, 320)[1:]) for seed in range(100)]
        return np.array([(boxes[:, 3] - boxes[:, 1]).max(initial=0) for boxes in each])

    usual = mosaic.CLOSE_UP
    assert 0.05 < usual < 0.3
    assert (filled(1.0) > 120).mean() > 0.9  # .4 of 320 pixels, stretched
    assert (filled(0.0) > 200).mean() < (filled(1.0) > 200).mean()


def test_the_first_photo_is_in_it_and_the_seed_decides(photos):
    for seed in range(20):
        picture, learn, ignore = composed([photos[3], *[photos[4]] * 50], seed, 160)  # the others are black
        assert len(learn) + len(ignore) > 0
        again = composed([photos[3], *[photos[4]] * 50], seed, 160)
        assert (picture == again[0]).all() and (learn == again[1]).all() and (ignore == again[2]).all()


def test_a_box_may_begin_at_minus_nothing(photos):
    """-0.0, as tables have it where a little below 0 was rounded."""
    made = [Photo(one.image_id, "", one.path, as_boxes([[-0.0, -0.0, 30, 30]])) for one in photos]
    for seed in range(40):
        composed(made, seed, 96)


def test_faces_of_every_size_come_and_most_as_small_as_in_crowds(photos):
    heights = []
    for seed in range(60):
        _, learn, _ = composed(photos[seed % 4 : 4] + photos[: seed % 4], seed, 320)
        heights += list(learn[:, 3] - learn[:, 1])
    counts, _ = np.histogram(heights, bins=[8, 16, 32, 64, 128, 340])
    assert (counts >= np.array([0.01, 0.05, 0.2, 0.1, 0.1]) * len(heights)).all(), counts


def test_a_dataset_of_mosaics_has_one_size_and_skips_what_cannot_be_read(photos, tmp_path, capsys):
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"\xff\xd8\xff nothing more")
    dataset = FaceDataset([Photo("torn", "", torn, as_boxes([])), *photos], preset("full", reframe=False), mosaic=128)
    sizes = {tuple(dataset[index][0].shape) for index in range(6)}
    assert sizes == {(3, 128, 128)}
    assert dataset.unreadable > 0 and "torn.jpg" in capsys.readouterr().err


def test_what_is_drawn_stays_near_the_face():
    picture = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    boxes = as_boxes([[40, 60, 120, 160], [200, 100, 206, 108], [300, 200, 400, 300]])
    for seed in range(40):
        seen = occlude(picture, boxes, 1.0, np.random.default_rng(seed))
        changed = (seen != picture).any(axis=2)
        assert changed[60:160, 40:120].any() and changed[200:, 300:].any()
        changed[50:172, 30:130] = False  # strings and chins reach a little beyond
        changed[190:, 288:] = False
        assert not changed.any()
        assert min(boxes[1, 2:] - boxes[1, :2]) < SMALLEST
    assert occlude(picture, boxes, 0.0, np.random.default_rng(0)) is picture
    assert occlude(picture, as_boxes([]), 1.0, np.random.default_rng(0)) is picture


def test_photos_are_stretched_a_little_in_either_direction(tmp_path):
    picture = np.zeros((120, 120, 3), np.uint8)
    photo = Photo("square", "", tmp_path, as_boxes([[45, 45, 75, 75]]))
    ratios = []
    for seed in range(150):
        _, learn, _ = compose(cycle([(photo, picture)]), 320, np.random.default_rng(seed))
        sides = (learn[:, 2:] - learn[:, :2])[(learn > 1).all(axis=1) & (learn < 319).all(axis=1)]
        ratios += list(sides[:, 0] / sides[:, 1])
    low, middle, high = np.quantile(ratios, [0.15, 0.5, 0.85])
    assert low < 0.95 < middle < 1.05 < high, (low, middle, high)
