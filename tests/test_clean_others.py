from pathlib import Path

import numpy as np

from clean import others
from clean.faceless import Found
from clean.inspection import ListedPhoto
from visavis.boxes import as_boxes

PHOTO = ListedPhoto("Ann/1", Path("1.jpg"))
LABEL = as_boxes([(100, 100, 200, 220)])


def found(boxes, scores, name: str = "hog", sure: float = 0.6) -> Found:
    return Found(name, as_boxes(boxes), np.array(scores, np.float32), at_label=0.3, elsewhere=0.4, sure=sure)


def uses(finds) -> list[tuple[str, str, str]]:
    return [(row["x1"], row["source"], row["use"]) for row in others.rows(PHOTO, LABEL, finds)]


def test_the_label_is_always_there_and_its_own_find_is_not():
    assert uses([]) == uses([found([], [])]) == [("100.0", "list", "train")]
    assert uses([found([(110, 105, 205, 225), (130, 130, 180, 190)], [0.9, 0.7])]) == [("100.0", "list", "train")]


def test_sure_finds_are_to_learn_from_unsure_ones_to_leave_out():
    boxes = [(300, 100, 400, 220), (450, 100, 550, 220), (600, 100, 700, 220)]
    assert uses([found(boxes, [0.9, 0.5, 0.35])])[1:] == [("300.0", "hog", "train"), ("450.0", "hog", "ignore")]


def test_a_find_within_a_label_is_never_learnt_from():
    # An ear at the label's edge: too small and too far off the middle to be the label's own find.
    assert uses([found([(100, 180, 130, 218)], [0.99])])[1:] == [("100.0", "hog", "ignore")]
    assert uses([found([(100, 180, 130, 218)], [0.5])])[1:] == []
    assert uses([found([(60, 180, 120, 240)], [0.99])])[1:] == [("60.0", "hog", "train")]


def test_what_two_finders_saw_is_one_row_and_the_sure_one_stands():
    # 0.95 is unsure in the second finder's measure, 0.7 is sure in the first one's.
    first, second = found([(300, 100, 400, 220)], [0.7]), found([(305, 100, 405, 220)], [0.95], "cnn", sure=0.99)
    assert uses([second, first])[1:] == [("300.0", "hog", "train")]


def test_no_label_no_find_no_row():
    assert others.rows(PHOTO, as_boxes([]), [found([], [])]) == []


def test_what_somebody_else_wrote_down_has_no_second_row():
    photo = ListedPhoto("Ann/1", Path("1.jpg"), given=((300, 100, 402, 220, "train"), (400, 400, 900, 900, "ignore")))
    finds = found([(300, 100, 400, 220), (500, 500, 560, 570), (700, 100, 800, 220)], [0.9, 0.9, 0.9])
    rows = [(row["x1"], row["source"]) for row in others.rows(photo, LABEL, [finds])]
    assert rows == [("100.0", "list"), ("700.0", "hog")]
    same = ListedPhoto("Ann/1", Path("1.jpg"), given=((100, 100, 200, 221, "ignore"),))
    assert others.rows(same, LABEL, []) == []
