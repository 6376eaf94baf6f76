"""Labels as other programs write them: encodings, names, sizes, ids, and whole exports of labelling tools."""

import json
from pathlib import Path

import pytest
from PIL import Image
from skimage import data
from typed import typed

from dataset import formats, tables
from dataset.formats.imported import ImportedPhoto, Wanted
from dataset.formats.sizes import fitted, turned
from dataset.photos import load_photos
from visavis.errors import InputError

FACE = (180.0, 68.0, 272.0, 186.0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with images/a.jpg of 512 x 512 pixels, upright."""
    (tmp_path / "images").mkdir()
    Image.fromarray(data.astronaut()).save(tmp_path / "images" / "a.jpg")
    return tmp_path


def boxes(kind: str, source: Path, wanted: Wanted = Wanted()) -> list[list[float]]:
    """The boxes of the one photo that is imported, which must have been found."""
    out = (source if source.is_dir() else source.parent) / "out"
    photos, _, failed = formats.import_labels(kind, source, out, None, wanted)
    assert (photos, failed) == (1, 0)
    (one,) = load_photos(out)
    return one.boxes.tolist()


def voc(name: str = "a.jpg", label: str = "face", size: tuple[int, int] = (512, 512), box=(181, 69, 272, 186)) -> str:
    corners = "".join(
        f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return (
        f"<annotation><filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"<object><name>{label}</name><bndbox>{corners}</bndbox></object></annotation>"
    )


def coco(image: dict, annotation: dict, category: dict | None = None) -> str:
    first = {"id": 1, "file_name": "a.jpg", "width": 512, "height": 512}
    face = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [180, 68, 92, 118]}
    return json.dumps(
        {
            "images": [first | image],
            "annotations": [face | annotation],
            "categories": [category or {"id": 1, "name": "face"}],
        }
    )


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.png", "A.JPG", r"C:\\photos\\a.jpg", "/home/somebody/a.jpg"])
def test_voc_finds_the_photo_that_a_name_means(photo: Path, name: str):
    (photo / "a.xml").write_text(voc(name))
    assert boxes("voc", photo) == [list(FACE)]


def test_voc_says_which_photo_it_takes(photo: Path, capsys: pytest.CaptureFixture[str]):
    (photo / "a.xml").write_text(voc("a.png"))
    boxes("voc", photo)
    assert "names a.png, which is taken for a.jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    "encoding", ["gb2312", "gb18030", "shift_jis", "euc-kr", "big5", "windows-1252", "iso-8859-1", "utf-8"]
)
def test_voc_is_read_in_the_encoding_that_it_declares(photo: Path, encoding: str):
    text = f'<?xml version="1.0" encoding="{encoding}"?>' + voc()
    (photo / "a.xml").write_bytes(text.encode(encoding))
    assert boxes("voc", photo) == [list(FACE)]


def test_voc_of_an_encoding_that_nobody_knows_is_refused(photo: Path):
    (photo / "a.xml").write_bytes(b'<?xml version="1.0" encoding="klingon"?>' + voc("\xe9.jpg").encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.xml cannot be read as XML: byte 62 \(0xe9\) is not klingon, which it"):
        boxes("voc", photo)


def test_the_only_class_is_taken_and_said(photo: Path, capsys: pytest.CaptureFixture[str]):
    (photo / "a.xml").write_text(voc(label="head"))
    assert boxes("voc", photo) == [list(FACE)]
    assert "the only class, 'head', is taken for faces" in capsys.readouterr().err


def test_a_class_that_is_nowhere_is_refused(photo: Path):
    (photo / "a.xml").write_text(voc(label="head"))
    with pytest.raises(
        InputError,
        match=r"'person' among head \(1\) \(number .*; give its name as `category`",
    ):
        boxes("voc", photo, Wanted(category="person"))


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


def test_labels_of_a_photo_as_stored_are_turned_as_it_is(photo: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(data.astronaut()[:300]).save(photo / "images/a.jpg", exif=exif)  # displayed: 300 x 512
    (photo / "a.xml").write_text(voc(size=(512, 300), box=(68, 127, 186, 220)))
    assert boxes("voc", photo) == [[80, 67, 174, 186]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_turned_as_pillow_turns_pixels(orientation: int):
    from PIL import ImageOps

    stored = Image.new("L", (40, 30))
    stored.paste(255, (5, 7, 15, 11))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.info["exif"] = exif.tobytes()
    displayed = ImageOps.exif_transpose(stored)
    assert displayed.getbbox() == turned((5, 7, 15, 11), (30, 40), orientation)


def test_labels_of_another_shape_are_refused_and_those_of_no_size_are_taken_as_they_are():
    one = ImportedPhoto("a.jpg", Path("a.jpg"), "a.xml", boxes=[FACE], size=(300, 512))
    with pytest.raises(
        InputError, match=r"a\.xml: labels for 512 x 300 pixels, and the photo has 300 x 512 \(a\.jpg\)"
    ):
        fitted(one, (512, 300), 1)
    one.size = (0, 0)
    assert fitted(one, (512, 300), 1) == "" and one.boxes == [FACE]


@pytest.mark.parametrize(
    "table",
    [
        b"image, x1, y1, x2, y2\na.jpg, 180, 68, 272, 186\n",
        b"image,x1,y1,x2,y2\r\na.jpg,180,68,272,186",  # no line break at its end
        b"\xef\xbb\xbfimage;x1;y1;x2;y2\na.jpg;180;68;272;186\n",
        "image\tx1\ty1\tx2\ty2\na.jpg\t180\t68\t272\t186\n".encode("utf-16"),
        b'Image ,X1,Y1,X2,Y2\n"a.jpg",180,68,272,186\n\n',
        b"image,x1,y1,x2,y2\n" + b"a.jpg,180,68,272,186\n" * 3,  # one face, three times
        b"image,width,height,x1,y1,x2,y2\na.jpg,256,256,90,34,136,93\n",
        b"image;x1;y1;x2;y2\r\na.jpg;180,0;68,0;272,0;186,0\r\n;;;;\r\n",  # decimal commas, an empty row
        b"image,x1,y1,x2,y2\na.jpg,180,68,272,186,\n",
        rb"image,x1,y1,x2,y2" + b"\n" + rb"C:\photos\a.JPG,180,68,272,186" + b"\n",
        b"image,x1,y1,x2,y2\r0a1b2c3d-a.png,180,68,272,186\r",
    ],
)
def test_a_csv_as_spreadsheets_write_it(photo: Path, table: bytes):
    (photo / "boxes.csv").write_bytes(table)
    assert boxes("csv", photo / "boxes.csv") == [list(FACE)]


def test_a_face_labelled_three_times_is_one_and_it_is_said(photo: Path, capsys: pytest.CaptureFixture[str]):
    (photo / "boxes.csv").write_text("image,x1,y1,x2,y2\n" + "a.jpg,180,68,272,186\n" * 3)
    boxes("csv", photo / "boxes.csv")
    assert "labelled twice, and count once, in a.jpg (2)" in capsys.readouterr().err


@pytest.mark.parametrize(("by", "count"), [(1, 1), (2, 1), (4, 2)])
def test_faces_beside_each_other_stay_two_and_rounding_makes_none(photo: Path, by: int, count: int):
    (photo / "boxes.csv").write_text(f"image,x1,y1,x2,y2\na.jpg,100,100,200,200\na.jpg,{100 + by},100,{200 + by},200\n")
    assert len(boxes("csv", photo / "boxes.csv")) == count


def test_a_hand_edited_table_keeps_its_last_row_and_a_torn_one_loses_it(tmp_path: Path):
    path = tmp_path / "labels.csv"
    tables.write(path, [{"image_id": "a", "x1": 1, "y1": 2, "x2": 3, "y2": 4}] * 2)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert len(list(tables.rows(path))) == 2
    path.write_bytes(path.read_bytes()[:-5])
    assert len(list(tables.rows(path))) == 1


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


def test_wider_flags_that_are_no_numbers_are_refused_by_row(photo: Path):
    (photo / "wider_face_train_bbx_gt.txt").write_text("a.jpg\n1\n180 68 92 118 nan 0 0 0 0 0\n")
    with pytest.raises(InputError, match=r"row 3: .*nan.*has a number that is not finite"):
        boxes("wider", photo / "wider_face_train_bbx_gt.txt")


@pytest.mark.parametrize("words", ["sheet --count -1", "look --count -1", "sheet --mosaic 0", "look --count 0"])
def test_counts_that_cannot_be_are_refused_by_name(photo: Path, words: str):
    (photo / "boxes.csv").write_text("image,x1,y1,x2,y2\na.jpg,180,68,272,186\n")
    boxes("csv", photo / "boxes.csv")
    done = typed("-m", "dataset", *words.split(), "--data", photo / "out", "--out", photo / "new")
    name = words.split()[1]
    assert done.returncode == 2 and f"{name} must be" in done.stderr and not (photo / "new").exists()


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
    assert f"1 photos cannot be used: {photo / 'gone.jpg'}: missing" in err


def test_a_class_without_a_box_is_not_a_set_without_faces(photo: Path):
    held = json.loads(coco({}, {"category_id": 2}))
    held["categories"].append({"id": 2, "name": "person"})
    (photo / "a.json").write_text(json.dumps(held))
    with pytest.raises(InputError, match=r"no class 'face' among face \(0\), person \(1\)"):
        boxes("coco", photo / "a.json")
    held["categories"][0]["name"] = "vehicle"  # nor is it what the boxes are of
    (photo / "a.json").write_text(json.dumps(held))
    assert boxes("coco", photo / "a.json") == [list(FACE)]


def test_boxes_beside_their_photo_are_said(photo: Path, capsys: pytest.CaptureFixture[str]):
    (photo / "boxes.csv").write_text("image,x1,y1,x2,y2\na.jpg,1180,68,1272,186\n")
    boxes("csv", photo / "boxes.csv")
    assert "boxes.csv row 2: (1180, 68, 1272, 186), the photo is 512 x 512" in capsys.readouterr().err


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
    assert "0a1b2c3d-a.jpg is taken for a.jpg" in err and "photos are listed more than once" in err


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
    assert f"label files belong to no photo and are left out: {photo / 'labels/gone.txt'}" in capsys.readouterr().err


def test_an_annotation_renamed_with_its_photo_finds_it(photo: Path):
    (photo / "a.xml").write_text(voc("IMG_0815.jpg"))
    assert boxes("voc", photo) == [list(FACE)]


@pytest.mark.parametrize("name", ["labels.csv", "faces.csv"])
def test_a_row_of_a_data_folder_that_is_there_twice_counts_once(
    photo: Path, name: str, capsys: pytest.CaptureFixture[str]
):
    (photo / "boxes.csv").write_text("image,x1,y1,x2,y2\na.jpg,180,68,272,186\n")
    boxes("csv", photo / "boxes.csv")
    row = {"image_id": "a", "x1": 180, "y1": 68, "x2": 272, "y2": 186, "use": "train"}
    tables.write(photo / "out" / name, [{key: row[key] for key in row if key in tables.COLUMNS[name]}] * 3)
    assert load_photos(photo / "out")[0].boxes.tolist() == [list(FACE)]
    assert f"{name}: 2 rows repeat the box of a row above and count once: row 3, 4" in capsys.readouterr().err
