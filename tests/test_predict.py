"""predict.py on real photos, with the detector that the project ships."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from predicted import boxes, rows, snapshot
from typed import started, typed

import visavis
from visavis import images, sources
from visavis.boxes import as_boxes, iou
from visavis.checkpoint import SHIPPED
from visavis.commands import predict
from visavis.commands.network import Network
from visavis.errors import InputError
from visavis.prediction.results import FACE_COLUMNS, FILE_COLUMNS

ASTRONAUT = skimage.data.astronaut()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A tree with equal names, odd names and files that are no photos."""
    folder = tmp_path / "holiday"
    small = Image.fromarray(ASTRONAUT[20:270, 100:400])
    for name in ("a/1.jpg", "a/1.png", "b/1.jpg", 'odd, "name"\r\n\N{GRINNING FACE}.jpg', "b/" + "n" * 251 + ".jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        small.save(folder / name, "PNG" if name.endswith(".png") else "JPEG")
    (folder / os.fsdecode(b"not-utf-8-\xff.jpg")).write_bytes((folder / "a/1.jpg").read_bytes())
    (folder / "b/2.webp").write_text("this is no photo")
    (folder / "b/3.jpg").write_bytes((folder / "a/1.jpg").read_bytes()[:3000])
    (folder / "b/notes.txt").write_text("not even by name")
    return folder


def test_every_input_has_its_row_and_every_photo_its_copy(photos: Path, tmp_path: Path, capfd):
    before = snapshot(photos)
    out = tmp_path / "out"
    options = predict.Options((photos, photos / "a/1.jpg"), out, threshold=0.05, network=Network("cpu"), min_size=30)
    assert predict.predict(options) == 3
    assert snapshot(photos) == before

    files = rows(out / "files.csv")
    assert list(files[0]) == list(FILE_COLUMNS)
    every = sorted(path for path in photos.rglob("*") if path.is_file())
    found = [path.as_posix() for path in every] + [(photos / "a/1.jpg").as_posix()]
    assert [row["path"] for row in files] == [sources.shown(path) for path in found]
    reasons = {Path(row["path"]).name: (row["status"], row["reason"]) for row in files[:-1]}
    assert reasons.pop("2.webp") == ("unreadable", "not_image")
    assert reasons.pop("3.jpg") == ("unreadable", "truncated")
    assert reasons.pop("notes.txt") == ("skipped", "other_ending")
    assert set(reasons.values()) == {("ok", "")}
    assert (files[-1]["status"], files[-1]["reason"]) == ("skipped", "named_twice")
    read = [row for row in files if row["status"] == "ok"]
    assert len(read) == 6
    assert all((row["width"], row["height"]) == ("300", "250") and float(row["seconds"]) > 0 for row in read)

    faces = rows(out / "faces.csv")
    assert faces
    counted = {row["path"]: int(row["faces"]) for row in read}
    assert {row["left_out"] for row in read} == {row["unsure"] for row in read} == {"0"}
    assert counted == {path: sum(face["path"] == path for face in faces) for path in counted}
    for face in faces:
        assert float(face["x2"]) - float(face["x1"]) >= 29.98
        assert float(face["y2"]) - float(face["y1"]) >= 29.98

    copies = {path.relative_to(out / "drawn").as_posix() for path in (out / "drawn").rglob("*") if path.is_file()}
    wanted = {f"holiday/{path.relative_to(photos).as_posix()}" for path in images.find(photos)}
    assert copies == wanted - {"holiday/a/1.png", "holiday/b/2.webp", "holiday/b/3.jpg"} | {"holiday/a/1.png.jpg"}
    drawn = images.read(out / "drawn/holiday/a/1.jpg")
    assert np.abs(drawn.astype(int) - images.read(photos / "a/1.jpg")).mean() > 1
    said = capfd.readouterr().err
    assert " on cpu, fp32; threshold: 0.05; only faces of 30 pixels or more" in said
    failed = [f"{row['path']} ({row['reason']})" for row in rows(out / "files.csv") if row["status"] == "unreadable"]
    assert f"6 photos, {len(faces)} faces; 2 could not be read: {failed[0]}, {failed[1]}" in said
    assert not list(out.rglob("*.tmp"))


def test_boxes_are_the_librarys(photos: Path, tmp_path: Path):
    options = predict.Options((photos / "a/1.png",), tmp_path / "out", network=Network("cpu"), draw=False)
    assert predict.predict(options) == 0
    faces = visavis.load_detector(device="cpu").detect([images.read(photos / "a/1.png")])[0]
    table = rows(tmp_path / "out/faces.csv")
    assert len(faces) == 1
    assert boxes(table) == pytest.approx(faces.boxes, abs=0.0051)
    assert [float(row["score"]) for row in table] == pytest.approx(faces.scores, abs=0.0001)
    assert [row["face"] for row in table] == ["0"]
    assert not (tmp_path / "out/drawn").exists()


def test_threshold_is_the_users(photos: Path, tmp_path: Path):
    options = predict.Options((photos / "a",), tmp_path / "out", threshold=1.0, network=Network("cpu"), batch_size=1)
    assert predict.predict(options) == 0
    assert (tmp_path / "out/faces.csv").read_text() == ",".join(FACE_COLUMNS) + "\n"
    assert {row["faces"] for row in rows(tmp_path / "out/files.csv")} == {"0"}


def test_equal_names_in_different_places_stay_apart(tmp_path: Path):
    for name in ("x/p/1.jpg", "y/p/1.jpg", "y/p/1.JPG", "z/1.jpg", "z/1.png", "z/1.png.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    places = [tmp_path / "x/p", tmp_path / "y/p", tmp_path / "z/1.jpg", tmp_path / "x/p/1.jpg", tmp_path / "z"]
    inputs = sources.listed(places)
    kept = [one.place.casefold() for one in inputs if not one.reason]
    again = [one.path for one in inputs if one.reason]
    assert len(inputs) == 8
    assert [Path(path).relative_to(tmp_path).as_posix() for path in again] == ["x/p/1.jpg", "z/1.jpg"]
    assert len(set(kept)) == len(kept) == 6
    assert kept[0] == "p/1"
    assert kept[1].startswith("p-2/")


def test_names_stay_within_what_file_systems_take():
    from pathlib import PurePosixPath

    taken: set[str] = set()
    long = PurePosixPath("a", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 120 + ".png.jpg")
    for _ in range(12):
        assert len(os.fsencode(sources._free(long, taken, 250).name)) <= 250
    assert len(taken) == 12


def test_pipes_are_not_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    options = predict.Options((tmp_path / "pipe.jpg", tmp_path / "loop.jpg"), tmp_path / "out", network=Network("cpu"))
    assert predict.predict(options) == 0
    reasons = [(row["status"], row["reason"], row["faces"]) for row in rows(tmp_path / "out/files.csv")]
    assert reasons == [("skipped", "pipe", ""), ("skipped", "link_loop", "")]


def test_results_are_replaced_only_when_asked(photos: Path, tmp_path: Path):
    out = tmp_path / "out"
    again = {"out": out, "network": Network("cpu")}
    assert predict.predict(predict.Options((photos / "a",), **again)) == 0
    before = snapshot(out)
    for kept in ("files.csv", "faces.csv", "drawn"):
        with pytest.raises(InputError, match=f"already holds {kept}.*`overwrite`"):
            predict.predict(predict.Options((photos / "b",), **again))
        assert snapshot(out) == before
        (out / kept).rename(tmp_path / f"was-{kept}")
        before = snapshot(out)
    for kept in ("files.csv", "faces.csv", "drawn"):
        (tmp_path / f"was-{kept}").rename(out / kept)
    assert predict.predict(predict.Options((photos / "a/1.png",), **again, overwrite=True)) == 0
    assert len(rows(out / "files.csv")) == 1


def test_photos_and_results_are_kept_apart(photos: Path, tmp_path: Path):
    for out in (photos, photos / "b", photos / "new/deep", photos / "a/../b"):
        with pytest.raises(InputError, match="lies inside"):
            predict.predict(predict.Options((photos,), out))
    (tmp_path / "link").symlink_to(photos)
    with pytest.raises(InputError, match="lies inside"):
        predict.predict(predict.Options((photos,), tmp_path / "link/out"))
    (tmp_path / "out/drawn").mkdir(parents=True)
    (tmp_path / "out/drawn/1.jpg").write_bytes((photos / "a/1.jpg").read_bytes())
    with pytest.raises(InputError, match="where results go"):
        predict.predict(predict.Options((tmp_path / "out/drawn/1.jpg",), tmp_path / "out", overwrite=True))
    assert not (photos / "new").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"photos": (Path("nowhere.jpg"),)}, "nowhere.jpg is not there"),
        ({"photos": ()}, "give photos, videos or folders, or --webcam 0"),
        ({"threshold": 1.5}, "`threshold` must lie between 0 and 1, and is 1.5"),
        ({"threshold": float("nan")}, "`threshold` must lie between 0 and 1, and is nan"),
        ({"detector": __file__}, "is not a checkpoint"),
        ({"detector": "nowhere.safetensors"}, "no weights at"),
        ({"network": Network("cuda:99")}, "`device` cuda:99"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_written(
    more: dict, message: str, photos: Path, tmp_path: Path
):
    out = tmp_path / "out"
    usual = {"photos": (photos,), "out": out, "network": Network("cpu")}
    with pytest.raises(InputError, match=message):
        predict.predict(predict.Options(**usual | more))
    assert not out.exists()


def test_an_empty_folder_and_an_out_that_is_a_file(photos: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no photo to look at in .*empty;"):
        predict.predict(predict.Options((tmp_path / "empty",), tmp_path / "out"))
    for out, message in ((photos / "b/notes.txt", "is a file"), (photos / "b/notes.txt/x", "cannot make the folder")):
        with pytest.raises(InputError, match=message):
            predict.predict(predict.Options((photos / "a",), out, network=Network("cpu")))


def test_the_command_line(photos: Path, tmp_path: Path):
    run = typed("predict.py", photos / "b", "--out", tmp_path / "out", "--device", "auto", "--no-draw")
    assert run.returncode == 3
    assert run.stdout == ""
    assert " on cpu, fp32" in run.stderr or " on cuda" in run.stderr
    assert f"threshold: {visavis.load_detector(device='cpu').threshold:.3g}" in run.stderr


def test_who_has_not_exported_a_network_hears_of_it(tmp_path: Path, capfd):
    Image.fromarray(ASTRONAUT).save(tmp_path / "photo.jpg")
    weights = tmp_path / "my own.safetensors"
    shutil.copy(SHIPPED, weights)
    hint = f"on a CPU, detection is two to five times as fast after `python -m visavis.export '{weights}'`"
    for number, (backend, told) in enumerate((("auto", True), ("torch", False), ("auto", False))):
        out = tmp_path / f"out-{number}"
        options = predict.Options(
            (tmp_path / "photo.jpg",), out, detector=str(weights), network=Network("cpu", backend)
        )
        assert predict.predict(options) == 0
        assert (hint in capfd.readouterr().err) == told
        shutil.copy(SHIPPED.with_suffix(".onnx"), weights.with_suffix(".onnx"))


def test_where_no_worker_can_start_the_run_ends_in_one_line(photos: Path, tmp_path: Path):
    broken = 'import os, sys\nif "forkserver" in " ".join(sys.orig_argv): os._exit(1)\n'
    (tmp_path / "sitecustomize.py").write_text(broken)  # each Python reads it as it starts
    more = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = started("predict.py", photos, "--out", tmp_path / "out", "--device", "cpu", env=more)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 2
    assert "python predict.py: no worker process can start: " in errors and "Traceback" not in errors
    assert "crashed" not in (tmp_path / "out" / "files.csv").read_text()


def test_the_shipped_detector_finds_the_astronaut_and_nothing_else(tmp_path: Path):
    photos = {"astronaut.png": ASTRONAUT, "coffee.png": skimage.data.coffee(), "cat.png": skimage.data.chelsea()}
    for name, picture in photos.items():
        Image.fromarray(picture).save(tmp_path / name)
    assert predict.predict(predict.Options((tmp_path,), tmp_path.parent / "found", network=Network("cpu"))) == 0
    table = rows(tmp_path.parent / "found/faces.csv")
    assert [Path(row["path"]).name for row in table] == ["astronaut.png"]
    assert iou(boxes(table), as_boxes([[180, 68, 272, 186]]))[0, 0] > 0.5
