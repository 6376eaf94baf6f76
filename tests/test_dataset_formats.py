"""Other people's labels in and out: round trips are exact, and what cannot be used is told with file and row."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset import formats, tables
from dataset.formats.imported import Wanted
from dataset.photos import Photo, load_photos
from dataset.split import Shares
from visavis.errors import InputError

PHOTOS = {"a/same.jpg": (211, 307), "b/same.jpg": (400, 123), "b/nested/deep name.png": (333, 77), "none.jpg": (90, 90)}
"""Name -> height, width."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder: equal names in two folders, odd numbers, a face that reaches out, ignored boxes, no faces."""
    source = tmp_path / "source"
    for name, (height, width) in PHOTOS.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(noise).save(source / name)
    (source / "boxes.csv").write_text(
        "image,identity,use,x1,y1,x2,y2\n"
        "a/same.jpg,Ada,train,10.123,20.457,99.991,120.333\n"
        "a/same.jpg,Ada,ignore,150,20,301.5,44.25\n"
        "b/same.jpg,Bob & Co <x>,train,-3.7,5,60,90.005\n"
        "b/same.jpg,Bob & Co <x>,,61,5,122.999,399.9\n"
        "b/nested/deep name.png,Ada,ignore,1,2,30,40\n"
        "none.jpg,,,,,,\n"
    )
    assert formats.import_labels("csv", source / "boxes.csv", tmp_path / "data") == (4, 3, 0)
    return tmp_path


def known(folder: Path) -> dict[str, Photo]:
    return {photo.image_id: photo for photo in load_photos(folder)}


def test_the_csv_comes_in_whole(folder: Path) -> None:
    photos = known(folder / "data")
    assert set(photos) == {"a/same", "b/same", "b/nested/deep name", "none"}
    assert photos["b/same"].identity == "Bob & Co <x>" and len(photos["b/same"].boxes) == 2
    assert photos["a/same"].ignore.tolist() == [[150, 20, 301.5, 44.25]]
    assert len(photos["b/nested/deep name"].boxes) == 0 and len(photos["b/nested/deep name"].ignore) == 1
    assert photos["none"].boxes.shape == (0, 4) and photos["none"].size == (90, 90)
    assert photos["b/nested/deep name"].identity == "Ada"


@pytest.mark.parametrize(
    "kind, source", [("csv", "boxes.csv"), ("coco", "annotations.json"), ("voc", ""), ("yolo", "data.yaml")]
)
def test_a_round_trip_is_exact(folder: Path, kind: str, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    photos = formats.Photos.load(folder / "data", "all", Shares(0.4, 0.2))
    assert formats.export(kind, photos, folder / "given") == (4, 3)
    assert (folder / "given").exists() and formats.guess(folder / "given" / source) == kind
    taken = formats.import_labels(kind, folder / "given" / source, folder / "back")
    assert taken == (4, 3, 0)
    before, after = known(folder / "data"), known(folder / "back")
    assert before.keys() == after.keys()
    for image_id, photo in before.items():
        np.testing.assert_allclose(after[image_id].boxes, photo.boxes, atol=0.01)
        assert after[image_id].path.read_bytes() == photo.path.read_bytes() and after[image_id].size == photo.size
        if kind != "yolo":  # it has no place for these, and says so
            np.testing.assert_allclose(after[image_id].ignore, photo.ignore, atol=0.01)
            assert after[image_id].identity == photo.identity
    lost = "cannot store 2 boxes to ignore and the identities of 3 photos"
    assert (lost in capsys.readouterr().err) == (kind == "yolo")
    with pytest.raises(InputError, match="is not an empty folder"):
        formats.export(kind, photos, folder / "given")


def test_pycocotools_reads_what_we_export(folder: Path) -> None:
    from pycocotools.coco import COCO

    formats.export("coco", formats.Photos.load(folder / "data"), folder / "given")
    coco = COCO(folder / "given" / "annotations.json")
    assert len(coco.imgs) == 4 and len(coco.getAnnIds(iscrowd=False)) == 3 and len(coco.getAnnIds(iscrowd=True)) == 2
    assert all((folder / "given/images" / image["file_name"]).exists() for image in coco.imgs.values())


WIDER = """0--Parade/a.jpg
3
10 20 30 40 0 0 0 0 0 0
50 60 20 25 2 0 1 0 1 0
1 2 30 30 0 0 0 1 0 0
0--Parade/none.jpg
0
0 0 0 0 0 0 0 0 0 0
1--Other/a.jpg
2
5 6 7 0 0 0 0 0 0 0
5 6 7 8 0 0 0 0 2 1
1--Other/last.jpg
0
"""


@pytest.fixture
def wider(tmp_path: Path) -> Path:
    for name in ("0--Parade/a", "0--Parade/none", "1--Other/a", "1--Other/last"):
        path = tmp_path / f"WIDER_train/images/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (120, 100), name.__hash__() % 256).save(path)
    path = tmp_path / "wider_face_split/wider_face_train_bbx_gt.txt"
    path.parent.mkdir()
    path.write_text(WIDER)
    return path


def test_wider_face_with_its_flags(wider: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert formats.import_labels("wider", wider, tmp_path / "data") == (4, 3, 0)
    assert f"1 box without an area is left out: {wider} row 11" in capsys.readouterr().err
    photos = known(tmp_path / "data")
    assert photos["0--Parade/a"].boxes.tolist() == [[10, 20, 40, 60], [50, 60, 70, 85]]
    assert photos["0--Parade/a"].ignore.tolist() == [[1, 2, 31, 32]]
    assert len(photos["0--Parade/none"].boxes) == len(photos["1--Other/last"].boxes) == 0
    assert photos["1--Other/a"].boxes.tolist() == [[5, 6, 12, 14]]
    sources = [row["source"] for row in tables.rows(tmp_path / "data" / "faces.csv")]
    assert sources == ["import", "import blur=2 illumination=1 occlusion=1", "import", "import occlusion=2 pose=1"]
    assert formats.import_labels("wider", wider, tmp_path / "light", None, Wanted(ignore_heavy=True)) == (4, 1, 0)
    assert len(known(tmp_path / "light")["1--Other/a"].ignore) == 1


def test_negatives_join_any_format(wider: Path, tmp_path: Path) -> None:
    (tmp_path / "empty" / "x").mkdir(parents=True)
    Image.new("RGB", (30, 30)).save(tmp_path / "empty/x/a.png")
    formats.import_labels("wider", wider, tmp_path / "data", tmp_path / "empty")
    assert known(tmp_path / "data")["negatives/x/a"].boxes.shape == (0, 4)


def test_classes_that_are_no_faces_stay_out(folder: Path) -> None:
    formats.export("coco", formats.Photos.load(folder / "data"), folder / "given")
    path = folder / "given" / "annotations.json"
    held = json.loads(path.read_text())
    held["categories"] = [{"id": 1, "name": "head"}, {"id": 2, "name": "car"}]
    held["annotations"][0]["category_id"] = 2
    path.write_text(json.dumps(held))
    with pytest.raises(InputError, match="no class 'face' among head \\(4\\), car \\(1\\)"):
        formats.import_labels("coco", path, folder / "back")
    assert formats.import_labels("coco", path, folder / "back", None, Wanted(category="Head"))[1] == 2


def test_a_yolo_folder_as_its_trainer_has_it(tmp_path: Path) -> None:
    """Parts in folders, as ../train/images; a photo without a label file."""
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / part / kind).mkdir(parents=True)
        Image.new("RGB", (200, 100)).save(tmp_path / part / "images/same.jpg")
    (tmp_path / "train/labels/same.txt").write_text("1 0.5 0.5 0.1 0.2\n0 0.5 0.5 1 1\n")
    (tmp_path / "data.yaml").write_text("train: ../train/images\nval: ../val/images\nnames: [person, face]\n")
    assert formats.import_labels("yolo", tmp_path / "data.yaml", tmp_path / "data") == (2, 1, 0)
    photos = known(tmp_path / "data")
    np.testing.assert_allclose(photos["train/same"].boxes, [[90, 40, 110, 60]], atol=0.01)
    assert len(photos["val/same"].boxes) == 0


def test_yolo_keeps_the_labels_of_photos_in_folders_of_its_own_names(folder: Path) -> None:
    names = ("x/images/y/images/1", "x/labels/1", "images/1")
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60 + number, 40)).save(folder / f"{name}.jpg")
    rows = "".join(f"{name}.jpg,{number},2,30,40\n" for number, name in enumerate(names))
    (folder / "own.csv").write_text(f"image,x1,y1,x2,y2\n{rows}")
    assert formats.import_labels("csv", folder / "own.csv", folder / "own") == (3, 3, 0)
    assert formats.export("yolo", formats.Photos.load(folder / "own", "all"), folder / "given") == (3, 3)
    assert formats.import_labels("yolo", folder / "given/data.yaml", folder / "back") == (3, 3, 0)
    boxes = {photo.size: photo.boxes.round().tolist() for photo in known(folder / "back").values()}
    assert boxes == {(40, 60 + number): [[number, 2, 30, 40]] for number in range(3)}


BAD = {
    ("csv", "image,x1,y1,x2\na.jpg,1,2,3\n"): "no column y2",
    ("csv", "image,x1,y1,x2,y2\na.jpg,1,2,nan,4\n"): "row 2: x2 is 'nan', not a number",
    ("csv", "image,x1,y1,x2,y2\na.jpg,1,2,3,4\na.png,1,2,3,4\n"): "row 3: a.png and a.jpg differ only in their ending",
    ("csv", "image,x1,y1,x2,y2,use\na.jpg,1,2,3,4,maybe\n"): "row 2: use is 'maybe'",
    ("csv", "image,x1,y1,x2,y2\n../a.jpg,1,2,3,4\n"): "row 2: image is '../a.jpg'",
    ("csv", "image,x1,y1,x2,y2\n"): "names no photo",
    ("coco", "{}"): "no list 'images'",
    ("coco", '{"images": [{"id": 1}], "annotations": [], "categories": []}'): r"images\[0\] has no file_name",
    ("coco", '{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": [], '
     '"categories": [{"id": 1}]}'): r"images\[1\]: two photos with the id 1",
    ("coco", '{"images": [], "annotations": [{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}], '
     '"categories": [{"id": 1}]}'): r"annotations\[0\]: no image has the id '7'",
    ("coco", '{"images": [{"id": 7, "file_name": "a"}], "annotations": [{"image_id": 7, "category_id": 1, '
     '"bbox": [1, "x", 3, 4]}], "categories": [{"id": 1}]}'): r"annotations\[0\]: .* are not numbers",
    ("wider", "a.jpg\n2\n1 2 3 4\n"): "row 1: the file ends before the 2 faces of a.jpg",
    ("wider", "a.jpg\n1 2 3 4\n"): "row 2: '1 2 3 4' must be the number of faces of the photo a.jpg",
    ("wider", "a.jpg\n1\n1 2 x 4\n"): "row 3: '1 2 x 4' are not numbers",
    ("yolo", "train: images\n"): "it has no names",
    ("yolo", "train: nowhere\nnames: [face]\n"): "there is no folder or list at",
}  # fmt: skip


@pytest.mark.parametrize("kind, text", BAD)
def test_bad_input_is_told_with_file_and_row(tmp_path: Path, kind: str, text: str) -> None:
    source = tmp_path / "labels.any"
    source.write_text(text)
    with pytest.raises(InputError, match=BAD[kind, text]) as raised:
        formats.import_labels(kind, source, tmp_path / "data")
    assert "labels.any" in str(raised.value) or "names no photo" in str(raised.value)
    assert not (tmp_path / "data").exists()


def test_voc_corners_count_from_one(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "JPEGImages").mkdir()
    Image.new("RGB", (50, 40)).save(tmp_path / "JPEGImages/a.jpg")
    corners = "<xmin>1</xmin><ymin>11</ymin><xmax>50</xmax><ymax>40</ymax>"
    path = tmp_path / "Annotations/a.xml"
    path.write_text(f"<annotation><filename>a.jpg</filename><object><name>face</name><bndbox>{corners}</bndbox>"
                    "</object><object><name>car</name></object></annotation>")  # fmt: skip
    formats.import_labels("voc", tmp_path, tmp_path / "data")
    assert known(tmp_path / "data")["a"].boxes.tolist() == [[0, 10, 50, 40]]
    path.write_text("<annotation><filename>a.jpg</filename><object><name>face</name></object></annotation>")
    with pytest.raises(InputError, match=r"a\.xml object 1 has no <bndbox>"):
        formats.import_labels("voc", tmp_path, tmp_path / "other")
    path.write_text("<annotation>")
    with pytest.raises(InputError, match=r"a\.xml cannot be read as XML"):
        formats.import_labels("voc", tmp_path, tmp_path / "other")
