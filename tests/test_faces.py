import numpy as np
import pytest

from visavis import Faces

BOXES = [[0, 0, 10, 10], [5, 5, 20, 20], [1, 1, 2, 2]]


def full() -> Faces:
    return Faces(BOXES, [0.9, 0.2, 0.5], np.arange(30).reshape(3, 5, 2), {"name": ["a", "b", "c"]})


def test_no_face_is_a_normal_value():
    none = Faces()
    assert (len(none), none.boxes.shape, none.scores.shape) == (0, (0, 4), (0,))
    assert len(Faces([])) == len(none[[]]) == len(none[:]) == len(none.above(0.5)) == 0
    assert len(full()[[]]) == 0
    assert full()[np.zeros(3, bool)].keypoints.shape == (0, 5, 2)


def test_labels_have_the_score_one():
    assert Faces(BOXES).scores.tolist() == [1, 1, 1]
    assert Faces(BOXES).scores.dtype == np.float32


def test_selection_takes_every_column_along():
    for index in ([0, 2], np.array([True, False, True]), slice(0, 3, 2)):
        chosen = full()[index]
        assert chosen.boxes.tolist() == [BOXES[0], BOXES[2]]
        assert chosen.scores.tolist() == pytest.approx([0.9, 0.5])
        assert chosen.keypoints[:, 0, 0].tolist() == [0, 20]
        assert chosen.attributes["name"].tolist() == ["a", "c"]
    assert len(full()[1]) == 1
    assert full().above(0.5).attributes["name"].tolist() == ["a", "c"]


def test_columns_given_as_lists_become_arrays():
    faces = Faces(BOXES, keypoints=[[[1, 2]]] * 3, attributes={"age": [1, 2, 3]})
    assert faces[[0, 1]].keypoints.dtype == np.float32
    assert faces[[2]].attributes["age"].tolist() == [3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scores": [1, 2]}, "scores has 2 rows for 3 faces"),
        ({"scores": [[1], [2], [3]]}, r"scores must have the shape \(N,\)"),
        ({"scores": [1, float("nan"), 1]}, "face 1 has a score"),
        ({"keypoints": np.zeros((2, 5, 2))}, "keypoints has 2 rows"),
        ({"attributes": {"age": [1]}}, "age has 1 row "),
        ({"boxes": [[0, 0, 1, 1], [0, 0, float("inf"), 1]]}, "face 1 has a box that is not finite"),
        ({"boxes": [[0, 0, 1, 1], [0, 0, 2e18, 1]]}, r"face 1 has a box beyond 1e\+18 pixels"),
        ({"keypoints": [[[1, 2]], [[1, 2]], [[1, -np.inf]]]}, r"face 2 has a keypoint beyond 1e\+18 pixels"),
        ({"boxes": [0, 0, 1, 1]}, r"\(N, 4\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Faces(**{"boxes": BOXES} | arguments)
