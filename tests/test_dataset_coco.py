"""COCO as other programs and labelling tools write it."""

import json
from pathlib import Path

import pytest
from labelled import FACE, boxes, coco
from PIL import Image
from skimage import data

from dataset import formats
from dataset.photos import load_photos
from visavis.errors import InputError


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with images/a.jpg of 512 x 512 pixels, upright."""
    (tmp_path / "images").mkdir()
    Image.fromarray(data.astronaut()).save(tmp_path / "images" / "a.jpg")
    return tmp_path


@pytest.mark.parametrize(
    ("image", "annotation", "category"),
    [
        ({}, {"category_id": "1"}, None),
        ({"id": "1"}, {"category_id": 1.0}, {"id": "1", "name": "face"}),
        ({"id": "x-7"}, {"image_id": "x-7"}, None),
        ({"file_name": "images/0a1b2c3d-a.jpg"}, {}, None),  # Label Studio's
        ({"file_name": "/data/upload/1/0a1b2c3d-a.jpg"}, {}, None),
        ({"width": 1024, "height": 1024}, {"bbox": [360, 136, 184, 236]}, None),  # resized later
        ({"width": None}, {}, None),
    ],
)
def test_coco_ids_names_and_sizes(photo: Path, image: dict, annotation: dict, category: dict | None):
    (photo / "a.json").write_text(coco(image, annotation, category))
    assert boxes("coco", photo / "a.json") == [list(FACE)]


@pytest.mark.parametrize(
    ("image", "annotation", "message"),
    [
        ({"id": [1]}, {}, r"images\[0\]: \[1\] is not an id"),
        ({}, {"category_id": 9}, r"annotations\[0\]: no category has the id '9'"),
        ({}, {"image_id": 2}, r"annotations\[0\]: no image has the id '2'"),
        ({"width": 300, "height": 512}, {}, r"images\[0\]: labels for 300 x 512 pixels, and the photo has 512 x 512"),
    ],
)
def test_coco_that_cannot_be_is_refused_by_row(photo: Path, image: dict, annotation: dict, message: str):
    (photo / "a.json").write_text(coco(image, annotation))
    with pytest.raises(InputError, match=message):
        boxes("coco", photo / "a.json")


def test_a_face_that_was_turned_in_cvat_has_the_box_of_its_ellipse(photo: Path):
    (photo / "a.json").write_text(coco({}, {"bbox": [200, 100, 60, 100], "attributes": {"rotation": 90.0}}))
    assert boxes("coco", photo / "a.json") == [[180, 120, 280, 180]]


@pytest.mark.parametrize("kind", ["coco", "csv"])
def test_shares_where_pixels_belong_are_refused_by_row(photo: Path, kind: str):
    (photo / "a.csv").write_text("image,x1,y1,x2,y2\na.jpg,0.35,0.13,0.53,0.36\n")
    (photo / "a.coco").write_text(coco({}, {"bbox": [0.35, 0.13, 0.18, 0.23]}))
    with pytest.raises(InputError, match=r"(row 2|annotations\[0\]): the box .* lies within one pixel"):
        boxes(kind, photo / f"a.{kind}")


def test_what_of_a_source_is_not_taken_is_said(photo: Path, capsys: pytest.CaptureFixture[str]):
    held = json.loads(coco({}, {}))
    held["categories"].append({"id": 2, "name": "car"})
    held["annotations"].append(held["annotations"][0] | {"id": 2, "category_id": "2"})
    held["images"].append({"id": 2, "file_name": "gone.jpg"})
    held["annotations"].append(held["annotations"][0] | {"id": 3, "image_id": 2})
    (photo / "a.json").write_text(json.dumps(held))
    assert formats.import_labels("coco", photo / "a.json", photo / "out") == (2, 1, 1)
    err = capsys.readouterr().err
    assert "boxes of other classes are left out: car (1)" in err
    assert f"1 photo cannot be used: {photo / 'gone.jpg'}: missing" in err


def test_a_class_without_a_box_is_not_a_set_without_faces(photo: Path):
    held = json.loads(coco({}, {"category_id": 2}))
    held["categories"].append({"id": 2, "name": "person"})
    (photo / "a.json").write_text(json.dumps(held))
    with pytest.raises(InputError, match=r"no class 'face' among face \(0\), person \(1\)"):
        boxes("coco", photo / "a.json")
    held["categories"][0]["name"] = "vehicle"  # nor is it what the boxes are of
    (photo / "a.json").write_text(json.dumps(held))
    assert boxes("coco", photo / "a.json") == [list(FACE)]


def label_studio(photos: list[dict], annotations: list[dict]) -> str:
    """result.json as Label Studio's converter (label-studio-sdk 2.1) writes it."""
    common = {"id": 0, "image_id": 0, "category_id": 0, "segmentation": [], "ignore": 0, "iscrowd": 0, "area": 1.0}
    return json.dumps(
        {
            "images": photos,
            "categories": [{"id": 0, "name": "face"}],
            "annotations": [common | one for one in annotations],
            "info": {
                "year": 2026, "version": "1.0", "description": "", "contributor": "Label Studio", "url": "",
                "date_created": "2026-11-29 06:00:00.000000",
            },
        },
        indent=2,
    )  # fmt: skip


def test_label_studios_coco_of_a_rotated_photo_and_two_annotators(photo: Path, capsys: pytest.CaptureFixture[str]):
    """It has the size of the file as stored, and boxes of the photo as the browser displays it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(data.astronaut()[:300]).save(photo / "images/a.jpg", exif=exif)  # displayed: 300 x 512
    one = {"width": 512, "height": 300, "id": 0, "file_name": "images/0a1b2c3d-a.jpg"}
    found = [{"bbox": [80.0, 67.0, 94.0, 119.0]}, {"image_id": 1, "id": 1, "bbox": [80.2, 67.0, 94.0, 119.0]}]
    (photo / "result.json").write_text(label_studio([one, one | {"id": 1}], found))
    assert boxes("coco", photo / "result.json") == [[80, 67, 174, 186]]
    err = capsys.readouterr().err
    assert "0a1b2c3d-a.jpg is taken for a.jpg" in err and "1 photo is listed more than once" in err


def test_cvats_coco_with_polygons_and_photos_in_a_subset(photo: Path):
    """annotations/instances_default.json and images/default/ as COCO 1.0 has them; a polygon without its bbox."""
    (photo / "images/default").mkdir()
    (photo / "images/a.jpg").rename(photo / "images/default/a.jpg")
    (photo / "annotations").mkdir()
    polygon = {"segmentation": [[180, 100, 225.5, 68, 272, 120, 230, 186]], "bbox": [], "iscrowd": 0, "area": 5000.0}
    attributes = {"occluded": False, "rotation": 0.0}
    image = {"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
    path = photo / "annotations/instances_default.json"
    path.write_text(coco(image, polygon | {"attributes": attributes}, {"id": 1, "name": "face", "supercategory": ""}))
    assert formats.import_labels("coco", path, photo / "out") == (1, 1, 0)
    assert load_photos(photo / "out")[0].boxes.tolist() == [list(FACE)]
