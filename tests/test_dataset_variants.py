"""Labels with the small faults that files pick up on their way: encodings, names, marks, lists and folders."""

import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from dataset import formats, tables
from dataset.formats.imported import Wanted
from dataset.photos import load_photos
from visavis.errors import InputError

FACE = [180.0, 68.0, 272.0, 186.0]
ROW = "0 0.44140625 0.248046875 0.1796875 0.23046875"
"""FACE in a photo of 512 x 512 pixels."""


def photo(folder: Path, name: str = "images/a.jpg") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(data.astronaut()).save(folder / name)


def written(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def taken(kind: str, source: Path, wanted: Wanted = Wanted()) -> tuple[dict[str, list], dict[str, list]]:
    """Boxes to learn from and to ignore, by image_id; no photo may be missing."""
    out = (source if source.is_dir() else source.parent) / "out"
    assert formats.import_labels(kind, source, out, None, wanted)[2] == 0
    photos = load_photos(out)
    return (
        {one.image_id: one.boxes.astype(float).round(2).tolist() for one in photos},
        {one.image_id: one.ignore.astype(float).round(2).tolist() for one in photos if len(one.ignore)},
    )


def voc(name: str = "a.jpg", head: str = "", more: str = "", box: str | None = None, side: int = 512) -> str:
    corners = "<xmin>181</xmin><ymin>69</ymin><xmax>272</xmax><ymax>186</ymax>"
    return (
        f"{head}<annotation><filename>{name}</filename><size><width>{side}</width><height>{side}</height></size><object>"
        f"<name>face</name>{box or f'<bndbox>{corners}</bndbox>'}{more}</object></annotation>"
    )


def declared(encoding: str) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?>'


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + voc(head=declared("gb2312")).encode(),
        voc(head='<?xml version="1.0" encoding = "GB2312" standalone="yes" ?>\n').encode(),
        ("\n" + voc(head=declared("gb2312"))).encode(),
        voc(more="<source>\u8138</source>", head=declared("gb2312")).encode(),  # in truth UTF-8
        voc(more="<source>\u8138</source>", head=declared("gb2312")).encode("gbk"),
        voc(head=declared("utf-8")).encode("utf-16"),
        voc(head=declared("utf-16")).encode(),
        voc().encode("utf-16-le"),
        voc(head=declared("unicode")).encode(),
    ],
)
def test_xml_whose_declaration_is_not_right(tmp_path: Path, text: bytes):
    photo(tmp_path)
    written(tmp_path, {"a.xml": text})
    assert taken("voc", tmp_path)[0] == {"a": [FACE]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (voc("\u7167.jpg", declared("utf-8")).encode("gbk"), "is not utf-8, which it declares; save it as UTF-8"),
        (voc("\u7167.jpg").encode("gbk"), "is not UTF-8, and it declares no encoding; save it as UTF-8"),
        (voc(box="<polygon><x1>1</x1></polygon>").encode(), "object 1 has no <bndbox>; correct or remove it"),
        (voc(more="<difficult>perhaps</difficult>").encode(), "object 1: 'perhaps' is not 0 or 1; correct it"),
        (voc(side=200).encode(), r"labels for 200 x 200 .* 512 x 512 \(a.jpg\), and the box .* outside the former"),
        (
            voc(
                box="<bndbox><xmin>0.3</xmin><ymin>0.1</ymin><xmax>0.5</xmax><ymax>0.3</ymax></bndbox>",
            ).encode(),
            "lies within one pixel",
        ),
    ],
)
def test_xml_that_cannot_be_is_refused_by_name(tmp_path: Path, text: bytes, message: str):
    photo(tmp_path)
    written(tmp_path, {"a.xml": text})
    with pytest.raises(InputError, match=message):
        taken("voc", tmp_path)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("\n  a.jpg\n", "a.jpg"),
        ("", "b.jpg"),  # none: that of the annotation, b.xml
        (unicodedata.normalize("NFC", "\u00e9.jpg"), unicodedata.normalize("NFD", "\u00e9.jpg")),
        ("a%20c.jpg", "a c.jpg"),
        ("a.jpg.jpg", "a.jpg"),
        ("a.jpg", "a.jpg.png"),
        ("a.heic", "A.PNG"),
    ],
)
def test_a_photo_is_found_by_a_name_that_is_nearly_its_own(tmp_path: Path, name: str, file: str):
    photo(tmp_path, f"JPEGImages/{file}")
    written(tmp_path, {"Annotations/b.xml": voc(name)})
    assert list(taken("voc", tmp_path)[0].values()) == [[FACE]]


@pytest.mark.parametrize(("mark", "ignored"), [("0", False), ("False", False), ("Unspecified", False), ("true", True)])
def test_marks_are_read_as_tools_write_them(tmp_path: Path, mark: str, ignored: bool):
    photo(tmp_path)
    written(tmp_path, {"b.XML": voc(more=f"<difficult>{mark}</difficult>"), "a.json": coco(one={"iscrowd": mark})})
    expected = ({"a": []}, {"a": [FACE]}) if ignored else ({"a": [FACE]}, {})
    assert taken("voc", tmp_path) == expected
    (tmp_path / "out").rename(tmp_path / "first")
    assert taken("coco", tmp_path / "a.json") == expected


def coco(image: dict | None = None, one: dict | None = None, **lists: object) -> str:
    first = {"id": 1, "file_name": "a.jpg", "width": 512, "height": 512} | (image or {})
    face = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [180, 68, 92, 118]} | (one or {})
    held = {"images": [first], "annotations": [face], "categories": [{"id": 1, "name": "face"}]}
    return json.dumps(held | lists)


@pytest.mark.parametrize(
    "text",
    [
        coco(one={"category_id": " 1"}),
        coco(one={"category_id": "1.0", "image_id": "0001"}),
        coco(categories=[]),
        coco(categories=None),
        coco({"width": "256", "height": "256"}, {"bbox": [90, 34, 46, 59]}),
        coco({"width": "", "height": ""}),
        coco({"file_name": "https://example.org/p/a.jpg?w=3&t=a/b"}),
        coco({"file_name": " a.jpg "}),
        "\ufeff\ufeff" + coco() + "\x1a",
        *(  # one photo, listed twice by different names
            coco(images=[{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": name}],
                 annotations=[{"image_id": n, "category_id": 1, "bbox": [180, 68, 92, 118]} for n in (1, 2)])
            for name in ("./a.jpg", "images/a.jpg", "a")
        ),
    ],
)  # fmt: skip
def test_coco_as_tools_write_it(tmp_path: Path, text: str):
    photo(tmp_path)
    written(tmp_path, {"a.json": text})
    assert taken("coco", tmp_path / "a.json")[0] == {"a": [FACE]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (coco({"width": float("nan")}), r"images\[0\]: the size is nan x 512 pixels"),
        (coco({"width": float("inf")}), r"images\[0\]: the size is inf x 512 pixels"),
        (coco({"width": "wide"}), r"images\[0\]: .*wide.* are not numbers"),
        (coco({"file_name": None}), r"images\[0\]: file_name is None; it must be the name of a photo"),
        (coco({"width": 200, "height": 200}), r"the box .* lies outside the former; correct the size"),
        (coco(one={"iscrowd": "maybe"}), r"annotations\[0\]: 'maybe' is not 0 or 1"),
        (
            coco(categories=[{"id": 1, "name": "face"}, {"id": "1", "name": "car"}]),
            r"categories\[1\]: car and face have the id 1; give each its own",
        ),
        (
            coco(images=[{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "a", "width": 9, "height": 9}]),
            r"images\[1\]: a.jpg has the size \(9, 9\), and None in .*images\[0\]; correct one of them",
        ),
    ],
)
def test_coco_that_cannot_be_is_refused_by_row(tmp_path: Path, text: str, message: str):
    photo(tmp_path)
    written(tmp_path, {"a.json": text})
    with pytest.raises(InputError, match=message):
        taken("coco", tmp_path / "a.json")


@pytest.mark.parametrize("kind", ["voc", "coco"])
def test_a_class_that_is_asked_for_is_refused_where_there_is_none(tmp_path: Path, kind: str):
    photo(tmp_path)
    written(tmp_path, {"a.xml": "<annotation><filename>a.jpg</filename></annotation>"})
    written(tmp_path, {"a.json": coco(categories=[], annotations=[])})
    with pytest.raises(InputError, match="no class 'head' among none"):
        taken(kind, tmp_path if kind == "voc" else tmp_path / "a.json", Wanted(category="head"))


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
    assert f"they would be {tmp_path / 'labels/b.txt'}" in capsys.readouterr().err
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
    assert (
        "2 photos are listed more than once, and their labels are merged:" in err and "a.png is taken for a.jpg" in err
    )


def test_two_annotations_of_one_photo_are_merged(tmp_path: Path):
    photo(tmp_path)
    second = "<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>60</ymax></bndbox>"
    written(tmp_path, {"a.xml": voc(), "b.xml": voc(box=second, more="<difficult>1</difficult>"), "c.xml": voc()})
    assert taken("voc", tmp_path) == ({"a": [FACE]}, {"a": [[10, 20, 40, 60]]})


def test_a_table_that_was_edited_by_hand_may_have_spaces_after_its_commas(tmp_path: Path):
    path = tmp_path / "faces.csv"
    path.write_text("image_id, x1, y1, x2, y2, source, use\r\na, 1, 2, 3, 4, hand, train")
    (row,) = tables.rows(path)
    assert row == {"image_id": "a", "x1": "1", "y1": "2", "x2": "3", "y2": "4", "source": "hand", "use": "train"}


def test_photos_that_are_nowhere_are_to_be_named_and_not_to_be_downloaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    photo(tmp_path, "mine/a.jpg")
    written(tmp_path, {"b.csv": f"{HEADER}\n{FIRST}\n"})
    assert formats.import_labels("csv", tmp_path / "b.csv", tmp_path / "out") == (1, 0, 1)
    assert f"1 photos cannot be used: {tmp_path / 'a.jpg'}: missing" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"are `missing`: give `python -m dataset import` their folder as --images"):
        load_photos(tmp_path / "out")
    assert formats.import_labels("csv", tmp_path / "b.csv", tmp_path / "new", None, Wanted(tmp_path / "mine"))[2] == 0


def test_sizes_as_texts_are_sizes_and_those_that_are_none_are_refused(tmp_path: Path):
    photo(tmp_path)
    half = '<box label="face" xtl="90" ytl="34" xbr="136" ybr="93"/>'
    image = f'<annotations><image name="a.jpg" width="256.0" height="256.0">{half}</image></annotations>'
    written(tmp_path, {"annotations.xml": image, "b/a.xml": voc().replace("<width>512<", "<width>512 px<")})
    assert taken("cvat", tmp_path / "annotations.xml")[0] == {"a": [FACE]}
    with pytest.raises(InputError, match=r"a\.xml: '512 512 px' are not numbers"):
        taken("voc", tmp_path / "b")


def label_studio(**changed: object) -> str:
    value = {"x": 35.15625, "y": 13.28125, "width": 17.96875, "height": 23.046875, "rectanglelabels": ["face"]}
    region = {"original_width": 512, "original_height": 512, "type": "rectanglelabels"} | changed
    region["value"] = value | region.get("value", {})
    return json.dumps([{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": [region]}]}] * 2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"original_width": "300"}, "task 1 region 1: labels for 300 x 512 pixels, and the photo has 512 x 512"),
        (
            {"value": {"x": 180, "y": 68}},
            "task 1 region 1: 180, 68, 17.9688, 23.0469 seem to be pixels; Label Studio has",
        ),
    ],
)
def test_label_studio_with_pixels_or_another_size_is_refused(tmp_path: Path, changed: dict, message: str):
    photo(tmp_path)
    written(tmp_path, {"a.json": label_studio(), "b.json": label_studio(**changed)})
    assert taken("label-studio", tmp_path / "a.json")[0] == {"a": [FACE]}  # one photo, in two tasks
    with pytest.raises(InputError, match=message):
        formats.import_labels("label-studio", tmp_path / "b.json", tmp_path / "new")
