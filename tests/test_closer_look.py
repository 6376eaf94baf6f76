"""Where faces are small, a picture is shown to the network a second time, closer."""

import numpy as np
import pytest
from skimage.measure import label, regionprops

from visavis.boxes import as_boxes
from visavis.detectors.sizing import Sizing
from visavis.detectors.trained import TrainedDetector
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
    picture = picture_of(16, size=(400, 480))
    picture[30:70, 70:110] = 255  # from 40 pixels left of where the closer look ends
    network = Squares()
    (faces,) = TrainedDetector(network, SIZING, 0.5).detect([picture])
    assert network.shown[1] == (200, 188)
    whole = faces[faces.boxes[:, 0] > 50]
    assert len(faces) == 2 and len(whole) == 1
    np.testing.assert_allclose(whole.boxes, [[70, 30, 110, 70]], atol=1)


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
    seen = TrainedDetector(Squares(), SIZING, 0.5).sight.size(2000, 3000)
    assert seen == shown[1]


def test_a_size_that_is_asked_for_is_the_only_one():
    found, shown = looked(picture_of(16, 8), sizing=SIZING.resized(320))
    assert shown == [(320, 384)]
    np.testing.assert_allclose(found, [16], atol=2)
