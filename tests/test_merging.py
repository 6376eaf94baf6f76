"""Finds of several looks as one: what goes and what stays, by literal shares."""

import tracemalloc

import numpy as np
import pytest

from visavis.detectors.merging import merged, placed, rescaled
from visavis.faces import Faces

SURER = [0, 0, 100, 100]


def kept(box: list[float]) -> bool:
    """Whether a less sure find beside a surer one of 100 x 100 pixels stays."""
    return len(merged([Faces([SURER], [0.9]), Faces([box], [0.5])])) == 2


def test_a_part_of_a_surer_face_goes_from_seven_tenths_on():
    # 50 x 50 pixels, of which 36, 34 columns lie in the surer one: shares of .72 and .68, at an IoU below .2
    assert not kept([64, 0, 114, 50])
    assert kept([66, 0, 116, 50])


def test_the_same_face_goes_from_an_overlap_of_two_fifths_on():
    # 100 x 100 pixels, moved aside: 57 of 143, 58 of 142 columns are shared
    assert kept([43, 0, 143, 100])
    assert not kept([42, 0, 142, 100])


def test_exactly_two_fifths_and_exactly_seven_tenths_are_enough():
    assert not kept([40, 0, 150, 100])  # 60 of 150 columns
    assert not kept([65, 0, 115, 50])  # 35 of its own 50


@pytest.mark.parametrize(("sure", "count"), [(0.39, 1), (0.4, 2), (0.7, 2)])
def test_a_neighbour_stays_where_its_look_has_a_better_one_for_the_surer_face(sure: float, count: int):
    """The other one overlaps the surer face by 90 of 110 columns, and counts from half the neighbour's score on."""
    neighbour = [40, 0, 140, 100]  # 60 of 140 columns
    look = Faces([neighbour, [10, 0, 110, 100]], [0.8, sure])
    found = merged([Faces([SURER], [0.9]), look])
    assert found.boxes.tolist() == [SURER, neighbour][:count]


def test_which_look_a_find_is_from_is_known_in_whatever_order():
    neighbours = Faces([[0, 0, 100, 100], [40, 0, 140, 100]], [0.6, 0.5])
    for parts in ([neighbours, Faces([[300, 0, 400, 100]], [0.9])], [Faces([[300, 0, 400, 100]], [0.9]), neighbours]):
        assert merged(parts).boxes.tolist() == [[300, 0, 400, 100], [0, 0, 100, 100], [40, 0, 140, 100]]


def test_thousands_of_finds_are_merged_in_little_memory():
    """A crowd of 50 x 60, in two looks that see each face a little differently."""
    corners = np.stack(np.meshgrid(np.arange(60) * 40.0, np.arange(50) * 40.0), axis=-1).reshape(-1, 2)
    looks = [Faces(np.hstack([corners + off, corners + off + 30]), np.linspace(0.9, 0.5, 3000)) for off in (0.0, 3.0)]
    tracemalloc.start()
    found = merged(looks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 3000 and set(map(tuple, found.boxes[:, :2].tolist())) == set(map(tuple, corners.tolist()))
    assert peak < 20e6


def test_finds_of_a_piece_are_placed_in_the_photo():
    points = [[[5, 12], [9, 14]], [[25, 20], [45, 20]]]
    found = Faces([[-2, 10, 30, 40], [20, 10, 110, 65]], [0.9, 0.8], points, {"sharpness": [0.5, 0.7]})
    moved, _ = placed(found, (100, 50, 200, 110), (110, 200), near=4)
    assert moved.boxes.tolist() == [[98, 60, 130, 90], [120, 60, 200, 110]]  # within the photo
    assert moved.keypoints is not None and moved.keypoints.tolist() == [
        [[105, 62], [109, 64]],
        [[125, 70], [145, 70]],
    ]
    assert (moved.scores.tolist(), moved.attributes["sharpness"].tolist()) == (
        pytest.approx([0.9, 0.8]),
        [0.5, 0.7],
    )
    assert placed(Faces([[1, 2, 3, 4]]), (100, 50, 200, 110), (110, 200), near=4)[0].keypoints is None


CUT = {(3, 20, 30, 50): "left", (20, 3, 30, 50): "top", (20, 20, 77, 50): "right", (20, 20, 30, 57): "bottom"}
"""Boxes that come within 3 pixels of an edge of a piece of 80 x 60 pixels."""


@pytest.mark.parametrize(
    ("place", "inner"),
    [
        ((1, 1, 81, 61), {"left", "top", "right", "bottom"}),
        ((0, 1, 80, 61), {"top", "right", "bottom"}),
        ((1, 0, 81, 60), {"left", "right", "bottom"}),
        ((30, 30, 110, 90), {"left", "top", "bottom"}),
        ((10, 40, 90, 100), {"left", "top", "right"}),
    ],
)
def test_an_edge_of_the_piece_that_is_none_of_the_photo_may_cut_a_face(place: tuple, inner: set[str]):
    _, cut = placed(Faces(list(CUT)), place, (100, 110), near=4)
    assert {edge for edge, one in zip(CUT.values(), cut, strict=True) if one} == inner
    assert not placed(Faces(list(CUT)), place, (100, 110), near=3)[1].any()  # 3 pixels off is not that near


def test_what_is_found_in_a_resized_copy_is_in_the_pixels_of_the_picture():
    seen, image = np.zeros((10, 20, 3), np.uint8), np.zeros((30, 40, 3), np.uint8)
    found = rescaled(Faces([[1, 2, 3, 5], [-1, 4, 25, 11]], [0.9, 0.4]), seen, image)
    assert found.boxes.tolist() == [[2, 6, 6, 15], [0, 12, 40, 30]]
