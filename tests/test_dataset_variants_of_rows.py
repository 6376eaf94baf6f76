"""Labels in rows of text (CSV, YOLO, WIDER FACE) with the small faults that files pick up on their way."""

from pathlib import Path

import pytest
from variants import FACE, photo, taken, written

from dataset import formats, tables
from dataset.photos import load_photos
from visavis.errors import InputError

ROW = "0 0.44140625 0.248046875 0.1796875 0.23046875"
"""FACE in a photo of 512 x 512 pixels."""


HEADER = "image,x1,y1,x2,y2"
FIRST = "a.jpg,180,68,272,186"


@pytest.mark.parametrize(
    "text",
    [
        f"sep=;\r\n{HEADER};\r\n{FIRST};\r\n".replace(",", ";"),
        f"sep=,\n{HEADER}\n{FIRST}",
        f"\n\n{HEADER}\n{FIRST}\n\0",
        f"\ufeff\ufeff{HEADER}\n{FIRST}\n\x1a",
        f"{HEADER}\n{FIRST}\n".encode("utf-16-be"),
        f'"image", "x1", "y1", "x2", "y2"\n{FIRST}',
        f"{HEADER},use\n{FIRST},Train\n",
        f"{HEADER}\n{FIRST}\n./{FIRST}\nA.JPG,180,68,272,186\na,180,68,272,186\n",  # one photo by four names
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,512,512,face,180,68,272,186\n",
        f"{HEADER},label\n{FIRST},head\n",  # the only class
        f"{HEADER},label\n{FIRST},Face\na.jpg,1,1,40,40,car\n",
    ],
)
def test_csv_as_programs_write_it(tmp_path: Path, text: str | bytes):
    photo(tmp_path)
    written(tmp_path, {"b.csv": text})
    assert taken("csv", tmp_path / "b.csv")[0] == {"a": [FACE]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FIRST, "its first line must name the columns image,x1,y1,x2,y2"),
        (f"{HEADER},x1\n{FIRST},5\n", "the column x1 is there twice; remove or rename one"),
        (
            f"{HEADER},width,height\n{FIRST},512,512\n{FIRST},256,256\n",
            "row 3: a.jpg has another width or height than in .* row 2",
        ),
        (f"\n\n{HEADER}\na.jpg,one,2,3,4", "row 4: x1 is 'one', not a number"),
        (f"{HEADER},label\n{FIRST},cat\n{FIRST},dog\n", r"no class 'face' among cat \(1\), dog \(1\)"),
        (f"{HEADER},width,height\n{FIRST},200,200\n", "row 2: labels for 200 x 200 .* lies outside the former"),
    ],
)
def test_csv_that_cannot_be_is_refused_by_row(tmp_path: Path, text: str, message: str):
    photo(tmp_path)
    written(tmp_path, {"b.csv": text})
    with pytest.raises(InputError, match=message):
        taken("csv", tmp_path / "b.csv")


PLAIN = "train: images\nnames: [face]\n"


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({"data.yaml": PLAIN, "labels/a.TXT": ROW}, "data.yaml"),
        ({"data.yaml": PLAIN, "labels/a.txt": f"\ufeff\ufeff{ROW}\n\ufeff{ROW}\r\n"}, "data.yaml"),
        ({"data.yaml": PLAIN.replace("images", "C:\\mine\\images"), "labels/a.txt": ROW}, "data.yaml"),
        ({"data.yaml": PLAIN.replace("images", "/home/mine/images"), "labels/a.txt": ROW}, "data.yaml"),
        ({"data.yaml": "train: images\nnames: face\n", "labels/a.txt": ROW}, "data.yaml"),
        ({"data.yaml": "valid: images\nnames: [face]\n", "labels/a.txt": ROW}, "data.yaml"),
        ({"data.yml": PLAIN, "labels/a.txt": ROW}, "."),
        ({"faces.yaml": PLAIN, "labels/a.txt": ROW}, "."),
        ({"labels/classes.txt": "face\n", "labels/a.txt": ROW}, "."),  # labelImg
        ({"labels/classes.txt": "face\n", "labels/a.txt": ROW}, "labels"),
        *(
            ({"data.yaml": "train: train.txt\nnames: [face]\n", "train.txt": line, "labels/a.txt": ROW}, "data.yaml")
            for line in ("images\\a.jpg", "/home/mine/set/images/a.jpg", "images/a.png")
        ),
    ],
)
def test_yolo_as_tools_write_it(tmp_path: Path, files: dict[str, str], source: str):
    photo(tmp_path)
    written(tmp_path, files)
    assert formats.guess(tmp_path / source) == "yolo"
    assert formats.import_labels("yolo", tmp_path / source, tmp_path / "new") == (1, 1, 0)
    assert load_photos(tmp_path / "new")[0].boxes.tolist() == [FACE]


def test_yolo_by_labelimg_beside_its_photos(tmp_path: Path):
    photo(tmp_path, "a.jpg")
    written(tmp_path, {"classes.txt": "dog\nface\n", "a.txt": f"1{ROW[1:]}"})
    assert formats.guess(tmp_path) == "yolo" and taken("yolo", tmp_path)[0] == {"a": [FACE]}


def test_yolo_photos_without_a_label_file_are_said_and_refused_where_none_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    photo(tmp_path)
    photo(tmp_path, "images/b.jpg")
    written(tmp_path, {"data.yaml": PLAIN, "labels/c.txt": ROW})
    with pytest.raises(InputError, match=r"no photo has a label file, such as .*labels/a.txt; give a folder with both"):
        taken("yolo", tmp_path / "data.yaml")
    written(tmp_path, {"labels/a.txt": ROW})
    assert taken("yolo", tmp_path / "data.yaml")[0] == {"a": [FACE], "b": []}
    assert f"1 photo has no label file, and so no face; missing: {tmp_path / 'labels/b.txt'}" in capsys.readouterr().err
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(InputError, match=r"or write the names of the classes into classes\.txt there, one a line"):
        formats.import_labels(formats.guess(tmp_path), tmp_path, tmp_path / "new")


def test_wider_photos_by_other_names_and_listed_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    photo(tmp_path)
    rows = "1\n180 68 92 118 0 0 0 0 0 0\n"
    written(
        tmp_path, {"wider_face_train_bbx_gt.txt": f"a.png\n{rows}.\\a.jpg\n{rows}a.jpg\n1\n10 20 30 40 2 0 0 0 0 0"}
    )
    found = taken("wider", tmp_path / "wider_face_train_bbx_gt.txt")[0]
    assert found == {"a": [FACE, [10, 20, 40, 60]]}
    err = capsys.readouterr().err
    assert "2 photos are listed more than once (the labels are merged):" in err and "a.png is taken for a.jpg" in err


def test_a_table_that_was_edited_by_hand_may_have_spaces_after_its_commas(tmp_path: Path):
    path = tmp_path / "faces.csv"
    path.write_text("image_id, x1, y1, x2, y2, source, use\r\na, 1, 2, 3, 4, hand, train")
    (row,) = tables.rows(path)
    assert row == {"image_id": "a", "x1": "1", "y1": "2", "x2": "3", "y2": "4", "source": "hand", "use": "train"}
