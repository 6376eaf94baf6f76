"""Live frames: a quick look at most of them, and what only a thorough one finds is shown on."""

import numpy as np
import skimage.data

from visavis import Faces, images, load_detector
from visavis.boxes import iou
from visavis.live.finders import QUICK, Quick
from visavis.live.following import Following

LARGE, TINY = [200.0, 100, 300, 220], [20.0, 20, 44, 48]


class Says:
    """A detector that says what it is told, and counts how often it is asked."""

    threshold = 0.1

    def __init__(self, *boxes: list[float]) -> None:
        self.boxes, self.looks = list(boxes), 0

    def detect(self, pictures: list[np.ndarray]) -> list[Faces]:
        self.looks += len(pictures)
        return [Faces(self.boxes, np.linspace(0.9, 0.8, len(self.boxes))) for _ in pictures]


def scene(seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    return images.resize(coarse, (480, 640))


def test_a_thorough_look_comes_first_and_after_a_second_and_in_another_scene():
    thorough, quick = Says(LARGE), Says(LARGE)
    following = Following(thorough, quick, QUICK)
    looks = []
    for frame in range(12):
        following.find(scene(), frame / 10)
        looks.append((thorough.looks, quick.looks))
    assert looks[0] == (1, 0) and looks[9] == (1, 9) and looks[10] == (2, 9) and looks[11] == (2, 10)
    following.find(scene(1), 1.2)
    assert thorough.looks == 3  # a cut
    following.find(scene(1)[:240], 1.3)
    assert thorough.looks == 4  # another size
    following.find(scene(1)[:240], 1.4, "thorough")
    assert thorough.looks == 5
    alone = Following(thorough, None, QUICK)
    for frame in range(3):
        alone.find(scene(), frame / 100)
    assert thorough.looks == 8


def test_thorough_looks_that_show_nothing_new_come_every_other_second():
    def times_of(following: Following, thorough: Says, until: int, since: int = 0) -> list[int]:
        times = []
        for frame in range(since, until):
            before = thorough.looks
            following.find(scene(), frame / 10)
            times += [frame] * (thorough.looks - before)
        return times

    thorough, quick = Says(LARGE), Says(LARGE)
    calm = Following(thorough, quick, QUICK)
    assert times_of(calm, thorough, 62) == [0, 10, 30, 50]
    thorough.boxes.append(TINY)  # somebody has come whom the quick look does not find
    assert times_of(calm, thorough, 100, since=62) == [70, 80]
    lost = Says(LARGE), Says(LARGE, TINY)  # what the quick look alone finds is judged again after a second, too
    assert times_of(Following(*lost, QUICK), lost[0], 31) == [0, 10, 20, 30]


def test_what_the_quick_look_misses_stays_while_it_is_small_or_does_not_move():
    thorough, quick = Says(LARGE, TINY), Says()
    following = Following(thorough, quick, QUICK)
    following.find(scene(), 0)
    assert following.find(scene(), 0.1).boxes.tolist() == [LARGE, TINY]
    moved = scene().copy()
    moved[100:220, 200:300] = 255 - moved[100:220, 200:300]
    assert following.find(moved, 0.2).boxes.tolist() == [TINY]
    quick.boxes = [[205.0, 100, 305, 220]]
    found = following.find(moved, 0.3)
    assert found.boxes.tolist() == [[205, 100, 305, 220], TINY]  # it was found again: its old place goes
    assert np.asarray(found.scores).tolist() == sorted(np.asarray(found.scores).tolist(), reverse=True)


def test_small_frames_have_quick_looks_until_a_large_one_is_due_and_sent():
    thorough, quick = Says(LARGE, TINY), Says()
    following = Following(thorough, quick, QUICK)
    assert following.due
    following.find(scene(), 0)
    small = images.resize(scene(), (240, 320))
    found = following.find(small, 0.5, "quick")
    assert not following.due and (thorough.looks, quick.looks) == (1, 1)
    assert found.boxes.tolist() == [[100, 50, 150, 110], [10, 10, 22, 24]]  # in the small frame's pixels
    following.find(small, 1.1, "quick")
    assert following.due and (thorough.looks, quick.looks) == (1, 2)
    following.find(scene(), 1.2)
    assert not following.due and (thorough.looks, quick.looks) == (2, 2)
    other = images.resize(scene(1), (240, 320))
    assert following.find(other, 1.3, "quick").boxes.tolist() == []  # another scene: what was known is not there
    assert following.due and thorough.looks == 2
    following.find(small, 1.4)  # a client that knows nothing of this has thorough looks at frames of another size
    assert thorough.looks == 3
    alone = Following(thorough, None, QUICK)
    alone.find(small, 0, "quick")
    assert alone.due and thorough.looks == 4


def test_where_all_is_to_be_covered_every_look_is_thorough():
    thorough, quick = Says(LARGE, TINY), Says()
    following = Following(thorough, quick, QUICK)
    for frame in range(5):
        assert following.find(scene(), frame / 30, "thorough").boxes.tolist() == [LARGE, TINY]
    assert (thorough.looks, quick.looks) == (5, 0)


def test_the_shipped_detector_finds_a_face_in_a_quick_look_where_it_is():
    detector = load_detector(device="cpu").detector
    assert isinstance(detector, Quick)
    photo = np.full((480, 640, 3), 90, np.uint8)
    photo[:, :512] = skimage.data.astronaut()[:480]
    (found,) = detector.quick(QUICK).detect([photo])
    assert len(found) == 1 and iou(found.boxes, np.float32([[179, 62, 270, 178]]))[0, 0] > 0.7
