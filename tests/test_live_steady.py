"""Before a camera, points are steady and found at each look, and what else is said of a face does not flicker."""

from dataclasses import replace

import numpy as np

from visavis.faces import Faces
from visavis.live.steady import PAUSE, Steady
from visavis.prediction.analysis import Analysis

LEFT, RIGHT, FAR = (10, 10, 50, 60), (100, 10, 140, 60), (200, 100, 240, 150)
ATTRIBUTE, POINTS = Analysis(("sharpness",)), Analysis(("points",))


def before(*boxes) -> Faces:
    return Faces(np.array(boxes, np.float32))


class Asked:
    """An analysis that says of each face its left side, and how often it was asked. It remembers about whom."""

    def __init__(self) -> None:
        self.times: list[list[float]] = []

    def __call__(self, analysis: Analysis, faces: Faces) -> Faces:
        self.times.append(faces.boxes[:, 0].tolist())
        says = {"sharpness": faces.boxes[:, 0], "mask": np.array([f"{len(self.times)}"] * len(faces))}
        return replace(faces, attributes=says)


def test_a_face_is_asked_about_twice_a_second_and_a_new_one_at_once():
    steady, asked = Steady(), Asked()
    first = steady.analysed(before(LEFT, RIGHT), 10.0, ATTRIBUTE, asked)
    assert first.attributes["mask"].tolist() == ["1", "1"]
    soon = steady.analysed(before(FAR, (101, 11, 141, 61), LEFT), 10.1, ATTRIBUTE, asked)
    assert soon.attributes["sharpness"].tolist() == [200, 100, 10]
    assert soon.attributes["mask"].tolist() == ["2", "1", "1"]
    later = steady.analysed(before(LEFT, FAR), 10.0 + PAUSE, ATTRIBUTE, asked)
    assert later.attributes["mask"].tolist() == ["3", "2"]
    assert asked.times == [[10, 100], [200], [10]]


def test_nobody_is_asked_where_nobody_is_and_all_where_something_else_is_wanted():
    steady, asked = Steady(), Asked()
    assert len(steady.analysed(Faces(), 0.0, ATTRIBUTE, asked)) == 0
    assert not asked.times
    steady.analysed(before(LEFT), 0.0, ATTRIBUTE, asked)
    assert "mask" not in steady.analysed(before(LEFT), 0.1, Analysis(), asked).attributes
    steady.analysed(before(LEFT), 0.2, ATTRIBUTE, asked)
    assert asked.times == [[10], [10]]


def test_points_are_found_at_each_look_and_steadied():
    random, looks = np.random.default_rng(0), []
    still = random.uniform(10, 50, (68, 2))

    def pointed(analysis: Analysis, faces: Faces) -> Faces:
        looks.append(analysis.names)
        return replace(faces, keypoints=still[None] + random.normal(0, 0.5, (1, 68, 2)))

    steady, shown = Steady(), []
    for look in range(40):
        faces = steady.analysed(before(LEFT), look / 15, POINTS, pointed)
        shown.append(faces.keypoints[0])
    assert looks == [("points",)] * 40
    assert np.std(shown[10:], axis=0).mean() < 0.3  # of 0.5


def test_points_for_filters_are_steadied_once():
    random, still = np.random.default_rng(0), np.random.default_rng(1).uniform(10, 50, (1, 68, 2))

    def pointed(faces: Faces) -> Faces:
        return replace(faces, keypoints=still + random.normal(0, 0.5, still.shape))

    steady, shown = Steady(), []
    for look in range(40):
        shown.append(steady.pointed(before(LEFT), look / 15, pointed).keypoints)
    assert np.std(shown[10:], axis=0).mean() < 0.3  # of 0.5
    both = Steady()
    for look in range(3):
        faces = both.analysed(before(LEFT), look / 15, POINTS, lambda _, some: pointed(some))
        assert (both.pointed(faces, look / 15, lambda some: some).keypoints == faces.keypoints).all()
    assert not np.allclose(faces.keypoints, pointed(before(LEFT)).keypoints, atol=0.01)
