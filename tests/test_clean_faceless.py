import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from clean import faceless, finders, look
from clean.faceless import Found
from visavis.boxes import as_boxes, iou
from visavis.command import InputError
from visavis.images import resize

ASTRONAUT = skimage.data.astronaut()
FACE = (181.0, 70.0, 271.0, 180.0)
LABEL = as_boxes([(100, 100, 200, 220)])
SIZE = (400, 600)


def found(boxes, scores, name: str = "hog") -> Found:
    return Found(name, as_boxes(boxes), np.array(scores, np.float32), at_label=0.3, elsewhere=0.4, sure=0.6)


@pytest.mark.parametrize(
    ("boxes", "scores", "reason"),
    [
        ([], [], "faceless"),
        ([(105, 105, 205, 215)], [0.9], ""),
        ([(105, 105, 205, 215)], [0.35], ""),  # unsure, but the label speaks for it
        ([(105, 105, 205, 215)], [0.2], "faceless"),
        ([(400, 100, 500, 220)], [0.9], "label_moved"),
        ([(400, 100, 500, 220)], [0.5], "faceless"),  # not sure enough to say that the label is wrong
        ([(400, 100, 500, 220), (100, 110, 195, 215)], [0.9, 0.4], ""),
    ],
)
def test_finds_are_held_against_the_label(boxes, scores, reason: str):
    assert faceless.judge(LABEL, SIZE, [found(boxes, scores)])[0] == reason


def test_one_finder_that_sees_the_face_is_enough():
    blind, sees, elsewhere = found([], []), found(LABEL, [0.9], "two"), found(LABEL + 250, [0.9], "two")
    assert faceless.judge(LABEL, SIZE, [blind, sees]) == ("", "", 1.0)
    assert faceless.judge(LABEL, SIZE, [blind, elsewhere])[0] == "label_moved"
    assert faceless.judge(LABEL, SIZE, [blind, found([], [], "two")])[0] == "faceless"


@pytest.mark.parametrize(("left", "reason"), [(-60, "label_outside"), (-40, "faceless"), (560, "label_outside")])
def test_half_of_the_label_must_be_in_the_picture(left: float, reason: str):
    assert faceless.judge(as_boxes([(left, 100, left + 100, 220)]), SIZE, [found([], [])])[0] == reason


def test_of_several_labels_one_that_is_found_is_enough():
    labels = np.concatenate([LABEL + 300, LABEL, LABEL - 900])
    assert faceless.judge(labels, SIZE, [found(LABEL, [0.9])])[0] == ""


def test_face_recognition_finds_the_face_and_a_closer_look_finds_a_small_one():
    finder = finders.load("face_recognition")
    assert finder.detector.detect([]) == []
    sharp, blank = finder.detector.detect([ASTRONAUT, np.zeros((40, 30, 3), np.uint8)])
    assert len(blank) == 0
    assert blank.boxes.shape == (0, 4)
    assert sharp.scores is not None
    assert sharp.scores[0] >= finder.sure
    assert (np.diff(sharp.scores) <= 0).all()
    assert iou(sharp.boxes[:1], as_boxes([FACE]))[0, 0] > 0.6
    # On a wide canvas the photo is too small for HOG; the label tells where to look closer.
    small = np.full((1000, 2000, 3), 128, np.uint8)
    small[600:728, 300:428] = resize(ASTRONAUT, (128, 128))
    label = tuple(value / 4 + offset for value, offset in zip(FACE, (300, 600, 300, 600), strict=True))
    assert look.find(small, [], finder) == []
    (row,) = look.find(small, [label], finder)
    assert iou(as_boxes([row[:4]]), as_boxes([label]))[0, 0] > 0.5
    assert row[4] >= finder.at_label
    assert row[5:] == [look.CLOSER]
    assert look.find(small, [(1500, 100, 1560, 170), (-80, -80, -20, -20)], finder) == []


def test_dlibs_cnn_finds_the_face_too():
    finder = finders.load("face_recognition-cnn")
    part = ASTRONAUT[50:200, 150:300]
    (row,) = look.find(part, [], finder)
    assert iou(as_boxes([row[:4]]), as_boxes([FACE]) - np.float32([150, 50, 150, 50]))[0, 0] > 0.5
    assert row[4] >= finder.elsewhere
    assert finder.at_label <= finder.elsewhere < finder.sure


def test_an_unknown_finder_is_refused():
    with pytest.raises(InputError, match="there are: face_recognition, face_recognition-cnn, shipped"):
        finders.load("haar")


def test_face_recognition_does_not_make_pillow_lenient_nor_warn():
    code = (
        "from clean import finders; from PIL import ImageFile;"
        "finders.load('face_recognition').detector; assert not ImageFile.LOAD_TRUNCATED_IMAGES"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
