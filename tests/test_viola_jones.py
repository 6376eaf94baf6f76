"""The cascade of Viola and Jones: sums, features, and windows that become faces."""

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from visavis.boxes import iou
from visavis.detectors import load_detector
from visavis.detectors.grouping import grouped
from visavis.detectors.viola_jones import detector, features, integral, opencv_xml, scanning
from visavis.detectors.viola_jones.cascade import Cascade, Stage
from visavis.detectors.viola_jones.scanning import around, scaled_features, scan, search
from visavis.detectors.viola_jones.shrinking import shrunk, shrunken_pictures
from visavis.images import resize
from visavis.reduced_photos import UsefulSize

cv2 = pytest.importorskip("cv2")
PORTRAIT = np.ascontiguousarray(data.astronaut()[20:260, 110:350])
SMALL = np.ascontiguousarray(PORTRAIT[40:180, 40:190])


def test_four_numbers_are_the_sum_of_a_rectangle():
    sums = integral.integral(np.array([[1, 2, 3], [4, 5, 6]], np.uint8))
    assert sums.tolist() == [[0, 0, 0, 0], [0, 1, 3, 6], [0, 5, 12, 21]]
    assert sums[2, 3] - sums[0, 3] - sums[2, 1] + sums[0, 1] == 2 + 3 + 5 + 6
    assert integral.squares(np.array([[200, 3]], np.uint8)).tolist() == [[0, 0, 0], [0, 40000, 40009]]


def test_sums_that_wrap_around_still_have_the_right_differences():
    sums = integral.integral(np.full((4, 1), 2**30, np.int32))
    assert sums[4, 1] == 0 and sums[4, 1] - sums[3, 1] == 2**30


def test_brightness_is_opencvs():
    assert (integral.grey(PORTRAIT) == cv2.cvtColor(PORTRAIT, cv2.COLOR_RGB2GRAY)).all()


def test_there_are_162336_features_of_five_kinds():
    every = features.every()
    assert every.shape == (162336, 3, 5)
    kinds = [len(features.every(side)) for side in (1, 2, 3)]
    assert kinds == [0, 7, 40]  # in 2 x 2: three of two beside each other, three of two above each other, and the four
    assert len({feature.tobytes() for feature in every}) == 162336
    x, y, width, height, weight = np.moveaxis(every, -1, 0)
    assert ((x >= 0) & (y >= 0) & (x + width <= 24) & (y + height <= 24)).all()
    assert ((width * height * weight).sum(axis=1) == 0).all()  # nothing in a window of one brightness


def test_a_feature_is_its_bright_part_minus_the_others():
    window = np.arange(16).reshape(4, 4) ** 2
    two, three, four = [[0, 0, 4, 2, -1], [2, 0, 2, 2, 2]], [[0, 1, 3, 1, -1], [1, 1, 1, 1, 3]], [[0, 0, 2, 2, -1]]
    four += [[0, 0, 1, 1, 2], [1, 1, 1, 1, 2]]
    rectangles = np.array([[*some, *[[0] * 5] * (3 - len(some))] for some in (two, three, four)])
    matrix = features.corners(rectangles, 4, 4)
    values = matrix @ integral.integral(window).ravel().astype(np.float32)
    assert values.tolist() == [4 + 9 + 36 + 49 - 0 - 1 - 16 - 25, 2 * 25 - 16 - 36, 0 + 25 - 1 - 16]
    assert np.diff(matrix.indptr).tolist() == [6, 8, 9]  # corners


def stage(threshold: float) -> Stage:
    """Votes 1 if the right half of a window is brighter by 1.8 standard deviations, or by more, and else -1."""
    halves = np.array([[[0, 0, 24, 24, -1], [12, 0, 12, 24, 2], [0] * 5]])
    return Stage(halves, *(np.array([value], np.float32) for value in (0.9, -1.0, 1.0)), threshold)


def test_windows_pass_in_any_light_and_at_any_size():
    cascade = Cascade((stage(0.5), stage(0.9)))
    step = np.zeros((200, 200), np.uint8)
    step[20:140, 60:180] = 100
    dim, bright = (scan(cascade, scaled_features(cascade, picture)) for picture in (step // 10, step + 100))
    assert len(dim) == len(bright) and (dim.boxes == bright.boxes).all()
    assert {24, 59} <= set((dim.boxes[:, 2] - dim.boxes[:, 0]).astype(int))  # 24 * 1.25 ** 4 is 58.6, in whole pixels
    assert ((dim.boxes[:, 0] < 60) & (dim.boxes[:, 2] > 60)).all()
    np.testing.assert_allclose(dim.margins, np.repeat([[0.5], [0.1]], len(dim), axis=1), atol=1e-6)
    mirrored = scan(cascade, scaled_features(cascade, np.ascontiguousarray(step[:, ::-1])))
    assert ((mirrored.boxes[:, 0] < 20) & (mirrored.boxes[:, 2] > 20)).all()  # its only edge from dark to bright


def test_windows_around_a_likely_one_are_looked_at_each_once():
    cascade, picture = Cascade((stage(0.5), stage(0.9))), np.zeros((100, 120), np.uint8)
    twice = np.array([[40, 40, 70, 70], [40, 40, 70, 70], [0, 70, 30, 100], [0, 0, 24, 24]], np.float32)
    layers = list(around(cascade, next(scaled_features(cascade, picture)), twice))
    assert [layer.size[0] for layer in layers] == [24, 26, 28, 30, 32]  # none is smaller than the cascade's window
    boxes = [layer.boxes(layer.starts).tolist() for layer in layers]
    assert [40, 40, 70, 70] in boxes[3] and [0, 70, 30, 100] in boxes[3] and len(boxes[3]) == 9 + 4
    corners = np.array([box[:2] for box in boxes[4] if box[0] > 20])
    assert np.ptp(corners, axis=0).tolist() == [2, 2] and np.abs(corners.mean(axis=0) - 39).max() < 0.5
    for some in boxes:
        assert np.min(some) >= 0 and (np.max(some, axis=0)[2:] <= [120, 100]).all()

    picture[:, 61:] = 100
    coarse, fine = scan(cascade, scaled_features(cascade, picture)), search(cascade, picture)
    assert 0 < len(coarse) < len(fine) and fine.margins.shape == (2, len(fine))
    assert len(np.unique(fine.boxes, axis=0)) == len(fine)


def test_windows_that_wait_for_the_other_stages_take_little_memory(monkeypatch: pytest.MonkeyPatch):
    found = load_detector("viola_jones").detector
    whole = found.windows(PORTRAIT)
    most, late = [], scanning.other_stages
    monkeypatch.setattr(scanning, "AT_ONCE", 500)
    monkeypatch.setattr(scanning, "WAITING", 500)

    def counting(cascade: Cascade, some: scanning.Windows, done: int) -> scanning.Windows:
        most.append(len(some))
        return late(cascade, some, done)

    monkeypatch.setattr(scanning, "other_stages", counting)
    parts = found.windows(PORTRAIT)
    assert len(whole) > 5 and (whole.boxes == parts.boxes).all() and (whole.margins == parts.margins).all()
    assert len(most) > 4 and max(most) <= 1000


@pytest.mark.parametrize("shape", [(0, 0), (23, 100), (24, 24), (60, 25)])
def test_a_picture_without_contrast_or_room_has_no_windows(shape: tuple[int, int]):
    cascade = Cascade((stage(0.5),))
    for layers in (scaled_features, shrunken_pictures):
        found = scan(cascade, layers(cascade, np.full(shape, 7, np.uint8)))
        assert len(found) == 0 and found.boxes.shape == (0, 4) and found.margins.shape == (1, 0)
    assert len(search(cascade, np.full(shape, 7, np.uint8))) == 0


@pytest.mark.parametrize("size", [(70, 75), (47, 140), (141, 151), (1, 1), (140, 150)])
def test_pictures_shrink_as_in_opencv(size: tuple[int, int]):
    grey = integral.grey(SMALL)
    theirs = cv2.resize(grey, size[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
    assert (shrunk(grey, *size) == theirs).all()


def test_a_large_picture_is_searched_at_a_smaller_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(detector, "SIZE", UsefulSize(shortest=120))
    found = load_detector("viola_jones")
    small, large = found.detect([resize(PORTRAIT, (120, 120)), PORTRAIT])
    assert len(small) == 1 and large.boxes.tolist() == (2 * small.boxes).tolist()


def test_windows_around_a_face_become_one():
    assert [part.tolist() for part in grouped(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))] == [[], []]
    near = [[0, 0, 20, 20], [4, 0, 24, 20], [100, 100, 140, 140], [110, 110, 130, 130]]
    boxes, strengths = grouped(np.array(near, np.float32), np.array([1, 3, 2, 1.5], np.float32))
    assert boxes.tolist() == [[3, 0, 23, 20], [100, 100, 140, 140]]
    assert strengths.tolist() == [4, 2]


def test_the_cascade_that_comes_with_visavis_finds_the_astronaut():
    detector = load_detector("viola_jones")
    whole, blank, tiny = detector.detect([PORTRAIT, np.zeros((60, 80, 3), np.uint8), PORTRAIT[:5, :5]])
    assert iou(whole.boxes[:1], np.float32([[70, 48, 162, 166]]))[0, 0] > 0.5
    assert len(blank) == len(tiny) == 0 and (whole.scores >= detector.threshold).all()
    weights = Path(opencv_xml.__file__).parents[2] / "weights/viola_jones.safetensors"
    assert weights.stat().st_size < 100_000
    cascade = detector.detector.cascade
    assert (len(cascade.stages), cascade.features, len(cascade.stages[0])) == (16, 1532, 15)
