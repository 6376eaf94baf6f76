"""How two hands draw a face differently, on boxes whose difference is known."""

import numpy as np

from visavis.boxes import as_boxes, iou
from visavis.evaluation import conventions
from visavis.evaluation.conventions import Shift

LABEL = as_boxes([(100, 100, 200, 220)])


def test_the_shift_is_found_again_and_one_wrong_pair_does_not_matter():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 300, (40, 2))
    side = rng.uniform(40, 90, (40, 1))
    finds = np.concatenate([corner, corner + side], axis=1).astype(np.float32)
    true = Shift(0.05, -0.1, 0.9, 1.25, 40)
    labels = true.move(finds)
    labels[7] += 15
    estimated = conventions.estimate([(finds[i : i + 1], labels[i : i + 1]) for i in range(40)])
    assert iou(estimated.move(finds[:1]), labels[:1])[0, 0] > 0.99
    assert (estimated.matches, "from 40 confident detections" in str(estimated)) == (40, True)


def test_without_enough_clear_pairs_there_is_no_shift():
    pair = (LABEL - 5, LABEL)
    none = as_boxes([])
    crowd = [(as_boxes([LABEL[0], LABEL[0] + 300]), LABEL), (none, LABEL), (LABEL, none), (LABEL + 500, LABEL)]
    assert conventions.estimate(crowd * 50).matches == 0
    few = conventions.estimate([pair] * (conventions.MATCHES - 1))
    assert few == Shift(matches=19)
    assert "compared as they are" in str(few)
    np.testing.assert_array_equal(few.move(LABEL), LABEL)
    assert conventions.estimate([]) == Shift()
    assert Shift(wider=2.0).move(none).shape == (0, 4)


def test_a_find_meets_a_label_whose_box_is_drawn_otherwise():
    finds = as_boxes([(110, 120, 190, 200), (300, 100, 400, 220), (149, 159, 151, 161), (0, 0, 900, 900)])
    assert conventions.meets(finds, LABEL[0]).tolist() == [True, False, False, False]
    assert conventions.meets(as_boxes([]), LABEL[0]).shape == (0,)


def test_finds_meet_a_label_of_up_to_nine_times_their_area():
    label = [0, 0, 90, 90]
    sides = as_boxes([[45 - side / 2, 45 - side / 2, 45 + side / 2, 45 + side / 2] for side in (29, 31, 269, 271)])
    assert conventions.meets(sides, label).tolist() == [False, True, True, False]
