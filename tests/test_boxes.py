import numpy as np
import pytest

from visavis import boxes

NONE = boxes.as_boxes([])
UNIT = boxes.as_boxes([[0, 0, 10, 10]])


def some(seed: int, count: int) -> boxes.Boxes:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-20, 80, (count, 2))
    return boxes.as_boxes(np.hstack([corner, corner + rng.uniform(1, 60, (count, 2))]))


def test_as_boxes_takes_none_in_any_shape_and_refuses_others():
    assert all(boxes.as_boxes(empty).shape == (0, 4) for empty in ([], np.zeros((0, 4)), np.zeros((0,))))
    assert boxes.as_boxes([[1, 2, 3, 4]]).dtype == np.float32
    for wrong in ([1, 2, 3, 4], [[1, 2, 3]], np.zeros((1, 2, 4))):
        with pytest.raises(ValueError, match=r"\(N, 4\)"):
            boxes.as_boxes(wrong)


def test_area_of_upside_down_and_empty_boxes_is_nothing():
    turned = boxes.as_boxes([[0, 0, 4, 5], [4, 5, 0, 0], [4, 0, 0, 5], [1, 1, 1, 9]])
    assert boxes.area(turned).tolist() == [20, 0, 0, 0]
    assert boxes.area(NONE).shape == (0,)


def test_clip_scale_and_grow():
    assert boxes.clip(boxes.as_boxes([[-5, -5, 50, 50]]), (20, 30)).tolist() == [[0, 0, 30, 20]]
    assert boxes.scale(UNIT, 2).tolist() == [[0, 0, 20, 20]]
    assert boxes.scale(boxes.as_boxes([[1, 2, 3, 4]]), (10, 100)).tolist() == [[100, 20, 300, 40]]
    assert boxes.grow(boxes.as_boxes([[10, 10, 20, 30]]), 0.5).tolist() == [[5, 0, 25, 40]]
    for changed in (boxes.clip(NONE, (5, 5)), boxes.scale(NONE, 2), boxes.grow(NONE, 0.1)):
        assert changed.shape == (0, 4)
        assert changed.dtype == np.float32


def test_overlaps_by_hand():
    others = boxes.as_boxes([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [3, 3, 3, 3]])
    assert boxes.intersection(UNIT, others)[0].tolist() == [100, 50, 0, 4, 0]
    assert boxes.iou(UNIT, others)[0] == pytest.approx([1, 1 / 3, 0, 0.04, 0])
    assert boxes.covered(others, UNIT)[:, 0] == pytest.approx([1, 0.5, 0, 1, 0])
    for pair in (boxes.iou, boxes.covered, boxes.intersection):
        assert pair(UNIT, NONE).shape == (1, 0)
        assert pair(NONE, UNIT).shape == (0, 1)


def test_boxes_that_are_no_squares_small_or_empty():
    wide, other = boxes.as_boxes([[0, 0, 30, 10]]), boxes.as_boxes([[20, 5, 24, 45]])
    assert boxes.intersection(wide, other).tolist() == boxes.intersection(other, wide).tolist() == [[20]]
    assert boxes.iou(wide, other)[0, 0] == pytest.approx(20 / 440)
    small, empty = boxes.as_boxes([[0, 0, 0.5, 0.5]]), boxes.as_boxes([[3, 3, 3, 3]])
    assert boxes.iou(small, small).tolist() == boxes.covered(small, small).tolist() == [[1]]
    assert boxes.iou(empty, empty).tolist() == boxes.covered(empty, empty).tolist() == [[0]]


def test_nms_drops_what_overlaps_by_more_than_the_threshold():
    crowd = boxes.as_boxes([[0, 0, 60, 100], [0, 0, 100, 100], [200, 0, 300, 100], [0, 0, 50, 100], [60, 0, 100, 100]])
    scores = np.array([0.5, 0.9, 0.6, 0.8, 0.95], np.float32)  # of 100 columns with the second: 60, 100, 0, 50, 40
    assert boxes.nms(crowd, scores, 0.5).tolist() == [4, 1, 3, 2]
    assert boxes.nms(crowd, scores, 0.4).tolist() == [4, 1, 2]
    assert boxes.nms(crowd, scores, 0.3).tolist() == [4, 3, 2]


def test_iou_agrees_with_torchvision():
    import torch
    from torchvision.ops import box_iou

    first, second = some(1, 40), some(2, 30)
    assert boxes.iou(first, second) == pytest.approx(
        box_iou(torch.tensor(first), torch.tensor(second)).numpy(), abs=1e-6
    )


@pytest.mark.parametrize("seed", range(5))
def test_nms_agrees_with_torchvision(seed: int):
    import torch
    from torchvision.ops import nms

    crowd, scores = some(seed, 80), np.random.default_rng(seed).permutation(80).astype(np.float32)
    expected = nms(torch.tensor(crowd), torch.tensor(scores), 0.3).tolist()
    assert boxes.nms(crowd, scores, 0.3).tolist() == expected
    assert len(expected) < 80
    assert boxes.nms(NONE, np.zeros(0, np.float32), 0.5).shape == (0,)


def test_match_lets_the_surest_choose_and_others_take_what_is_free():
    overlaps = np.array([[0.6, 0.9], [0.7, 0.95], [0.4, 0.3]], np.float32)
    assert boxes.match(np.array([0.5, 0.9, 0.8], np.float32), overlaps, 0.5).tolist() == [0, 1, -1]
    assert boxes.match(np.array([0.5, 0.9, 0.8], np.float32), overlaps, 0.65).tolist() == [-1, 1, -1]
    assert boxes.match(np.zeros(0, np.float32), np.zeros((0, 3), np.float32), 0.5).shape == (0,)
    assert boxes.match(np.ones(2, np.float32), np.zeros((2, 0), np.float32), 0.5).tolist() == [-1, -1]
    exactly = np.array([[0.5, 0.5]], np.float32)
    assert boxes.match(np.ones(1, np.float32), exactly, 0.5).tolist() == [0]
