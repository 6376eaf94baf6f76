"""Where faces are small, a picture is shown to the network a second time, closer."""

import numpy as np
import pytest
from skimage.measure import label, regionprops

from visavis.boxes import as_boxes
from visavis.detectors.faster_rcnn.sizing import Sizing
from visavis.detectors.faster_rcnn.trained import TrainedDetector
from visavis.detectors.merging import merged
from visavis.faces import Faces

SIZING = Sizing(512, 1280, enlarge=1.25, closer=1.6)
FEWEST = 12
"""Pixels of a side that the network below has to see."""


class Squares:
    """A network that finds light squares on black, with the score 0.6, and notes what it was shown."""

    runs, at_once = "by hand", 1

    def __init__(self):
        self.shown = []

    def find(self, pictures, threshold):
        self.shown += [picture.shape[:2] for picture in pictures]
        return [self._found(picture).above(threshold) for picture in pictures]

    def _found(self, picture):
        boxes = [(left, top, right, bottom) for top, left, bottom, right in self._squares(picture)
                 if min(bottom - top, right - left) >= FEWEST]  # fmt: skip
        return Faces(as_boxes(boxes), np.full(len(boxes), 0.6))

    def _squares(self, picture):
        return [region.bbox for region in regionprops(label(picture[..., 0] > 127))]


class Told:
    """A network that finds what it is told to, look by look: a box, in pixels of what it is shown, for its score."""

    runs, at_once = "by hand", 1

    def __init__(self, *looks):
        self.looks, self.shown = list(looks), []

    def find(self, pictures, threshold):
        (picture,), found = pictures, self.looks.pop(0)
        self.shown.append(picture.shape[:2])
        return [Faces(as_boxes(list(found.values())), np.array(list(found))).above(threshold)]


SMALL = (12.5, 25, 32.5, 45)
"""Seen first, 1.25 times as large; in the photo it is at 10, 20 and has 16 pixels."""
CLOSER = (20, 40, 52, 72)
"""The same seen closer, 2 times as large."""


def told(first, second, threshold=0.5):
    """The boxes that are found, by score, and the sizes that the network was shown."""
    network = Told(first, second)
    (faces,) = TrainedDetector(network, SIZING, threshold).detect([np.zeros((400, 480, 3), np.uint8)])
    return {
        round(float(score), 3): box.tolist() for box, score in zip(faces.boxes, faces.scores, strict=True)
    }, network.shown


def picture_of(*sides, size=(400, 480)):
    """Black, with squares of so many pixels side by side."""
    picture = np.zeros((*size, 3), np.uint8)
    left = 10
    for side in sides:
        picture[20 : 20 + side, left : left + side] = 255
        left += side + 10
    return picture


def looked(picture, threshold=0.5, sizing=SIZING):
    """The sides of the squares that are found, and the sizes that the network was shown."""
    network = Squares()
    (faces,) = TrainedDetector(network, sizing, threshold).detect([picture])
    return np.sort(faces.boxes[:, 2] - faces.boxes[:, 0]), network.shown


def test_small_faces_are_looked_at_closer_and_each_is_found_once():
    found, shown = looked(picture_of(16, 8, 40, 150))
    assert shown == [(500, 600), (200, 188)]  # four times 16 pixels around the square at 10, 20, and all twice as large
    np.testing.assert_allclose(found, [8, 16, 40, 150], atol=2)


def test_the_closer_look_takes_in_all_small_faces():
    picture = picture_of(16, 40)
    picture[370:390, 440:460] = 255
    found, shown = looked(picture)
    assert shown == [(500, 600), (800, 960)]
    np.testing.assert_allclose(found, [16, 20, 40], atol=2)


def test_what_the_edge_of_the_closer_look_cuts_is_as_it_was():
    whole = (87.5, 37.5, 137.5, 87.5)  # the closer look ends in the middle of it
    for right, found in ((179, [70, 30, 110, 70]), (177, [70, 30, 88.5, 70])):
        boxes, shown = told({0.9: SMALL, 0.8: whole}, {0.9: CLOSER, 0.85: (140, 60, right, 140)})
        assert shown == [(500, 600), (200, 180)] and list(boxes.values()) == [[10, 20, 26, 36], found]


def test_a_small_find_that_the_closer_look_has_not_goes():
    boxes, shown = told({0.9: SMALL, 0.8: (50, 25, 70, 45)}, {0.7: CLOSER})
    assert boxes == {0.7: [10, 20, 26, 36]} and shown[1] == (200, 240)


def test_what_the_closer_look_alone_takes_for_a_large_face_does_not_count():
    for side, count in ((75, 2), (78, 1)):  # pixels of the photo, of which 76.8 are 96 at the first look
        boxes, _ = told({0.9: SMALL}, {0.9: CLOSER, 0.8: (10, 10, 10 + 2 * side, 10 + 2 * side)})
        assert len(boxes) == count


def test_a_find_that_is_hardly_one_is_as_it_was_where_no_other_is():
    far = (500, 400, 520, 420)
    boxes, shown = told({0.9: SMALL, 0.05: far}, {0.9: CLOSER}, threshold=0.01)
    assert shown[1] == (200, 180) and boxes == {0.9: [10, 20, 26, 36], 0.05: [400, 320, 416, 336]}
    assert told({0.9: (100, 100, 200, 200), 0.3: far}, {})[0] == {0.9: [80, 80, 160, 160]}


def test_one_look_is_enough_where_no_face_is_small():
    found, shown = looked(picture_of(40, 150, 8))
    assert shown == [(500, 600)]
    np.testing.assert_allclose(found, [40, 150], atol=2)
    found, shown = looked(picture_of())
    assert shown == [(500, 600)] and len(found) == 0


@pytest.mark.parametrize(("threshold", "faces"), [(0.01, 2), (0.59, 2), (0.61, 0)])
def test_whether_it_looks_again_does_not_depend_on_the_threshold(threshold, faces):
    found, shown = looked(picture_of(16, 8), threshold)
    assert shown == [(500, 600), (200, 188)] and len(found) == faces


def test_each_picture_of_a_batch_for_itself():
    network = Squares()
    pictures = [picture_of(40), picture_of(16, 8), picture_of(60)]
    found = TrainedDetector(network, SIZING, 0.5).detect(pictures)
    assert [len(faces) for faces in found] == [1, 2, 1]
    assert network.shown == [(500, 600)] * 3 + [(200, 188)]


def test_a_large_photo_is_seen_with_no_more_pixels_than_the_closer_look_has():
    picture = picture_of(60, 250, size=(2000, 3000))
    picture[1900:1960, 2900:2960] = 255
    found, shown = looked(picture)
    assert shown == [(512, 767), (819, 1228)]
    np.testing.assert_allclose(found, [60, 60, 250], atol=4)
    seen = TrainedDetector(Squares(), SIZING, 0.5).about.useful_size.size(2000, 3000)
    assert seen == shown[1]


def test_a_closer_look_enlarges_what_was_decoded_and_a_photo_by_its_pixels_two_or_three_times_at_most():
    picture = picture_of(60, 250, size=(2000, 3000))
    picture[1900:1960, 2900:2960] = 255
    found, shown = looked(picture, sizing=Sizing(512, 1280, enlarge=1.25, closer=2.5))
    assert shown == [(512, 767), (1280, 1919)]  # of a picture that is decoded at no more than 819 x 1228
    np.testing.assert_allclose(found, [60, 60, 250], atol=4)
    sizing = Sizing(512, 1280, enlarge=1.25, closer=3.75)
    assert sizing.closely(300, 400).size(300, 400) == (600, 800)
    assert sizing.closely(570, 900).size(570, 900) == (1425, 2250)
    assert sizing.closely(700, 900).size(700, 900) == (1920, 2468)  # 3.75 times the 512 of the first look
    assert sizing.closely(630, 1000).size(630, 1000) == (1740, 2763)
    for asked, closest in ((512, 1920), (1024, 1920), (2048, 2048)):  # whatever is asked for, no more than 1920
        assert min(sizing.resized(asked).closely(300, 400).size(300, 400)) == closest


def test_a_long_picture_is_looked_at_in_pieces_too_and_each_face_is_found_once():
    picture = picture_of(size=(600, 3000))
    places = [(left, 300, left + side, 300 + side) for left, side in ((50, 40), (1110, 100), (1490, 50), (2900, 90))]
    for x1, y1, x2, y2 in places:  # 1,110 to 1,210 is cut by the second piece's edge, and 1,490 to 1,540 by the first's
        picture[y1:y2, x1:x2] = 255
    network = Squares()
    (faces,) = TrainedDetector(network, SIZING, 0.5).detect([picture])
    assert network.shown == [(256, 1280)] + [(512, 1280)] * 3
    np.testing.assert_allclose(faces.boxes[np.argsort(faces.boxes[:, 0])], places, atol=2)
    network = Squares()
    assert len(TrainedDetector(network, SIZING, 0.5).detect([picture[:, :1480]])[0]) == 2
    assert network.shown == [(512, 1262)]
    network = Squares()
    TrainedDetector(network, SIZING, 0.5).once().detect([picture])
    assert network.shown == [(256, 1280)]


@pytest.mark.parametrize(("size", "looks"), [((23, 30_000), 1), ((24, 256_001), 1), ((24, 256_000), 268)])
def test_a_thin_picture_and_one_longer_than_200_pieces_have_one_look(size, looks):
    network = Squares()
    TrainedDetector(network, SIZING, 0.5).detect([picture_of(size=size)])
    assert len(network.shown) == looks


def test_a_size_that_is_asked_for_is_had_and_keeps_the_closer_look():
    found, shown = looked(picture_of(16, 8), sizing=SIZING.resized(320))
    assert shown == [(320, 384), (131, 118)]
    np.testing.assert_allclose(found, [16], atol=2)
    found, shown = looked(picture_of(16, 8), sizing=SIZING.resized(960))  # 2.4 times as large: more than `enlarge`
    assert shown == [(960, 1152), (230, 292)]  # around that of 8 pixels, which are 19 here
    np.testing.assert_allclose(found, [8, 16], atol=2)


def test_two_neighbours_of_one_look_are_kept_though_it_looks_again():
    one, other = (100, 100, 200, 200), (140, 100, 240, 200)  # IoU 0.43
    first = {0.9: tuple(1.25 * side for side in one), 0.8: tuple(1.25 * side for side in other)}
    small = (12.5, 375, 32.5, 395)
    boxes, shown = told(first | {0.7: small}, {0.75: (20, 40, 52, 72)})
    assert len(shown) == 2 and list(boxes) == [0.9, 0.8, 0.75]
    assert list(boxes.values())[:2] == [list(one), list(other)]


def test_of_two_neighbours_each_is_told_by_its_surest_find():
    one, other = [100, 100, 200, 200], [140, 100, 240, 200]
    looks = [Faces(np.array([one, other]), np.array([0.9, 0.7])), Faces(np.array([other, one]), np.array([0.8, 0.6]))]
    assert merged(looks).boxes.tolist() == [one, other]
    assert merged([looks[0][np.array([0])], looks[1]]).boxes.tolist() == [one, other]  # found by the second alone
    assert merged([looks[0][np.array([0])], looks[1][np.array([0])]]).boxes.tolist() == [one]


COARSE = Sizing(512, 1280, enlarge=1.25, coarse=160)


class Within(Squares):
    """The same, which takes squares up to 300 pixels of what it is shown for faces."""

    def _squares(self, picture):
        squares = super()._squares(picture)
        return [(y1, x1, y2, x2) for y1, x1, y2, x2 in squares if max(y2 - y1, x2 - x1) <= 300]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7, 0.9, 1.0])
def test_a_face_is_found_however_much_of_the_photo_it_fills(share):
    picture = np.zeros((1440, 1080, 3), np.uint8)
    side = round(share * 1080)
    picture[100 : 100 + side, :side] = 255
    network = Within()
    (faces,) = TrainedDetector(network, COARSE, 0.5).detect([picture])
    turned = [(160, 213), (213, 160), (160, 213)]
    assert network.shown == [(682, 512), (213, 160), *turned]
    np.testing.assert_allclose(faces.boxes, [[0, 100, side, 100 + side]], atol=8)


def test_the_coarse_look_is_left_out_where_it_shows_nothing_else_and_small_finds_of_it_do_not_count():
    network = Within()
    (faces,) = TrainedDetector(network, COARSE, 0.5).detect([np.zeros((200, 240, 3), np.uint8)])
    assert network.shown == [(250, 300), (192, 160), (160, 192), (192, 160)] and len(faces) == 0
    looks = Told({0.9: (0, 0, 60, 60)}, {0.8: (60, 60, 100, 100), 0.7: (100, 100, 150, 150)})
    (faces,) = TrainedDetector(looks, COARSE, 0.5).detect([np.zeros((512, 512, 3), np.uint8)])
    assert looks.shown == [(512, 512), (160, 160)]
    np.testing.assert_allclose(faces.boxes, [[0, 0, 60, 60], [320, 320, 480, 480]])


class Upright(Squares):
    """The same, which is sure of squares that are lightest on top, and says 0.5 of others, which it sees too small."""

    def _found(self, picture):
        boxes, scores = [], []
        for top, left, bottom, right in self._squares(picture):
            light = picture[top:bottom, left:right, 0].astype(int)
            is_upright = light[:4, 8:-8].min() > light[8:].max()
            boxes.append((left, top, right, bottom) if is_upright else (left, top, right, (top + bottom) / 2))
            scores.append(0.95 if is_upright else 0.5)
        return Faces(as_boxes(boxes), np.array(scores))


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_face_that_lies_on_its_side_is_found_by_copies_that_are_turned(quarters):
    picture = np.zeros((400, 300, 3), np.uint8)
    picture[50:150, 40:140] = 160
    picture[50:62, 40:140] = 255
    turned = np.ascontiguousarray(np.rot90(picture, quarters))
    box = [(40, 50, 140, 150), (50, 160, 150, 260), (160, 250, 260, 350), (250, 40, 350, 140)][quarters]
    network = Upright()
    (faces,) = TrainedDetector(network, COARSE, 0.3).detect([turned])
    assert faces.scores.tolist() == [np.float32(0.95)]
    np.testing.assert_allclose(faces.boxes, [box], atol=3)
    assert len(network.shown) == (2 if quarters == 0 else 5)  # none is looked for where one is found


def test_one_look_for_pieces():
    detector = TrainedDetector(Within(), Sizing(512, 1280, closer=1.6, coarse=160), 0.4)
    once = detector.once()
    assert once.sizing == Sizing(512, 1280) and once.threshold == 0.4 and once.network is detector.network
