"""Labels in CVAT's own format, boxes with keypoints, and photos that a tool did not turn."""

import json
from pathlib import Path

import pytest
from labelling import FACE, all_boxes, oriented
from PIL import Image
from skimage import data
from typed import typed

from dataset import formats
from dataset.formats.imported import Wanted, around_ellipse
from dataset.photos import load_photos
from visavis.errors import InputError


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with images/a.jpg of 512 x 400 pixels, upright."""
    (tmp_path / "images").mkdir()
    Image.fromarray(data.astronaut()[:400]).save(tmp_path / "images" / "a.jpg")
    return tmp_path


def cvat(*images: str, labels: str = "face") -> str:
    """annotations.xml as CVAT 2 writes it."""
    named = "".join(f"<label><name>{one}</name><color>#ff0000</color></label>" for one in labels.split())
    meta = f"<meta><job><id>7</id><size>1</size><mode>annotation</mode><labels>{named}</labels></job></meta>"
    inside = f"<version>1.1</version>{meta}{''.join(images)}"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{inside}</annotations>'


def image(*shapes: str, name: str = "a.jpg", width: int = 512, height: int = 400) -> str:
    return f'<image id="0" name="{name}" width="{width}" height="{height}">{"".join(shapes)}</image>'


BOX = '<box label="face" source="manual" occluded="0" xtl="180.00" ytl="68.00" xbr="272.00" ybr="186.00" z_order="0"/>'


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (BOX, FACE),
        ('<polygon label="face" occluded="0" points="180.00,100.00;225.50,68.00;272.00,120.00;230.00,186.00"/>', FACE),
        ('<ellipse label="face" occluded="0" cx="226.00" cy="127.00" rx="46.00" ry="59.00"/>', FACE),
        ('<mask label="face" occluded="0" rle="1, 2" left="180" top="68" width="92" height="118"/>', FACE),
        (BOX.replace("<box", '<box rotation="90.00"'), (167, 81, 285, 173)),  # 118 x 92 about (226, 127)
        # half sides sqrt(46² .75 + 59² .25) = 49.58, sqrt(46² .25 + 59² .75) = 56.03
        (BOX.replace("<box", '<box rotation="30.00"'), (176.43, 70.97, 275.57, 183.03)),
    ],
)
def test_cvats_shapes(photo: Path, shape: str, box: tuple[float, ...]):
    (photo / "annotations.xml").write_text(cvat(image(shape)))
    assert formats.guess(photo / "annotations.xml") == formats.guess(photo) == "cvat"
    (found,) = all_boxes("cvat", photo)["a"]
    assert found == pytest.approx(box, abs=0.01)


def test_cvats_export_as_typed(photo: Path):
    """Photos elsewhere, another size, one without a face, other labels and shapes."""
    (photo / "images").rename(photo / "mine")
    (photo / "mine/b").mkdir()
    Image.fromarray(data.coffee()).save(photo / "mine/b/c.png")
    half = '<box label="face" xtl="90" ytl="34" xbr="136" ybr="93"/><box label="car" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    points = '<points label="face" points="1.00,2.00"/><tag label="face"/>'
    (photo / "export.xml").write_text(
        cvat(
            image(half, points, width=256, height=200), image(name="b/c.png", width=600, height=400), labels="face car"
        )
    )
    done = typed("-m", "dataset", "import", photo / "export.xml", "--images", photo / "mine", "--out", photo / "out")
    assert (done.returncode, done.stderr.count("labels for 256 x 200 pixels, and the photo has 512 x 400")) == (0, 1)
    assert "2 photos with 1 face in" in done.stderr and "boxes of other classes are left out: car (1)" in done.stderr
    assert "2 kinds of shapes are left out: points (1); tag (1)" in done.stderr
    found = {one.image_id: one.boxes.tolist() for one in load_photos(photo / "out")}
    assert found == {"a": [list(FACE)], "b/c": []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (cvat(image(BOX.replace('xbr="272.00"', ""))), r"image 1 \(a.jpg\) box has no xbr; correct or remove it"),
        (cvat(image(BOX.replace("272.00", "wide"))), r"image 1 \(a.jpg\) box: .*wide.* are not numbers"),
        (cvat(image('<polygon label="face" points="1,2;3"/>')), "polygon: points is '1,2;3', not x,y;x,y;x,y"),
        (cvat('<track id="0" label="face"/>'), "in the format CVAT for video; export the task as CVAT for images 1.1"),
        (cvat(), "not in the format CVAT for images 1.1: it has no <image>"),
        ("<annotations>", "annotations.xml cannot be read as XML"),
        (cvat(image(BOX, width=300)), "labels for 300 x 400 pixels, and the photo has 512 x 400"),
        (cvat(image(BOX.replace("face", "head")), labels="face head"), r"no class 'face' among face \(0\), head \(1\)"),
    ],
)
def test_cvat_that_cannot_be_is_refused(photo: Path, text: str, message: str):
    (photo / "annotations.xml").write_text(text)
    with pytest.raises(InputError, match=message):
        all_boxes("cvat", photo)


YOLO_FACE = "0 0.44140625 0.3175 0.1796875 0.295"
EYES = "0.4 0.25 0.48 0.25 0.44 0.3 0.41 0.38 0.47 0.38"
SEEN = " ".join(f"{pair} 2" for pair in ("0.4 0.25", "0.48 0.25", "0.44 0.3", "0.41 0.38", "0.47 0.38"))


@pytest.mark.parametrize(
    ("shape", "row"),
    [
        ("kpt_shape: [5, 3]\n", f"{YOLO_FACE} {SEEN}"),
        ("kpt_shape: [5, 2]\n", f"{YOLO_FACE} {EYES}"),
        ("kpt_shape: [5, 3]\n", f"{YOLO_FACE} {SEEN} 0.97"),  # a prediction, with its score
        ("kpt_shape: [5, 3]\n", YOLO_FACE),
        ("kpt_shape: [5, 3]\n", f"{YOLO_FACE} {SEEN.replace(' 2', ' 0')}"),
        ("", f"{YOLO_FACE} {SEEN}"),
        ("", f"{YOLO_FACE} 0.4 0.25 2 0.48 0.25 1"),
        ("", f"{YOLO_FACE} 0.4 0.25 1"),
    ],
)
def test_of_a_row_with_keypoints_the_box_is_taken(photo: Path, shape: str, row: str):
    (photo / "data.yaml").write_text(f"train: images\nnames: [face]\n{shape}")
    (photo / "labels").mkdir()
    (photo / "labels/a.txt").write_text(row)
    assert all_boxes("yolo", photo / "data.yaml") == {"a": [list(FACE)]}


@pytest.mark.parametrize(
    ("shape", "row", "message"),
    [
        (
            "kpt_shape: [5, 3]\n",
            f"{YOLO_FACE} {EYES}",
            "row 1: 15 fields, not class x y width height and 15 numbers of",
        ),
        ("kpt_shape: 5\n", YOLO_FACE, "kpt_shape is 5; it must be the number of keypoints, and 2 or 3"),
        ("kpt_shape: [5, 4]\n", YOLO_FACE, r"kpt_shape is \[5, 4\]"),
        ("kpt_shape: [5, 3]\n", f"0 226 127 92 118 {SEEN}", "row 1: .* seem to be pixels"),
    ],
)
def test_keypoints_that_cannot_be_are_refused(photo: Path, shape: str, row: str, message: str):
    (photo / "data.yaml").write_text(f"train: images\nnames: [face]\n{shape}")
    (photo / "labels").mkdir()
    (photo / "labels/a.txt").write_text(row)
    with pytest.raises(InputError, match=message):
        all_boxes("yolo", photo / "data.yaml")


STORED = {2: (240, 68, 332, 186), 3: (240, 114, 332, 232), 4: (180, 114, 272, 232), 6: (114, 180, 232, 272)}
"""FACE of 512 x 300 pixels as stored, by orientation."""


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["csv", "yolo", "cvat", "coco"])
def test_labels_of_a_tool_that_ignores_exif(photo: Path, kind: str, orientation: int):
    oriented(photo, orientation)
    (photo / "labels").mkdir()
    (photo / "classes.txt").write_text("face")
    (photo / "labels/a.txt").write_text("0 0.44140625 0.42333333 0.1796875 0.39333333")
    (photo / "a.csv").write_text("image,x1,y1,x2,y2\na.jpg,180,68,272,186\n")
    (photo / "a.xml").write_text(cvat(image(BOX, height=300)))
    listed = {"id": 1, "file_name": "a.jpg", "width": 512, "height": 300}
    face = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [180, 68, 92, 118]}
    held = {"images": [listed], "annotations": [face], "categories": [{"id": 1, "name": "face"}]}
    (photo / "a.json").write_text(json.dumps(held))
    source = {"csv": "a.csv", "yolo": "classes.txt", "cvat": "a.xml", "coco": "a.json"}[kind]
    assert all_boxes(kind, photo / source, Wanted(exif="ignored")) == {"a": [list(STORED[orientation])]}


@pytest.mark.parametrize(("other", "box"), [(6, STORED[3]), (1, FACE)])
def test_one_photo_tells_of_the_others_of_its_source(
    photo: Path, capsys: pytest.CaptureFixture[str], other: int, box: tuple
):
    """An upside-down photo has its size whether its tool turned it or not; another one on its side tells."""
    oriented(photo, 3)
    oriented(photo, other, "b.jpg")
    (photo / "a.csv").write_text(
        "image,width,height,x1,y1,x2,y2\na.jpg,512,300,180,68,272,186\nb.jpg,512,300,9,9,99,99\n"
    )
    assert all_boxes("csv", photo / "a.csv")["a"] == [list(box)]
    unclear = "1 photo has an EXIF orientation, which the labels are assumed to follow" in capsys.readouterr().err
    assert unclear == (other == 1)


def test_exif_applied_takes_boxes_as_they_are(photo: Path, capsys: pytest.CaptureFixture[str]):
    oriented(photo, 6)  # displayed: 300 x 512
    (photo / "a.csv").write_text("image,width,height,x1,y1,x2,y2\na.jpg,512,300,80,67,174,186\n")
    assert all_boxes("csv", photo / "a.csv", Wanted(exif="applied")) == {"a": [[80, 67, 174, 186]]}
    assert "EXIF" not in capsys.readouterr().err


def test_labels_that_say_the_displayed_size_are_of_no_tool_that_ignores_exif(photo: Path):
    oriented(photo, 6)
    (photo / "a.csv").write_text("image,width,height,x1,y1,x2,y2\na.jpg,300,512,80,67,174,186\n")
    done = typed("-m", "dataset", "import", photo / "a.csv", "--exif", "ignored", "--out", photo / "out")
    assert done.returncode == 2 and "row 2: the labels are for 300 x 512 pixels, the photo's size after" in done.stderr
    assert "set --exif to auto" in done.stderr


def test_around_ellipse_of_a_half_turn_is_the_box():
    assert around_ellipse(FACE, 180) == around_ellipse(FACE, 0) == FACE
