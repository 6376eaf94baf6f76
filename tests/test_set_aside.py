"""benchmarks.set_aside: what becomes of faces that nobody labelled."""

import csv

import numpy as np
import pytest
from PIL import Image
from skimage import data

from benchmarks import set_aside
from dataset import tables
from dataset.photos import Photo
from visavis.errors import InputError
from visavis.faces import Faces


@pytest.fixture
def folder(tmp_path):
    """A photo with three faces, of which the first is labelled and the last is too blurred for dlib's HOG."""
    face = Image.fromarray(data.astronaut()).crop((100, 20, 340, 260))
    photo = Image.new("RGB", (720, 240))
    for number in range(2):
        photo.paste(face, (240 * number, 0))
    photo.paste(face.resize((24, 24)).resize((240, 240)), (480, 0))
    (tmp_path / "data/images").mkdir(parents=True)
    photo.save(tmp_path / "data/images/one.png")
    box = {"x1": 75, "y1": 50, "x2": 180, "y2": 185}
    tables.write(tmp_path / "data/labels.csv", [{"image_id": "one", "identity": "ann"} | box])
    return tmp_path / "data"


def uses(folder):
    """Use of each face by its third of the photo."""
    with (folder / "faces.csv").open() as file:
        return [(int(float(row["x1"])) // 240, row["use"]) for row in csv.DictReader(file)]


def test_what_the_detector_finds_besides_the_labels_is_ignored(folder, tmp_path):
    assert set_aside.run(set_aside.Options(folder, tmp_path / "new", "shipped")) == 0
    assert sorted(uses(tmp_path / "new")) == [(0, "train"), (1, "ignore"), (2, "ignore")]
    with pytest.raises(InputError, match="another"):
        set_aside.run(set_aside.Options(folder, tmp_path / "new", "shipped"))


def test_what_two_detectors_find_is_learnt(folder, tmp_path):
    assert set_aside.run(set_aside.Options(folder, tmp_path / "new", "shipped", agreeing="dlib_hog")) == 0
    assert sorted(uses(tmp_path / "new")) == [(0, "train"), (1, "train"), (2, "ignore")]


def test_a_find_is_learnt_where_both_are_sure():
    photo = Photo("one", "", "one.png", np.float32([[0, 0, 10, 10]]))
    boxes = np.float32([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]])
    found = Faces(boxes, [0.9, 0.9, 0.4, 0.9])
    others = Faces(boxes[:3] + np.float32([0, 0, 2, 2]), [0.9, 0.9, 0.9])
    rows = list(set_aside._rows(photo, found, others, "x"))
    told = [(row["x1"], row["x2"], row["source"], row["use"]) for row in rows]
    assert told == [
        ("0.0", "10.0", "list", "train"),
        ("20.0", "31.0", "x", "train"),
        ("40.0", "50.0", "x", "ignore"),
        ("60.0", "70.0", "x", "ignore"),
    ]
