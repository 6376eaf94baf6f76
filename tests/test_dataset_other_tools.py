"""Labels as other programs write them: encodings, names, sizes, tables, and orientations."""

from pathlib import Path

import pytest
from labelled import FACE, boxes, voc
from PIL import Image
from skimage import data
from typed import typed

from dataset import tables
from dataset.formats.imported import ImportedPhoto, Wanted
from dataset.formats.sizes import fitted, turned
from dataset.photos import load_photos
from visavis.errors import InputError


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with images/a.jpg of 512 x 512 pixels, upright."""
    (tmp_path / "images").mkdir()
    Image.fromarray(data.astronaut()).save(tmp_path / "images" / "a.jpg")
    return tmp_path


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
    assert "1 photo has faces that are labelled twice and count once: a.jpg (2)" in capsys.readouterr().err


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


def test_boxes_beside_their_photo_are_said(photo: Path, capsys: pytest.CaptureFixture[str]):
    (photo / "boxes.csv").write_text("image,x1,y1,x2,y2\na.jpg,1180,68,1272,186\n")
    boxes("csv", photo / "boxes.csv")
    assert "boxes.csv row 2: (1180, 68, 1272, 186), the photo is 512 x 512" in capsys.readouterr().err


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
    assert f"{name}: 2 rows repeat the box of a row above, which counts once: row 3, 4" in capsys.readouterr().err
