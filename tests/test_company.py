"""A doubtful detection among sure faces is more likely to be a face than one that is alone."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import visavis
from demo import photos
from visavis import calibration, checkpoint
from visavis.boxes import as_boxes
from visavis.calibration import Calibration
from visavis.checkpoint import SHIPPED
from visavis.detectors.faster_rcnn.sizing import Sizing
from visavis.detectors.faster_rcnn.trained import TrainedDetector
from visavis.faces import Faces
from visavis.images import resize


class Scores:
    """A network that finds faces side by side, with the given scores, whatever it is shown."""

    runs, at_once = "by hand", 1

    def __init__(self, *scores):
        boxes = as_boxes([(10 + 60 * number, 10, 50 + 60 * number, 60) for number in range(len(scores))])
        self.faces = Faces(boxes, np.array(scores, np.float32))

    def find(self, pictures, threshold):
        return [self.faces.above(threshold) for _ in pictures]


def found(*scores, company=1.0, threshold=0.5):
    calibration = Calibration(company=company, sure=0.5)
    detector = TrainedDetector(Scores(*scores), Sizing(512, 1280), threshold, calibration)
    (faces,) = detector.detect([np.zeros((512, 640, 3), np.uint8)])
    return pytest.approx(np.asarray(faces.scores).tolist(), abs=1e-4)


def test_by_hand():
    company = Calibration(company=1.0, sure=0.9)
    assert company.in_company(np.array([0.5, 0.95])) == pytest.approx([2 / 3, 0.95])
    assert company.in_company(np.array([0.5, 0.95, 0.9, 0.9])) == pytest.approx([4 / 5, 57 / 58, 27 / 28, 27 / 28])
    # The network's 0.9 is, halved and shifted, a score of 0.75 / (0.75 + 0.25 / 2.0) here.
    other = Calibration(2.0, float(np.log(2)), 1.0, 0.9)
    assert other.apply(np.array(0.9)) == pytest.approx(6 / 7)
    assert other.in_company(np.array([0.5, 0.85])) == pytest.approx([0.5, 0.85])
    assert other.in_company(np.array([0.5, 0.86, 0.86, 0.86])) == pytest.approx([2 / 3] + [0.914095] * 3, abs=1e-5)
    unchanged = np.array([0.5, 0.95])
    assert Calibration().in_company(unchanged) is unchanged
    assert company.in_company(np.zeros(0)).shape == (0,)


def test_the_lowest_score_that_company_can_raise_to_a_threshold():
    assert Calibration().lowest(0.5) == 0.5
    assert Calibration(company=1.0).lowest(0.5) == pytest.approx(1 / 102)
    assert Calibration(2.0, company=2.0).lowest(0.5) == pytest.approx(1 / 102)


def test_a_doubtful_detection_counts_among_sure_faces_only():
    assert found(0.3) == []
    assert found(0.3, 0.45) == []  # neither is sure
    assert found(0.3, 0.9) == [0.9]  # odds of 3 to 7, doubled, are 6 to 7
    assert found(0.3, 0.9, 0.9) == [0.9474, 0.9474, 0.5625]  # odds of 9 doubled; 3 to 7, three times
    assert found(0.3, 0.9, 0.9, company=0.0) == [0.9, 0.9]
    assert found() == []


def test_the_highest_score_comes_first():
    assert found(0.49, 0.51, 0.5, threshold=0.4) == [0.7424, 0.6755, 0.6667]


def test_a_new_calibration_leaves_the_company(tmp_path):
    path = tmp_path / SHIPPED.name
    shutil.copy(SHIPPED, path)
    calibration.store(path, Calibration(1.25, -1.0), {})
    shipped = calibration.of_checkpoint(checkpoint.metadata(SHIPPED))
    assert calibration.of_checkpoint(checkpoint.metadata(path)) == replace(shipped, temperature=1.25, shift=-1.0)
    assert shipped.company > 0


def test_the_shipped_detector_believes_a_blurred_face_more_in_a_group():
    portrait = next(iter(photos.load().portraits.values()))
    x1, y1, x2, y2 = portrait.boxes[0].astype(int)
    face = resize(portrait.picture[max(0, y1 - 60) : y2 + 60, max(0, x1 - 60) : x2 + 60], (160, 160))
    blurred = resize(resize(face, (12, 12)), (160, 160))
    detector = visavis.load_detector(device="cpu", threshold=0.02)
    empty = np.full((160, 160, 3), 127, np.uint8)

    def score(*neighbours):
        faces = detector.detect(np.concatenate([blurred, *neighbours], axis=1))
        inside = np.asarray(faces.boxes)[:, 2] < 170
        return float(np.asarray(faces.scores)[inside].max(initial=0))

    alone, among = score(empty, empty, empty), score(face, face, face)
    assert 0.02 < alone < 0.9
    assert among > alone + 0.1
