"""What is covered besides the faces found: where one was missed, left or came."""

import numpy as np
import pytest

from visavis import Faces
from visavis.boxes import as_boxes
from visavis.video.covering import Cover

SIZE = (100, 200)


def seen(*given: tuple[float, list[float] | None]) -> Cover:
    """A video with one face at most in each searched frame, or None."""
    cover = Cover()
    for seconds, box in given:
        cover.look(Faces(as_boxes([box] if box else [])), seconds, SIZE)
    return cover


def at(x: float) -> list[float]:
    return [x, 40, x + 20, 60]


def test_a_face_that_was_missed_is_covered_on_its_way():
    cover = seen((0, at(10)), (0.2, at(20)), (0.4, None), (0.6, None))
    assert cover.is_settled(0) and not cover.is_settled(0.2)
    cover.look(Faces([at(50)]), 0.8, SIZE)
    assert cover.is_settled(0.2) and not cover.is_settled(0.4)  # a face that comes may be found only later
    for look in (1.0, 1.2):
        cover.look(Faces([at(50)]), look, SIZE)
    assert cover.is_settled(0.4) and cover.is_settled(0.6)
    for start, box in ((0.2, [14, 36, 56, 64]), (0.4, [24, 36, 66, 64]), (0.6, [34, 36, 76, 64])):
        np.testing.assert_allclose(cover.boxes(start), [box], atol=0.01)  # 30 x 20 pixels and a fifth at each side
    np.testing.assert_allclose(cover.boxes(0), [[10, 40, 40, 60]], atol=0.01)  # found at both: nothing is supposed


def test_a_face_is_waited_for_a_second_and_then_is_gone():
    looks = [(0.0, at(90)), (0.2, at(90)), *((0.4 + 0.2 * n, None) for n in range(4))]
    assert not seen(*looks).is_settled(0.2)
    cover = seen(*looks, (1.3, None))
    assert cover.is_settled(0.2)
    np.testing.assert_allclose(cover.boxes(0.2), [[86, 36, 114, 64]], atol=0.01)
    assert cover.boxes(0.4).shape == (0, 4)  # it stood still: it has not left by an edge


def test_a_face_that_leaves_is_covered_to_its_exit():
    cover = seen((0, at(120)), (0.2, at(140)), (0.4, at(160)), (0.6, None), (0.8, None), (1.0, None))
    assert cover.is_settled(0.4)  # nothing is waited for: it is outside by now
    for start, (left, right) in ((0.4, (160, 200)), (0.6, (180, 200))):
        ((x1, y1, x2, y2),) = cover.boxes(start)
        assert x1 <= left and x2 >= right and y1 <= 40 and y2 >= 60
    assert cover.boxes(0.8).shape == (0, 4)


def test_a_face_that_is_cut_off_by_the_edge_leaves_too():
    cut = [[150, 40, 180, 70], [165, 40, 195, 70], [180, 40, 200, 70]]
    cover = seen(*((0.2 * n, box) for n, box in enumerate(cut)), (0.6, None), (0.8, None), (1.0, None))
    for start, left in ((0.4, 180), (0.6, 195)):
        ((x1, _, x2, _),) = cover.boxes(start)
        assert x1 <= left and x2 >= 200
    assert cover.is_settled(0.4) and cover.boxes(0.8).shape == (0, 4)


def test_a_face_that_comes_is_covered_from_where_it_came():
    looks = (0, None), (0.2, None), (0.4, None), (0.6, at(18))
    assert not seen(*looks).is_settled(0)  # how it moves shows at the next searched frame
    cover = seen(*looks, (0.8, at(38)))
    assert cover.is_settled(0) and cover.is_settled(0.2)
    for start, (left, right) in ((0.4, (0, 38)), (0.2, (0, 18))):
        ((x1, y1, x2, y2),) = cover.boxes(start)
        assert x1 <= left and x2 >= right and y1 <= 40 and y2 >= 60
    assert cover.boxes(0).shape == (0, 4)


@pytest.mark.parametrize("boxes", [[], [at(0)]])
def test_what_was_long_ago_is_forgotten(boxes: list[list[float]]):
    cover = Cover()
    for look in range(2000):
        cover.look(Faces(as_boxes(boxes)), look / 5, SIZE)
        cover.forget(look / 5)
    assert len(cover._looks) < 30 and sum(map(len, cover._seen.values())) <= 4
