"""Points through a video: still ones are steadied, moving ones do not lag, and faces are told apart."""

import numpy as np

from visavis.faces import Faces
from visavis.video.remembering import Remembered
from visavis.video.steadying import FORGOTTEN, Steadier

BOX = np.array([[100, 100, 200, 200]], np.float32)
RATE = 30


def face(points: np.ndarray, boxes: np.ndarray = BOX) -> Faces:
    return Faces(boxes, keypoints=points.astype(np.float32))


def through(frames: list[Faces], rate: float = RATE) -> np.ndarray:
    """(frames, N, K, 2) as steadied."""
    steadier = Steadier()
    return np.stack([np.asarray(steadier.steady(one, n / rate).keypoints) for n, one in enumerate(frames)])


def test_a_still_face_is_steadied() -> None:
    dice = np.random.default_rng(0)
    noisy = [face(np.full((1, 68, 2), 150.0) + dice.normal(0, 1, (1, 68, 2))) for _ in range(120)]
    shown = through(noisy)[30:]
    assert 0.9 < np.stack([np.asarray(one.keypoints) for one in noisy])[30:].std(axis=0).mean() < 1.1
    assert shown.std(axis=0).mean() < 0.45  # of a pixel, of faces 100 pixels wide


def test_a_moving_face_is_not_left_behind() -> None:
    """Three widths of the face in a second: after the first frames, less than a tenth of the width behind."""
    steps = [np.array([10.0 * n, 0]) for n in range(30)]
    moving = [face(np.full((1, 68, 2), 150.0) + step, BOX + np.tile(step, 2).astype(np.float32)) for step in steps]
    shown = through(moving)
    behind = np.array([np.asarray(one.keypoints)[0, 0, 0] for one in moving]) - shown[:, 0, 0, 0]
    assert 0 <= behind[10:].max() < 10


def test_two_faces_that_swap_their_order_keep_their_points() -> None:
    boxes = np.concatenate([BOX, BOX + 300])
    points = np.stack([np.full((5, 2), 150.0), np.full((5, 2), 450.0)])
    shown = through([face(points, boxes), face(points[::-1], boxes[::-1])])
    assert np.allclose(shown[1, 0], 450) and np.allclose(shown[1, 1], 150)


def test_points_that_were_not_known_begin_anew_and_a_face_that_was_gone_too() -> None:
    unknown = face(np.full((1, 5, 2), np.nan))
    known = face(np.full((1, 5, 2), 150.0))
    shown = through([known, unknown, known])
    assert np.isnan(shown[1]).all() and np.allclose(shown[2], 150)
    steadier = Steadier()
    steadier.steady(known, 0)
    later = steadier.steady(face(np.full((1, 5, 2), 190.0)), FORGOTTEN + 0.1)
    assert np.allclose(np.asarray(later.keypoints), 190)


def test_no_face_and_no_keypoints_are_no_matter() -> None:
    steadier = Steadier()
    assert len(steadier.steady(Faces(), 0)) == 0
    assert steadier.steady(Faces(BOX), 0).keypoints is None


def test_a_face_is_itself_where_its_neighbour_leaves_and_another_comes() -> None:
    """It moves by three tenths of its side towards where its neighbour was."""
    remembered: Remembered[list[str]] = Remembered(list, 1.0)
    remembered.look(np.array([[0, 0, 100, 100], [100, 0, 200, 100]], np.float32), 0.0)[1].append("Ben")
    now = remembered.look(np.array([[70, 0, 170, 100], [200, 0, 300, 100]], np.float32), 0.2)
    assert now == [["Ben"], []]
