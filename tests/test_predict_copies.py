"""predict.py --redact, --crops and --sheet, end to end."""

import csv
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from clips import clip
from PIL import Image
from typed import typed

import visavis
from visavis import images
from visavis.boxes import as_boxes, iou
from visavis.commands import predict
from visavis.commands.network import Network
from visavis.effects.redaction import Redaction
from visavis.errors import InputError
from visavis.prediction.crops import Crops

ASTRONAUT = Image.fromarray(skimage.data.astronaut()[20:270, 100:400])
PLACE = "Oxfordshire"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "holiday"
    (folder / "b").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera works"
    exif.get_ifd(0x8825)[0x1C] = PLACE.encode()
    exif[0x8825] = exif.get_ifd(0x8825)
    ASTRONAUT.transpose(Image.Transpose.ROTATE_90).save(folder / "1.jpg", exif=exif, quality=95)
    ASTRONAUT.save(folder / "1.png")
    ASTRONAUT.save(folder / "1.png.jpg")
    ASTRONAUT.save(folder / "b/HEIC.heic", quality=95)
    ASTRONAUT.save(folder / "b/odd.JPEG")
    ASTRONAUT.save(folder / "b/wrongly.jpg", "WEBP", lossless=True)
    Image.new("RGB", (300, 200), "green").save(folder / "b/empty.gif")
    Image.fromarray(np.hstack([np.asarray(ASTRONAUT)] * 2 + [np.asarray(ASTRONAUT.resize((100, 250)))])).save(
        folder / "b/three.bmp"
    )
    (folder / "b/broken.jpg").write_bytes((folder / "1.jpg").read_bytes()[:4000])
    (folder / "b/text.png").write_text("no photo")
    assert PLACE.encode() in (folder / "1.jpg").read_bytes()
    return folder


def run(photos: Path, out: Path, **options) -> int:
    return predict.predict(
        predict.Options((str(photos),), out, network=Network("cpu"), workers=2, draw=False, **options)
    )


def test_every_photo_is_redacted_in_its_own_format_under_its_own_name(photos: Path, tmp_path: Path):
    before = tree(photos)
    out = tmp_path / "out"
    assert run(photos, out, redact="pixelate") == 3
    assert tree(photos) == before
    copies = tree(out / "redacted/holiday")
    copies["1.png.jpg"] = copies.pop("1.png-2.jpg")  # its own name without .jpg is that of another
    assert copies.keys() == before.keys() - {"b/broken.jpg", "b/text.png"}  # what does not decode is not passed on
    detector = visavis.load_detector(device="cpu")
    faces = rows(out / "faces.csv")
    for name, data in copies.items():
        source, redacted = images.decode(before[name]), images.decode(data)
        assert images.inspect(data).format == images.inspect(before[name]).format and source.shape == redacted.shape
        found = [row for row in faces if row["path"] == str(photos / name)]
        boxes = as_boxes([[float(row[side]) for side in ("x1", "y1", "x2", "y2")] for row in found])
        assert len(boxes) == {"b/empty.gif": 0, "b/three.bmp": 3}.get(name, 1)
        assert not (iou(detector.detect([redacted])[0].boxes, boxes) > 0.1).any()
        outside = ~Redaction("pixelate", grow=0.5).mask(source.shape[:2], visavis.Faces(boxes))
        changed = np.abs(source[outside].astype(int) - redacted[outside])
        assert changed.mean() < (2 if name.endswith("heic") else 1e-9), name
    with Image.open(out / "redacted/holiday/1.jpg") as image:
        assert image.getexif()[0x010F] == "Camera works" and image.getexif()[0x0112] == 6
    assert not any(PLACE.encode() in data for data in copies.values())


def test_a_photo_longer_than_a_jpeg_may_be_is_drawn_smaller_and_the_next_one_too(photos: Path, tmp_path: Path):
    Image.new("RGB", (65_600, 30), "green").save(photos / "0.png")
    out = tmp_path / "out"
    some = str(photos / "0.png"), str(photos / "1.png")
    assert predict.predict(predict.Options(some, out, network=Network("cpu"), workers=1)) == 0
    assert [(row["width"], row["status"]) for row in rows(out / "files.csv")] == [("65600", "ok"), ("300", "ok")]
    assert images.read(out / "drawn/0.png.jpg").shape == (30, 65_500, 3)


def test_a_face_that_transparency_hides_on_white_is_redacted_too(tmp_path: Path, capfd):
    white, photos = Image.new("L", ASTRONAUT.size, 255), tmp_path / "in"
    photos.mkdir()
    Image.merge("RGBA", [white] * 3 + [ASTRONAUT.convert("L")]).save(photos / "alpha.png")  # a face on black alone
    Image.merge("LA", [white, ASTRONAUT.convert("L")]).save(photos / "grey.webp", lossless=True)
    faint = ASTRONAUT.convert("RGBA")
    faint.putalpha(12)
    faint.save(photos / "faint.tif")
    seen = ASTRONAUT.convert("RGBA")
    seen.putalpha(200)
    seen.save(photos / "seen.png")
    assert run(photos, tmp_path / "out", redact="fill") == 0
    table = {Path(row["path"]).name: (row["faces"], row["unsure"]) for row in rows(tmp_path / "out/files.csv")}
    hidden = ("0", "1")
    assert table == {"alpha.png": hidden, "grey.webp": hidden, "faint.tif": hidden, "seen.png": ("1", "0")}
    assert "1 face; 3 more redacted, too unsure to report" in capfd.readouterr().err
    for name in table:
        with Image.open(tmp_path / "out/redacted/in" / name) as copy:
            left = np.asarray(copy.convert("RGBA"))[60:110, 110:150]
        assert (left[..., 3] == 255).all() and left[..., :3].std(axis=(0, 1)).max() == 0


def test_the_largest_face_may_be_kept_and_small_ones_are_redacted_too(photos: Path, tmp_path: Path, capfd):
    three = photos / "b/three.bmp"
    picture = np.asarray(Image.open(three)).copy()
    picture[:, 300:] = 0
    picture[:125, 300:450] = np.asarray(ASTRONAUT.resize((150, 125)))
    Image.fromarray(picture).save(three)
    assert run(three, tmp_path / "out", redact="fill", keep_largest=True, grow=0.1, min_size=80) == 0
    (row,) = rows(tmp_path / "out/files.csv")
    assert (row["faces"], row["left_out"]) == ("1", "1")  # the other is below 80 pixels
    assert "1 photo, 1 face; 1 smaller face left out" in capfd.readouterr().err
    redacted = images.read(tmp_path / "out/redacted/three.bmp")
    assert (redacted[:, :300] == picture[:, :300]).all()
    left = visavis.load_detector(device="cpu").detect([redacted])[0]
    assert len(left) == 1 and left.boxes[0, 2] < 300


def test_flat_crops_lie_in_one_folder_and_tell_photo_and_face(tmp_path: Path):
    for name in ("a/b.png", "a_b.png"):  # one name, if slashes were all that changed
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(skimage.data.astronaut()).save(tmp_path / "in" / name)
    clip(tmp_path / "in/c.mp4", sound=None)
    out = tmp_path / "out"
    done = typed("predict.py", tmp_path / "in", "--crops", "flat", "--no-draw", "--out", out, "--every", "10")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (out / "crops").iterdir())
    assert names == ["in_a__b.png-0.jpg", "in_a_b.png-0.jpg", "in_c.mp4-0-0.jpg", "in_c.mp4-10-0.jpg"]
    done = typed("predict.py", "--crops", tmp_path / "in/a_b.png", "--out", tmp_path / "new")  # a photo, no choice
    assert done.returncode == 0 and (tmp_path / "new/crops/a_b.png/0.jpg").exists(), done.stderr


def test_what_may_be_a_face_is_covered_and_counted_but_not_told_of(photos: Path, tmp_path: Path, capfd):
    some = photos / "1.png"
    assert run(some, tmp_path / "all", threshold=1.0, redact="fill", redact_threshold=0.1) == 0
    (row,) = rows(tmp_path / "all/files.csv")
    assert (row["faces"], row["left_out"]) == ("0", "0") and int(row["unsure"]) >= 1
    assert rows(tmp_path / "all/faces.csv") == []
    assert f"0 faces; {row['unsure']} more redacted, too unsure to report" in capfd.readouterr().err
    assert len(visavis.load_detector(device="cpu").detect(tmp_path / "all/redacted/1.png")) == 0
    assert run(some, tmp_path / "sure", threshold=1.0, redact="fill", redact_threshold=1.0) == 0
    assert rows(tmp_path / "sure/files.csv")[0]["unsure"] == "0"
    kept = images.read(tmp_path / "sure/redacted/1.png")
    assert (kept == images.read(some)).all()


def test_crops_hold_each_face_and_old_ones_go(photos: Path, tmp_path: Path):
    out = tmp_path / "out"
    assert run(photos, out, crops="by-photo", square=True, margin=0.3) == 3
    faces = rows(out / "faces.csv")
    crops = {str(path.relative_to(out / "crops")) for path in (out / "crops").rglob("*.jpg")}
    assert crops == {
        *(f"holiday/{name}/0.jpg" for name in ("1", "1.png", "1.png-2", "b/HEIC.heic", "b/odd.JPEG", "b/wrongly")),
        *("holiday/b/three.bmp/0.jpg", "holiday/b/three.bmp/1.jpg"),
    } or len(crops) == len(faces)
    for path in (out / "crops").rglob("*.jpg"):
        crop = images.read(path)
        assert crop.shape[0] == crop.shape[1] > 100
        squeezed = path.match("three.bmp/2.jpg")  # alone, its face is less sure
        detector = visavis.load_detector(device="cpu", threshold=0.3 if squeezed else None)
        assert len(detector.detect([crop])[0]) == 1
    assert run(photos, out, crops="by-photo", threshold=1.0, overwrite=True) == 3
    assert not list((out / "crops").rglob("*.jpg"))


def test_names_of_flat_crops_are_short_enough_and_apart():
    one, other = (Crops(order="flat").name(f"{'folder/' * 60}{name}", "12-3") for name in ("a", "b"))
    assert len(one) == len(other) == 240 and one != other and one.startswith("folder_folder_")
    assert Crops(order="flat").name("an_album/one", "0") == "an__album_one-0.jpg"
    assert len(Crops(order="flat").name("\N{GRINNING FACE}" * 100, "0").encode()) <= 255


def test_crops_of_another_video_are_left(tmp_path: Path):
    for name in ("a.mp4-25-0.jpg", "a.mp4-b.mp4-25-0.jpg", "a.mp4-25.jpg"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in Crops(order="flat").of_frames(tmp_path, "a.mp4")] == ["a.mp4-25-0.jpg"]


def test_a_crop_stays_in_the_picture_and_a_square_one_square():
    picture = np.arange(60 * 100, dtype=np.int64).reshape(60, 100, 1).repeat(3, axis=2).astype(np.uint8)
    box = np.array([10, 20, 30, 50], np.float32)
    assert Crops(0).cut(picture, box).shape == (30, 20, 3)
    assert (Crops(0).cut(picture, box) == picture[20:50, 10:30]).all()
    assert Crops(0.5).cut(picture, box).shape == (55, 40, 3)  # 60 high, of which 5 are outside
    assert Crops(0, square=True).cut(picture, box).shape == (30, 30, 3)
    for corner in ([-20, -20, 20, 20], [80, 40, 120, 70], [-50, -50, 200, 200], [0, 0, 1, 1], [300, 10, 310, 20]):
        for margin in (0, 0.2, 2):
            shape = Crops(margin, square=True).cut(picture, np.array(corner, np.float32)).shape
            assert 0 < shape[0] == shape[1] <= 60
            assert min(Crops(margin).cut(picture, np.array(corner, np.float32)).shape) > 0


def test_sheets_show_all_faces_page_by_page(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("visavis.prediction.sheets.ROWS", 1)
    monkeypatch.setattr("visavis.prediction.sheets.COLUMNS", 3)
    out = tmp_path / "out"
    assert run(photos, out, sheet=True) == 3
    count = len(rows(out / "faces.csv"))
    assert count in (8, 9) and sorted(tree(out / "sheets")) == ["0001.jpg", "0002.jpg", "0003.jpg"]
    shown = [
        visavis.load_detector(device="cpu", threshold=0.3).detect([images.read(page)])[0]
        for page in (out / "sheets").iterdir()
    ]
    assert sum(map(len, shown)) == count
    assert not (out / ".sheet").exists()

    (out / "sheets/notes.jpg").touch()
    assert run(photos / "1.png", out, sheet=True, overwrite=True) == 0
    assert sorted(tree(out / "sheets")) == ["0001.jpg", "notes.jpg"]


def test_a_killed_run_goes_on_to_the_same_pictures(photos: Path, tmp_path: Path):
    for number in range(40):  # so many that it is not done before the signal comes
        shutil.copy(photos / "1.png", photos / f"c{number}.png")
    options = ["--redact", "oval-blur", "--crops", "--sheet", "--device", "cpu", "--workers", "2"]

    def words(out: Path) -> list[str]:
        return ["predict.py", str(photos), "--out", str(out), *options]

    journal = tmp_path / "out/.predict.jsonl"
    killed = subprocess.Popen([sys.executable, *words(tmp_path / "out")], stderr=subprocess.DEVNULL)
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 4) and killed.poll() is None:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert typed(*words(tmp_path / "out"), "--resume").returncode == typed(*words(tmp_path / "whole")).returncode == 3
    whole, again = tree(tmp_path / "whole"), tree(tmp_path / "out")
    assert whole.keys() == again.keys() and "sheets/0001.jpg" in whole
    assert [name for name in whole if whole[name] != again[name]] in ([], ["files.csv"])  # its seconds


def test_pictures_of_faces_are_not_written_over_or_asked_for_in_vain(photos: Path, tmp_path: Path):
    for name in ("redacted", "crops", "sheets"):
        (tmp_path / name / name).mkdir(parents=True)
        with pytest.raises(InputError, match=f"already holds {name}; give another `out`, or `overwrite`"):
            run(photos, tmp_path / name, redact="blur")
    for options, words in (
        ({"keep_largest": True}, "--redact"),
        ({"grow": 0.3}, "--redact"),
        ({"square": True}, "--crops"),
        ({"margin": 0.1}, "--crops"),
    ):
        with pytest.raises(InputError, match=words):
            run(photos, tmp_path / "out", **options)
    with pytest.raises(InputError, match="need --out"):
        predict.predict(predict.Options((str(photos),), None, stdout="jsonl", redact="blur"))
    assert not (tmp_path / "out").exists()


def test_a_picture_that_cannot_be_written_is_told_by_name(photos: Path, tmp_path: Path):
    (tmp_path / "out/redacted/1.png").mkdir(parents=True)
    with pytest.raises(InputError, match=r"cannot write .*1\.png.*`resume`"):
        run(photos / "1.png", tmp_path / "out", redact="blur", overwrite=True)
