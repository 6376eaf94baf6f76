import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from clean import faceless, finders, search
from clean.faceless import Found
from visavis.boxes import as_boxes, iou
from visavis.errors import InputError
from visavis.images import decode_reduced, encode, resize

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
    assert search.find(small, small.shape[:2], as_boxes([]), finder) == []
    (row,) = search.find(small, small.shape[:2], as_boxes([label]), finder)
    assert iou(as_boxes([row[:4]]), as_boxes([label]))[0, 0] > 0.5
    assert row[4] >= finder.at_label
    assert row[5:] == [search.CLOSER]
    absent = as_boxes([(1500, 100, 1560, 170), (-80, -80, -20, -20)])
    assert search.find(small, small.shape[:2], absent, finder) == []


def test_a_photo_is_seen_no_larger_than_its_label_needs():
    finder = finders.load("face_recognition")
    label = as_boxes([FACE]) * 4  # 440 pixels high in a photo of 2048 x 2048
    data = encode(resize(ASTRONAUT, (2048, 2048)))
    reduced = decode_reduced(data, search.enough(label, [finder], 32))
    picture, size = reduced.picture, (reduced.height, reduced.width)
    assert (size, picture.shape) == ((2048, 2048), (1024, 1024, 3))
    row, *_ = search.find(picture, size, label, finder)
    assert iou(as_boxes([row[:4]]), label)[0, 0] > 0.6
    assert finder.scale is not None
    assert finder.scale((1024, 1024), label / 2) == pytest.approx(finders.FACE / 220)
    assert finder.scale((1024, 1024), label / 8) == pytest.approx(1000 / 1024)  # 55 pixels: nothing to spare
    assert finder.scale((400, 300), label / 16) == 2
    # A small label in a large photo is what its closer look needs the pixels for.
    assert search.enough(label / 8, [finder], 32)(2048, 2048) == math.ceil(finders.FACE / 55 * 2048)
    assert search.enough(label / 8, [], 256)(2048, 1024) == 256


def test_dlibs_cnn_finds_the_face_too():
    finder = finders.load("face_recognition-cnn")
    part = ASTRONAUT[50:200, 150:300]
    (row,) = search.find(part, part.shape[:2], as_boxes([]), finder)
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
