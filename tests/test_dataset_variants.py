"""Labels in XML and JSON with the small faults that files pick up on their way: encodings, names, marks and lists."""

import json
import unicodedata
from pathlib import Path

import pytest
from variants import FACE, photo, taken, written

from dataset import formats
from dataset.formats.imported import Wanted
from dataset.photos import load_photos
from visavis.errors import InputError


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


def test_two_annotations_of_one_photo_are_merged(tmp_path: Path):
    photo(tmp_path)
    second = "<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>60</ymax></bndbox>"
    written(tmp_path, {"a.xml": voc(), "b.xml": voc(box=second, more="<difficult>1</difficult>"), "c.xml": voc()})
    assert taken("voc", tmp_path) == ({"a": [FACE]}, {"a": [[10, 20, 40, 60]]})


def test_photos_that_are_nowhere_are_to_be_named_and_not_to_be_downloaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    photo(tmp_path, "mine/a.jpg")
    written(tmp_path, {"b.csv": f"{HEADER}\n{FIRST}\n"})
    assert formats.import_labels("csv", tmp_path / "b.csv", tmp_path / "out") == (1, 0, 1)
    assert f"1 photo cannot be used: {tmp_path / 'a.jpg'}: missing" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"1 is `missing`: give `python -m dataset import` their folder as --images"):
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
