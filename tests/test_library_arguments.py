"""What the library says to values that no picture, no faces and no options are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

import visavis
from visavis import Faces, InputError
from visavis.effects.redaction import Redaction

ASTRONAUT = skimage.data.astronaut()
FACE = Faces([[175, 70, 280, 205]], [0.97])


@pytest.mark.parametrize(
    "options, said",
    [
        ({"threshold": "0.5"}, "`threshold` must lie between 0 and 1, and is '0.5'"),
        ({"threshold": True}, "`threshold` must lie between 0 and 1, and is True"),
        ({"threshold": float("inf")}, "`threshold` must lie between 0 and 1, and is inf"),
        ({"size": "512"}, "`size` must be 32 or more, and is '512'"),
        ({"size": -5}, "`size` must be 32 or more, and is -5"),
        ({"at_once": 0}, "`at_once` must be 1 or more, and is 0"),
    ],
)
def test_a_detector_is_given_numbers_in_their_range(options: dict[str, Any], said: str):
    with pytest.raises(InputError) as error:
        visavis.load_detector(**options)
    assert str(error.value) == said


@pytest.mark.parametrize("grow", [-0.6, float("nan"), float("inf"), "0.2", None])
def test_a_region_that_would_leave_the_face_is_refused(grow: Any):
    with pytest.raises(InputError) as error:
        visavis.redact(ASTRONAUT, FACE, grow=grow)
    assert str(error.value) == f"`grow` must be 0 or more, and is {grow!r}"
    assert Redaction(grow=np.float32(0.5)).grow == 0.5


@pytest.mark.parametrize("use", [visavis.draw, visavis.redact, visavis.align, visavis.decorate])
@pytest.mark.parametrize("faces, kind", [(FACE.boxes, "ndarray"), (None, "NoneType"), ([FACE], "list")])
def test_boxes_of_other_programs_are_made_faces_first(use: Any, faces: Any, kind: str):
    with pytest.raises(ValueError, match="faces must be visavis.Faces, not " + kind + "; visavis.Faces.boxes. makes"):
        use(ASTRONAUT, faces)


def test_boxes_need_a_colour():
    with pytest.raises(ValueError, match="colours must hold one colour or more"):
        visavis.draw(ASTRONAUT, FACE, colours=[])


def test_a_size_that_is_no_number_is_named():
    with pytest.raises(InputError, match="`size` must be 1 or more, and is 'x'"):
        visavis.align(ASTRONAUT, FACE, size="x")  # type: ignore[bad-argument-type]


def test_a_threshold_is_set_to_numbers_alone():
    detector = visavis.load_detector("viola_jones")
    with pytest.raises(InputError, match="`threshold` must lie between 0 and 1, and is None"):
        detector.threshold = None  # type: ignore[bad-assignment]


@pytest.mark.parametrize("name", ["mask", "points", "sharpness"])
def test_an_analyser_takes_a_picture_as_a_detector_does(name: str, tmp_path: Path):
    analyser, path = visavis.load_analyser(name), tmp_path / "photo.png"
    image = Image.fromarray(ASTRONAUT)
    image.save(path)
    of_array = analyser.analyse(ASTRONAUT, FACE)
    for other in (path, str(path), image):
        told = analyser.analyse(other, FACE)  # type: ignore[bad-argument-type]
        assert str(told) == str(of_array)
    for wrong in (ASTRONAUT[..., 0], ASTRONAUT / 255):
        with pytest.raises(ValueError, match="uint8 RGB array, not"):
            analyser.analyse(wrong, FACE)


def test_attributes_and_entries_of_another_kind_are_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"age must be an array with one row a face, not np.int64\(3\)"):
        Faces([[1, 2, 3, 4]], attributes={"age": 3})  # type: ignore[bad-argument-type]
    with pytest.raises(InputError, match=r"entries must be visavis\.page\.Entry, not str"):
        visavis.look(["photo.jpg"], tmp_path / "look.html")  # type: ignore[bad-argument-type]
