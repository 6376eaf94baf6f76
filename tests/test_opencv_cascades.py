"""Cascades in OpenCV's XML format, read and run by our code: the windows are those that OpenCV finds."""

import re
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from visavis.detectors import load_detector
from visavis.detectors.viola_jones import features, opencv_xml
from visavis.detectors.viola_jones.cascade import Stage
from visavis.detectors.viola_jones.integral import integral
from visavis.detectors.viola_jones.scanning import scan
from visavis.detectors.viola_jones.shrinking import shrunken_pictures
from visavis.errors import InputError

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed, which carries the cascades")
FOLDER = Path(cv2.data.haarcascades)
XML = FOLDER / "haarcascade_frontalface_default.xml"
PORTRAIT = cv2.cvtColor(np.ascontiguousarray(data.astronaut()[60:200, 150:300]), cv2.COLOR_RGB2GRAY)
TINY = np.repeat(np.repeat((255 * data.lfw_subset()[3]).astype(np.uint8), 2, axis=0), 2, axis=1)
PAGE = data.page()
ON_PAGE = ("fullbody", "lowerbody", "russian_plate_number")
"""Cascades that find nothing in the portrait, and something in a page of text."""


def windows(path: Path, grey: np.ndarray) -> list[list[float]]:
    """The boxes of all windows that pass the cascade in our code, sorted."""
    cascade = opencv_xml.read(path)
    return sorted(scan(cascade, shrunken_pictures(cascade, grey)).boxes.tolist())


def windows_of_opencv(path: Path, grey: np.ndarray) -> list[list[float]]:
    """The same by OpenCV."""
    found = cv2.CascadeClassifier(str(path)).detectMultiScale(grey, 1.1, 0)
    return sorted([x, y, x + width, y + height] for x, y, width, height in np.reshape(found, (-1, 4)).tolist())


@pytest.mark.parametrize("name", sorted(path.stem.removeprefix("haarcascade_") for path in FOLDER.glob("*.xml")))
def test_every_cascade_of_opencv_finds_the_windows_that_opencv_finds(name: str):
    """Stumps and trees, upright and tilted features, the newer format and the older one."""
    path, grey = FOLDER / f"haarcascade_{name}.xml", PAGE if name in ON_PAGE else PORTRAIT
    theirs = windows_of_opencv(path, grey)
    assert len(theirs) > 0
    assert windows(path, grey) == theirs


def test_a_cascade_of_opencv_is_a_detector():
    ours = load_detector(XML).detector.windows(np.repeat(TINY[..., None], 3, axis=2)).boxes
    assert sorted(ours.tolist()) == windows_of_opencv(XML, TINY)
    assert len(ours) == 10
    with pytest.raises(InputError, match=r"`size` 640: .*default.xml runs in one way only"):
        load_detector(XML, size=640)


def test_a_tilted_feature_is_the_sum_of_pixels_in_steps():
    """1 x 1 are two pixels above each other; the others are held against OpenCV's tilted integral image."""
    window = np.ascontiguousarray(PORTRAIT[40:52, 40:50])
    sums, _, turned = cv2.integral3(window)
    rectangles = [(2, 0, 1, 1), (4, 1, 3, 2), (2, 0, 8, 2), (5, 3, 5, 4), (9, 2, 1, 9)]
    weighted = np.array([[[*one, -1], [*rectangles[0], 3], [0] * 5] for one in rectangles])
    matrix = features.corners(weighted, 10, 12, np.ones(len(rectangles), np.bool_))
    expected = [
        int(turned[y, x]) - turned[y + h, x - h] - turned[y + w, x + w] + turned[y + w + h, x + w - h]
        for x, y, w, h in rectangles
    ]
    assert expected[0] == int(window[0, 1]) + int(window[1, 1])
    assert (matrix @ sums.ravel().astype(np.float32)).tolist() == [3 * expected[0] - one for one in expected]
    mixed = features.corners(weighted, 10, 12, np.arange(len(rectangles)) != 1)
    upright = 3 * window[0:1, 2:3].astype(int).sum() - window[1:3, 4:7].astype(int).sum()
    assert (mixed @ integral(window).ravel().astype(np.float32))[1] == upright


def test_a_tree_asks_one_feature_after_the_other():
    """The first feature decides which of the other two votes."""
    stage = Stage(
        np.zeros((3, 3, 5)),
        np.float32([0, 0, 0]),
        np.float32([0, 1, 4]),
        np.float32([0, 2, 8]),
        threshold=1.5,
        parents=np.array([[-1, -1], [0, 0], [0, 1]]),
    )
    below = np.array([[1, 1, 0, 0], [1, 0, 1, 1], [0, 0, 1, 0]], np.bool_)
    assert stage.margins_of(below).tolist() == [1 - 1.5, 2 - 1.5, 4 - 1.5, 8 - 1.5]


def test_what_is_no_cascade_of_haar_like_features_is_refused(tmp_path: Path):
    (tmp_path / "torn.xml").write_text("<opencv_storage><cascade>")
    (tmp_path / "other.xml").write_text("<annotation/>")
    (tmp_path / "strange.xml").write_text('<?xml version="1.0" encoding="klingon"?><opencv_storage/>')
    (tmp_path / "lbp.xml").write_text(XML.read_text().replace(">HAAR<", ">LBP<"))
    for name, why in (
        ("torn.xml", "not a cascade of OpenCV: no element found"),
        ("strange.xml", "not a cascade of OpenCV: unknown encoding"),
        ("missing.xml", "not a cascade of OpenCV: .* No such file"),
        ("other.xml", "not a cascade of OpenCV with Haar-like features"),
        ("lbp.xml", "not a cascade of OpenCV with Haar-like features"),
    ):
        with pytest.raises(InputError, match=why):
            opencv_xml.read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "pattern", "instead", "why"),
    [
        ("frontalface_default", r"(?s)<stages>.*</stages>", "<stages></stages>", "it has no stages"),
        ("frontalface_default", r"(?s)<weakClassifiers>.*?</weakClassifiers>", "", "a stage has no weak classifiers"),
        ("frontalface_default", "<width>24<", "<width>0<", "its window has 0 x 24 pixels"),
        ("frontalface_default", r"6 4 12 9 -1\.", "13 4 12 9 -1.", r"\[13.0, 4.0, .* is not a rectangle in a window"),
        ("frontalface_default", r"6 4 12 9 -1\.", "6 4 0 9 -1.", "is not a rectangle in a window"),
        ("frontalface_default", r"6 4 12 9 -1\.", "6 4 12 9", "a rectangle has 4 numbers, not 5"),
        ("frontalface_default", r"6 4 12 9 -1\.", "6 4 12 9 -1.5", "are not whole numbers"),
        ("frontalface_default", "0 -1 0 ", "0 -1 -2 ", "2913 features, numbered from 0, and its stages use -2 to 8"),
        ("frontalface_default", "0 -1 0 ", "0 -1 9999 ", "numbered from 0, and its stages use 1 to 9999"),
        ("frontalface_default", "<stageThreshold>[^<]*<", "<stageThreshold>nan<", "nan.* are not finite numbers"),
        ("frontalface_default", "<stageThreshold>[^<]*<", "<stageThreshold><", "stageThreshold is not one number"),
        ("frontalface_default", r"<leafValues>\s*\S+", "<leafValues>inf", "not finite numbers"),
        ("frontalface_default", r"<leafValues>\s*\S+", "<leafValues>", "with 1 leaves are not those of a tree"),
        ("frontalface_alt2", "0 1 0 ", "0 0 0 ", "are not those of a tree"),
        ("frontalface_alt2", "0 1 0 ", "1 1 0 ", "are not those of a tree"),
        ("frontalface_alt2", "0 1 0 ", "0 2 0 ", "are not those of a tree"),
        ("frontalface_alt2", "-1 -2 1 ", "1 -2 1 ", "are not those of a tree"),
        ("license_plate_rus_16stages", r"64 16</size>", "64</size>", "its size is not two numbers"),
        ("license_plate_rus_16stages", r"<left_val>[^<]*<", "<left_val>one<", "could not convert string to float"),
        ("license_plate_rus_16stages", r"(?s)32 2 8 6(.*?)>0<", r"32 3 8 6\1>1<", "is not a tilted rectangle"),
    ],
)  # fmt: skip
def test_a_damaged_cascade_of_opencv_is_refused_when_it_is_read(
    name: str, pattern: str, instead: str, why: str, tmp_path: Path
):
    changed, count = re.subn(pattern, instead, (FOLDER / f"haarcascade_{name}.xml").read_text(), count=1)
    assert count == 1
    path = tmp_path / "damaged.xml"
    path.write_text(changed)
    with pytest.raises(InputError, match=f"damaged.xml is not a cascade that viola_jones can use: .*{why}"):
        opencv_xml.read(path)
