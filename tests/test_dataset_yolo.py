"""YOLO as other programs and labelling tools write it."""

from pathlib import Path

import pytest
from labelled import FACE, boxes
from PIL import Image
from skimage import data

from dataset import formats
from dataset.formats.imported import Wanted
from dataset.photos import load_photos
from visavis.errors import InputError


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with images/a.jpg of 512 x 512 pixels, upright."""
    (tmp_path / "images").mkdir()
    Image.fromarray(data.astronaut()).save(tmp_path / "images" / "a.jpg")
    return tmp_path


YOLO_FACE = "0 0.441406 0.248047 0.179688 0.230469"


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({"data.yaml": "train: images\nnames: [face]\n", "labels/a.txt": "\ufeff" + YOLO_FACE}, "data.yaml"),
        ({"data.yaml": "train: images\nnames: {face: 0}\n", "labels/a.txt": YOLO_FACE}, "data.yaml"),
        ({"data.yaml": "train: images\nnames: [face]\n", "labels/a.txt": YOLO_FACE + " 0.93"}, "data.yaml"),
        ({"classes.txt": "face\n", "notes.json": "{}", "labels/a.txt": YOLO_FACE + "\n"}, "."),  # Label Studio
        (  # CVAT, YOLO 1.1
            {
                "obj.data": "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
                "obj.names": "face\n",
                "train.txt": "data/obj_train_data/a.jpg\n",
                "obj_train_data/a.txt": YOLO_FACE,
            },
            ".",
        ),
        (  # CVAT, Ultralytics YOLO Detection
            {
                "data.yaml": "names:\n  0: face\npath: .\ntrain: train.txt\n",
                "train.txt": "data/images/train/a.jpg\n",
                "labels/train/a.txt": YOLO_FACE,
            },
            "data.yaml",
        ),
        (  # a polygon, as Label Studio and CVAT write segmentations
            {
                "classes.txt": "face",
                "labels/a.txt": "0 0.3515625 0.2 0.4 0.1328125 0.53125 0.25 0.45 0.36328125",
            },
            ".",
        ),
    ],
)
def test_yolo_as_tools_write_it(photo: Path, files: dict[str, str], source: str):
    for name, text in files.items():
        (photo / name).parent.mkdir(exist_ok=True, parents=True)
        (photo / name).write_text(text, encoding="utf-8")
    if "obj.data" in files:
        (photo / "images/a.jpg").rename(photo / "obj_train_data/a.jpg")
    elif "train.txt" in files:
        (photo / "images/train").mkdir()
        (photo / "images/a.jpg").rename(photo / "images/train/a.jpg")
    kind = formats.guess(photo / source)
    assert kind == "yolo"
    (box,) = boxes(kind, photo / source)
    assert box == pytest.approx(FACE, abs=0.01)


@pytest.mark.parametrize(
    ("described", "row", "message"),
    [
        ("train: images\nnames: [face]\n", "0 100 60 46 59", r"a\.txt row 1: \[100\.0, .* seem to be pixels"),
        ("train: 5\nnames: [face]\n", YOLO_FACE, "train is 5; it must name a folder"),
        ("train: images\nnames: {one: face}\n", YOLO_FACE, "names is .*; it must be a list"),
        ("train: images\nnames: [face]\n", "0 0.1 0.1 0.2", "4 fields, not class x y width height or a polygon"),
    ],
)
def test_yolo_that_cannot_be_is_refused_by_row(photo: Path, described: str, row: str, message: str):
    (photo / "data.yaml").write_text(described)
    (photo / "labels").mkdir()
    (photo / "labels/a.txt").write_text(row)
    with pytest.raises(InputError, match=message):
        boxes("yolo", photo / "data.yaml")


def test_label_studios_yolo_without_its_photos(photo: Path, capsys: pytest.CaptureFixture[str]):
    """The photos are where they always were; the one that was not labelled does not come in as one without a face."""
    (photo / "images").rename(photo / "mine")
    Image.fromarray(data.coffee()).save(photo / "mine/b.c.jpg")
    Image.fromarray(data.rocket()).save(photo / "mine/other.jpg")
    export = photo / "project-1"
    (export / "labels").mkdir(parents=True)
    (export / "images").mkdir()
    (export / "classes.txt").write_text("face\n")
    (export / "notes.json").write_text('{"categories": [{"id": 0, "name": "face"}], "info": {"version": "1.0"}}')
    (export / "labels/0a1b2c3d-a.txt").write_text(YOLO_FACE + "\n")
    (export / "labels/4e5f6a7b-b.c.txt").write_text("")
    with pytest.raises(InputError, match="give the photos' folder as `images`"):
        formats.import_labels("yolo", export, photo / "out")
    assert formats.import_labels("yolo", export, photo / "out", None, Wanted(photo / "mine")) == (2, 1, 0)
    counts = {one.image_id: len(one.boxes) for one in load_photos(photo / "out")}
    assert counts == {"a": 1, "b.c": 0}
    assert formats.import_labels("yolo", export / "classes.txt", photo / "again", None, Wanted(photo / "mine"))[1] == 1


def test_cvats_yolo_without_its_photos(photo: Path):
    (photo / "images").rename(photo / "mine")
    export = photo / "export"
    (export / "obj_train_data").mkdir(parents=True)
    (export / "obj.data").write_text("classes = 1\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    (export / "obj.names").write_text("face\n")
    (export / "train.txt").write_text("data/obj_train_data/a.jpg\n")
    (export / "obj_train_data/a.txt").write_text(YOLO_FACE + "\n")
    assert formats.guess(export / "obj.data") == "yolo"
    assert formats.import_labels("yolo", export, photo / "out", None, Wanted(photo / "mine")) == (1, 1, 0)


def test_a_label_file_without_a_photo_is_said(photo: Path, capsys: pytest.CaptureFixture[str]):
    (photo / "labels").mkdir()
    (photo / "classes.txt").write_text("face\n")
    for name in ("a", "gone"):
        (photo / f"labels/{name}.txt").write_text(YOLO_FACE)
    boxes("yolo", photo)
    assert f"1 label file belongs to no photo; left out: {photo / 'labels/gone.txt'}" in capsys.readouterr().err
