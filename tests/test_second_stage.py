"""The second stage: overlapping boxes agree on one, others have no vote, and every picture of a batch has its own."""

import numpy as np
import torch
from PIL import Image
from skimage import data

from visavis import load_detector
from visavis.boxes import iou
from visavis.detectors.faster_rcnn import second_stage
from visavis.detectors.faster_rcnn.second_stage import voted

FACE = (100.0, 100.0, 160.0, 180.0)


def test_boxes_of_one_face_vote_by_their_scores_and_those_of_its_neighbour_do_not():
    boxes = torch.tensor([FACE, (104.0, 100.0, 164.0, 180.0), (150.0, 100.0, 210.0, 180.0)])
    agreed = voted(boxes[:1], boxes, torch.tensor([0.9, 0.3, 0.8]))
    assert torch.allclose(agreed, torch.tensor([[101.0, 100.0, 161.0, 180.0]]))


def test_a_row_without_a_score_has_no_vote_and_what_nobody_votes_for_is_still_a_number():
    boxes = torch.tensor([FACE, (104.0, 100.0, 164.0, 180.0)])
    assert torch.allclose(voted(boxes[:1], boxes, torch.tensor([0.9, -1.0])), boxes[:1])
    assert torch.isfinite(voted(boxes[:1], boxes, torch.tensor([-1.0, -1.0]))).all()
    assert voted(boxes[:0], boxes, torch.ones(2)).shape == (0, 4)


def test_boxes_lie_more_firmly_than_those_of_a_single_judgement(monkeypatch):
    """The same face, moved by fractions of a cell of the network, gets boxes that differ less from each other."""
    detector = load_detector("shipped", "cpu", 0.3, backend="torch").detector.once()
    face = Image.fromarray(data.astronaut()).crop((120, 0, 340, 220))
    moved = [np.asarray(face.transform(face.size, Image.Transform.AFFINE, (1, 0, x, 0, 1, 0))) for x in range(0, 8, 2)]

    def spread() -> float:
        boxes = [detector.detect([picture])[0].boxes[0] for picture in moved]
        shifted = [box + np.array([2 * step, 0, 2 * step, 0]) for step, box in enumerate(boxes)]
        return float(np.std(shifted, axis=0).sum())

    agreed = spread()
    monkeypatch.setattr(second_stage, "voted", lambda kept, boxes, scores: kept)
    assert agreed < spread()


def test_each_picture_of_a_batch_has_its_own_faces():
    detector = load_detector("shipped", "cpu", backend="torch").detector
    face, none = data.astronaut()[:300, 60:360], np.full((300, 300, 3), 90, np.uint8)
    first, second, third = detector.detect([face, none, face])
    assert len(first) == len(third) == 1 and len(second) == 0
    assert iou(first.boxes, third.boxes)[0, 0] > 0.99
