"""Boxes between two searched frames: which are one face, where it is in between, and where it may be."""

import numpy as np
import pytest

from visavis.boxes import as_boxes, covered
from visavis.video.spans import REACH, between, pairs, spanned


def test_pairs_are_those_that_move_least():
    before = as_boxes([[0, 0, 10, 10], [100, 0, 110, 10], [500, 500, 510, 510]])
    after = as_boxes([[104, 0, 114, 10], [12, 0, 22, 10]])
    first, second = pairs(before, after)
    assert dict(zip(first.tolist(), second.tolist(), strict=True)) == {0: 1, 1: 0}
    hulls = spanned(before, after)
    assert len(hulls) == 3 and [0, 0, 22, 10] in hulls.tolist() and [500, 500, 510, 510] in hulls.tolist()
    assert between(before, after, 0.5).tolist() == [[6, 0, 16, 10], [102, 0, 112, 10], [500, 500, 510, 510]]
    far = as_boxes([[10 * REACH + 12, 0, 10 * REACH + 22, 10]])
    assert len(spanned(before[:1], far)) == 2  # another face
    none = as_boxes([])
    assert spanned(none, none).shape == between(none, after, 0.3).shape == (0, 4)
    assert spanned(before, none).tolist() == before.tolist() and spanned(none, after).tolist() == after.tolist()


def test_the_span_of_a_face_that_moves_left_and_up_is_around_both_places():
    before, after = as_boxes([[20, 30, 60, 40]]), as_boxes([[0, 5, 40, 15]])
    assert spanned(before, after).tolist() == spanned(after, before).tolist() == [[0, 5, 60, 40]]


def test_every_place_on_the_way_is_within_the_span():
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 9):
        before = as_boxes(
            np.hstack([corner := rng.uniform(0, 2000, (count, 2)), corner + rng.uniform(30, 90, (count, 2))])
        )
        after = before + rng.uniform(-25, 25, (count, 4)).astype(np.float32)
        for share in np.linspace(0, 1, 6):
            assert (covered(between(before, after, share), spanned(before, after)).max(axis=1) > 0.9999).all()


def test_a_face_may_move_by_three_of_its_sides_between_two_looks():
    before = as_boxes([[0, 0, 10, 10]])
    for moved, same in ((29, True), (30, True), (31, False)):
        first, second = pairs(before, as_boxes([[moved, 0, moved + 10, 10]]))
        assert (first.tolist(), second.tolist()) == (([0], [0]) if same else ([], []))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([[0, 0, 10, 40]], [[100, 0, 110, 40]], {0: 0}),  # its longer side counts: 100 of 40 pixels
        ([[0, 0, 10, 10]], [[85, -15, 125, 25]], {0: 0}),  # and the larger of the two: 100 of 40
        ([[0, 0, 0.5, 0.5]], [[3, 0, 3.5, 0.5]], {0: 0}),  # 1 pixel at least
        ([[0, 0, 0.5, 0.5]], [[3.5, 0, 4, 0.5]], {}),
        ([[0, 0, 10, 10], [40, 0, 50, 10]], [[50, 0, 60, 10], [10, 0, 20, 10]], {0: 1, 1: 0}),
        ([[100, 0, 160, 20]], [[250, 0, 310, 20]], {0: 0}),  # a wide box far from the left edge: 150 of 60 pixels
        # What moves by more than six of its sides counts as six, so that near ones stay together: 1 + 6 < 4 + 4.
        ([[0, 0, 10, 10], [50, 0, 60, 10]], [[10, 0, 20, 10], [-40, 0, -30, 10]], {0: 0}),
        # A face that is gone, and one that came far away: what they would have moved decides nothing.
        ([[0, 0, 10, 10], [15, -5, 35, 15]], [[25, 0, 35, 10], [1000, 0, 1010, 10]], {1: 0}),
    ],
)
def test_which_faces_of_two_looks_are_one(before: list, after: list, expected: dict[int, int]):
    first, second = pairs(as_boxes(before), as_boxes(after))
    assert dict(zip(first.tolist(), second.tolist(), strict=True)) == expected
