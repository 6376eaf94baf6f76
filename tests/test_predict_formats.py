"""predict.py's formats: the same boxes in each, photos without faces among them, read back by those who know them."""

import csv
import json
import os
import shutil
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import skimage.data
from PIL import Image
from typed import typed

import visavis
from dataset.photos import load_photos
from visavis import images
from visavis.boxes import Boxes, as_boxes
from visavis.commands import predict
from visavis.commands.network import Network
from visavis.prediction import pages as prediction_pages
from visavis.prediction.formats import FORMATS
from visavis.prediction.records import Record
from visavis.prediction.run import JOURNAL
from visavis.sources import Input

ASTRONAUT = Image.fromarray(skimage.data.astronaut()[0:256, 96:352])
CAT = Image.fromarray(skimage.data.chelsea()).resize((150, 100))
NETWORK = Network("cpu")
SIDES = ("x1", "y1", "x2", "y2")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photos/, with equal names in different folders and with different endings, and out/ in every format."""
    root = tmp_path_factory.mktemp("formats")
    for name, picture in (("a/1.jpg", ASTRONAUT), ("images/1.jpg", ASTRONAUT.rotate(4)), ("images/1.png", CAT)):
        (root / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / "photos" / name)
    two = Image.new("RGB", (500, 260))
    two.paste(ASTRONAUT, (0, 0))
    two.paste(ASTRONAUT.resize((200, 200)), (280, 30))
    two.save(root / "photos/images/2 & two.jpg")
    (root / "photos/torn.jpg").write_text("no photo")
    words = ("predict.py", root / "photos", "--out", root / "out", "--device", "cpu", "--no-draw", "--look")
    done = typed(*words, "--format", "csv,json,jsonl,coco,yolo,voc", "--stdout", "jsonl")
    assert done.returncode == 3, done.stderr
    (root / "stdout").write_text(done.stdout)
    return root


def from_csv(out: Path) -> dict[str, Boxes]:
    """Path -> boxes, of every photo that was read."""
    with (out / "files.csv").open(newline="") as file:
        found: dict[str, list] = {row["path"]: [] for row in csv.DictReader(file) if row["status"] == "ok"}
    with (out / "faces.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found[row["path"]].append([float(row[side]) for side in SIDES])
    return {path: as_boxes(rows) for path, rows in found.items()}


def same(first: dict[str, Boxes], second: dict[str, Boxes], within: float = 0.0101) -> None:
    assert first.keys() == second.keys()
    for path, one in first.items():
        other = second[path]
        assert one.shape == other.shape
        order = np.lexsort(one.T), np.lexsort(other.T)
        assert np.abs(one[order[0]] - other[order[1]]).max(initial=0) < within


def test_the_table_is_exact_to_a_hundredth(place: Path):
    found = from_csv(place / "out")
    detector = visavis.load_detector(device="cpu")
    same(found, {path: detector.detect([images.read(path)])[0].boxes for path in found})
    assert sorted(len(one) for one in found.values()) == [0, 1, 1, 2]


def test_json_is_what_stdout_had_and_has_every_input(place: Path):
    out = place / "out"
    lines = [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]
    assert lines == json.loads((out / "faces.json").read_text())
    assert (place / "stdout").read_text() == (out / "faces.jsonl").read_text()
    assert [line["status"] for line in lines] == ["ok", "ok", "ok", "ok", "unreadable"]
    boxes = {line["path"]: as_boxes([[face[side] for side in SIDES] for face in line["faces"]]) for line in lines[:4]}
    same(from_csv(out), boxes, 1e-4)
    scores = [face["score"] for line in lines for face in line["faces"]]
    assert len(scores) == 4 and min(scores) > 0.5


def test_coco_as_pycocotools_reads_it(place: Path):
    from pycocotools.coco import COCO

    coco = COCO(place / "out/coco.json")
    boxes = {}
    root = place / "out" / coco.dataset["info"]["root"]
    for image in coco.loadImgs(coco.getImgIds()):
        rows = np.array([entry["bbox"] for entry in coco.loadAnns(coco.getAnnIds(image["id"]))]).reshape(-1, 4)
        boxes[image["path"]] = as_boxes(np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:]]))
        with Image.open(root / image["file_name"]) as photo:
            assert photo.size == (image["width"], image["height"])
    same(from_csv(place / "out"), boxes)
    assert {image["file_name"] for image in coco.dataset["images"]} == {
        "a/1.jpg", "images/1.jpg", "images/1.png", "images/2 & two.jpg",
    }  # fmt: skip
    assert all(0.5 < entry["score"] <= 1 and not entry["iscrowd"] for entry in coco.loadAnns(coco.getAnnIds()))


def test_yolo_by_hand(place: Path):
    boxes = {}
    for photo in filter(Path.is_symlink, (place / "out/yolo/images").rglob("*")):
        label = Path("/labels/".join(str(photo).rsplit("/images/", 1))).with_suffix(".txt")  # as its trainer does
        height, width = images.read(photo).shape[:2]
        rows = np.array([line.split()[1:] for line in label.read_text().splitlines()], float).reshape(-1, 4)
        centres, sizes = rows[:, :2] * (width, height), rows[:, 2:] * (width, height)
        boxes[str(photo.readlink())] = as_boxes(np.hstack([centres - sizes / 2, centres + sizes / 2]))
    same(from_csv(place / "out"), boxes)


def test_voc_by_hand(place: Path):
    boxes = {}
    for path in (place / "out/voc/Annotations").rglob("*.xml"):
        root = ElementTree.parse(path).getroot()
        corners = [[float(entry.findtext(f"bndbox/{c}", "")) for c in ("xmin", "ymin", "xmax", "ymax")]
                   for entry in root.iter("object")]  # fmt: skip
        boxes[root.findtext("path", "")] = as_boxes(corners) - np.float32([1, 1, 0, 0])
        assert (place / "out/voc" / root.findtext("folder", "") / root.findtext("filename", "")).is_file()
    same(from_csv(place / "out"), boxes)


def test_another_run_leaves_no_tables_of_the_one_before(place: Path, tmp_path: Path):
    one, two, out = place / "photos/images/1.jpg", place / "photos/a", tmp_path / "out"
    for how in (
        (one, "--format", "csv,json,jsonl,coco,yolo,voc", "--look"),
        (two, "--format", "yolo,voc", "--overwrite"),
    ):
        assert typed("predict.py", *how, "--out", out, "--device", "cpu", "--no-draw").returncode == 0
    kept = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*") if path.is_file())
    assert kept == [
        "files.csv", "voc/Annotations/a/1.xml", "voc/JPEGImages/a/1.jpg",
        "yolo/data.yaml", "yolo/images/a/1.jpg", "yolo/labels/a/1.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("format", ["yolo", "voc", "coco"])
def test_our_own_import_reads_it(format: str, place: Path, tmp_path: Path):
    source = place / "out" / {"yolo": "yolo/data.yaml", "voc": "voc", "coco": "coco.json"}[format]
    done = typed("-m", "dataset", "import", format, source, "--out", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    read = {photo.path.read_bytes(): photo.boxes for photo in load_photos(tmp_path / "data")}
    before = from_csv(place / "out")
    same(before, {path: read[Path(path).read_bytes()] for path in before})


@pytest.mark.parametrize("format", ["yolo", "voc", "coco"])
def test_our_own_import_reads_names_of_any_bytes(format: str, tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in (b" lead.png", b"back\\slash.png", b"caf\xe9.png", b"new\nline.png", b"trail .png"):
        with open(os.fsencode(photos) + b"/" + name, "wb") as file:
            ASTRONAUT.save(file, "PNG")
    done = typed("predict.py", photos, "--out", tmp_path / "out", "--device", "cpu", "--no-draw", "--format", format)
    assert done.returncode == 0, done.stderr
    source = tmp_path / "out" / {"yolo": "yolo/data.yaml", "voc": "voc", "coco": "coco.json"}[format]
    done = typed("-m", "dataset", "import", format, source, "--out", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert [len(photo.boxes) for photo in load_photos(tmp_path / "data")] == [1] * 5


def test_names_in_coco_are_below_one_folder_however_the_inputs_were_given(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(place / "photos", tmp_path / "here/photos")
    shutil.copy(place / "photos/images/1.png", tmp_path / "single.png")
    (tmp_path / "here/deep").mkdir()
    monkeypatch.chdir(tmp_path / "here/deep")
    inputs = ("../photos/a", "../../single.png", str(tmp_path / "here/photos/images/1.jpg"))
    assert predict.predict(predict.Options(inputs, Path("out"), format="coco", draw=False, network=Network("cpu"))) == 0
    held = json.loads(Path("out/coco.json").read_text())
    assert [image["file_name"] for image in held["images"]] == [
        "here/photos/a/1.jpg",
        "single.png",
        "here/photos/images/1.jpg",
    ]
    assert held["info"] == {"root": "../../.."}
    assert [image["path"] for image in held["images"]] == ["../photos/a/1.jpg", *inputs[1:]]
    monkeypatch.chdir(tmp_path)
    done = typed("-m", "dataset", "import", "here/deep/out/coco.json", "--out", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert sorted(len(photo.boxes) for photo in load_photos(tmp_path / "data")) == [0, 1, 1]


def test_many_photos_have_several_pages(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    records = [Record(**json.loads(line)) for line in (place / "out/faces.jsonl").read_text().splitlines()]
    monkeypatch.setattr("visavis.page.ON_A_PAGE", 3)
    for numbers, pages in (((), [0]), ((0, 1), [2]), ((0, 1, 2, 3, 4), [3, 1]), ((0, 1, 2), [3])):
        some = [(Input(records[number].path), records[number]) for number in numbers]
        folder = tmp_path / "pages"  # those of a larger run before go
        folder.mkdir(exist_ok=True)
        prediction_pages.write_page(folder, lambda some=some: iter(some))
        names = ["look.html", "look-2.html"][: len(pages)]
        assert sorted(path.name for path in folder.iterdir()) == sorted(names)
        assert [(folder / name).read_text().count('"t":"') for name in names] == pages


def test_the_page_shows_all_that_was_read(place: Path):
    page = (place / "out/look.html").read_text()
    assert page.count('"t":"') == 4
    assert "2 \\u0026 two.jpg" in page or "2 & two.jpg" in page


FAULTY = """
WRITES, OF_PICTURES = "faulty.txt", False


def write(out, records):
    raise KeyError("no_such_field")
"""


def test_a_format_that_fails_is_named_and_the_others_are_written(place: Path, tmp_path: Path, monkeypatch, capfd):
    (tmp_path / "faulty_format.py").write_text(FAULTY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(FORMATS, "faulty", "faulty_format")
    photo, out = str(place / "photos/a/1.jpg"), tmp_path / "out"
    options = predict.Options((photo,), out, format="csv,faulty,jsonl,coco", draw=False, look=True, network=NETWORK)
    assert predict.predict(options) == 3
    said = capfd.readouterr().err.splitlines()
    assert f"--format faulty: {out / 'faulty.txt'} could not be written: KeyError('no_such_field')" in said
    assert json.loads((out / "faces.jsonl").read_text())["path"] == photo
    assert len(json.loads((out / "coco.json").read_text())["annotations"]) == 1
    assert len(from_csv(out)[photo]) == 1 and (out / "look.html").exists() and not (out / "faulty.txt").exists()

    mended = import_module("faulty_format")
    monkeypatch.setattr(
        mended, "write", lambda out, records: (out / "faulty.txt").write_text(f"{len(list(records()))}")
    )
    options.resume = True
    assert predict.predict(options) == 0
    assert "of 1 input, 1 was done before" in capfd.readouterr().err
    assert (out / "faulty.txt").read_text() == "1" and not (out / JOURNAL).exists()
