"""predict.py on videos, end to end."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from breaking import Breaking
from clips import BOX, FACE, STEP, clip, sounds
from PIL import Image
from typed import typed

from visavis import Faces, images, load_detector
from visavis.boxes import as_boxes, iou
from visavis.commands import predict
from visavis.commands.network import Network
from visavis.effects.redaction import Redaction
from visavis.errors import InputError
from visavis.prediction import frames as frames_of
from visavis.prediction.frames import copy_name
from visavis.prediction.pipeline import Pipeline, Task
from visavis.sources import listed
from visavis.video.recording import Frame, Video
from visavis.workers import Workers


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def frames(path: Path) -> list[np.ndarray]:
    with Video(path) as video:
        return [part.picture for part in video.parts() if isinstance(part, Frame)]


def run(photos: Path, out: Path, **options) -> int:
    return predict.predict(predict.Options((str(photos),), out, network=Network("cpu"), workers=1, **options))


@pytest.fixture
def holiday(tmp_path: Path) -> Path:
    folder = tmp_path / "holiday"
    folder.mkdir()
    clip(folder / "a.mp4", title="Oxfordshire")
    Image.fromarray(FACE).save(folder / "b.png")
    clip(folder / "c.avi", codec="mpeg4", sound="libmp3lame")
    data = clip(tmp_path / "long.mkv", range(0, 2400, 40)).read_bytes()
    (folder / "cut.mkv").write_bytes(data[: len(data) // 2])
    (folder / "text.mov").write_text("no video")
    return folder


def test_videos_beside_photos(holiday: Path, tmp_path: Path):
    before = {path: path.read_bytes() for path in holiday.iterdir()}
    out = tmp_path / "out"
    assert run(holiday, out, redact="blur", crops="by-photo", sheet=True, format="csv,jsonl,coco") == 3
    assert {path: path.read_bytes() for path in holiday.iterdir()} == before
    files = {Path(row["path"]).name: row for row in rows(out / "files.csv")}
    verdicts = {name: (row["status"], row["reason"], row["frames"]) for name, row in files.items()}
    assert verdicts.pop("cut.mkv")[:2] == ("unreadable", "truncated") and int(files["cut.mkv"]["frames"]) > 2
    assert verdicts == {
        "a.mp4": ("ok", "", "4"),
        "b.png": ("ok", "", ""),
        "c.avi": ("ok", "", "4"),
        "text.mov": ("unreadable", "not_video", "0"),
    }
    assert (files["a.mp4"]["width"], files["a.mp4"]["height"]) == ("300", "250")
    faces = rows(out / "faces.csv")
    assert {name: sum(Path(face["path"]).name == name for face in faces) for name in files} == {
        name: int(row["faces"] or 0) for name, row in files.items()
    }
    for face in (face for face in faces if face["path"].endswith("a.mp4")):
        number = int(face["frame"])
        assert number % 5 == 0 and float(face["time"]) == pytest.approx(number / 25, abs=0.001) and face["face"] == "0"
        found = as_boxes([[float(face[side]) for side in ("x1", "y1", "x2", "y2")]])
        assert iou(found, as_boxes([BOX + np.float32([number * STEP, 0, number * STEP, 0])])) > 0.7
    assert [face["frame"] for face in faces if face["path"].endswith("b.png")] == [""]

    detector = load_detector(device="cpu")
    for name, source in (("a.mp4", "a.mp4"), ("c.avi.mkv", "c.avi")):
        copies = frames(out / "redacted/holiday" / name), frames(out / "drawn/holiday" / name)
        assert len(copies[0]) == len(copies[1]) == 20
        assert not any(len(found) for found in detector.detect(copies[0][::4]))
        before_and_after = zip(frames(holiday / source), copies[1], strict=True)
        assert all(np.abs(old.astype(int) - new).mean() > 3 for old, new in before_and_after)  # boxes in each
        assert sounds(out / "redacted/holiday" / name) == sounds(holiday / source)
    assert b"Oxfordshire" not in (out / "redacted/holiday/a.mp4").read_bytes()
    assert not list(out.glob("[dr]*/holiday/cut*")) and not list(out.rglob("*.tmp"))  # no copy of what breaks off
    crops = sorted(path.name for path in (out / "crops/holiday/a.mp4").iterdir())
    assert crops == ["0-0.jpg", "10-0.jpg", "15-0.jpg", "5-0.jpg"]
    assert min(images.read(out / "sheets/0001.jpg").shape[:2]) > 100
    lines = [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]
    assert [(line["frames"], line["faces"][1]["frame"]) for line in lines if line["path"].endswith("a.mp4")] == [(4, 5)]
    coco = json.loads((out / "coco.json").read_text())
    looked_at = 1 + sum(int(row["frames"] or 0) for row in files.values())
    assert len(coco["images"]) == looked_at == len(list((out / "frames").rglob("*.jpg"))) + 1
    assert len(coco["annotations"]) == len(faces) and len(coco["videos"]) == 4
    frame = next(one for one in coco["images"] if one["path"].endswith("a.mp4") and one["frame_id"] == 15)
    assert {one["id"]: one["name"] for one in coco["videos"]}[frame["video_id"]] == frame["path"]
    shown = images.read(out / coco["info"]["root"] / frame["file_name"])
    (box,) = [one["bbox"] for one in coco["annotations"] if one["image_id"] == frame["id"]]
    found = detector.detect([shown])[0].boxes
    assert iou(found, as_boxes([[box[0], box[1], box[0] + box[2], box[1] + box[3]]]))[0, 0] > 0.9


def test_every_says_how_often_and_photos_alone_have_no_columns_for_it(holiday: Path, tmp_path: Path):
    assert run(holiday / "a.mp4", tmp_path / "one", every=2, draw=False) == 0
    assert [row["frame"] for row in rows(tmp_path / "one/faces.csv")] == [str(number) for number in range(0, 20, 2)]
    assert run(holiday / "b.png", tmp_path / "two", every=2, draw=False) == 0
    assert "frames" not in rows(tmp_path / "two/files.csv")[0] and "frame" not in rows(tmp_path / "two/faces.csv")[0]
    with pytest.raises(InputError, match="--keep-largest"):
        run(holiday / "a.mp4", tmp_path / "out", redact="blur", keep_largest=True)


@pytest.mark.parametrize("apart, every", [(20, 5), (50, 4), (100, 2), (250, 1), (2000, 1)])
def test_a_video_of_few_frames_is_searched_in_more_of_them(apart: int, every: int, tmp_path: Path):
    source = clip(tmp_path / "a.mp4", range(0, 10 * apart, apart), sound=None)
    assert run(source, tmp_path / "out", draw=False, format="json") == 0
    (record,) = json.loads((tmp_path / "out/faces.json").read_text())
    assert [face["frame"] for face in record["faces"]] == list(range(0, 10, every))
    assert (record["frames"], record["every"]) == (len(range(0, 10, every)), every)


class Sure:
    """A detector that is told where the face is."""

    threshold = 0.5

    def detect(self, pictures: list[np.ndarray]) -> list[Faces]:
        return [Faces([BOX], [0.9]) for _ in pictures]


def test_a_video_that_breaks_its_decoder_costs_itself_alone(tmp_path: Path, capfd: pytest.CaptureFixture):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.mp4", "crashes.mp4", "fails.mp4", "hangs.mp4", "z.mp4"):
        clip(folder / name, sound=None)
    Image.fromarray(FACE).save(folder / "m.png")
    copies = Breaking(tmp_path / "out", False, Redaction("fill"))
    with Workers(1, 60) as workers:
        pipeline = Pipeline(Sure(), workers, Task(copies=copies, seconds=4))
        records = {Path(one.path).stem: one for one in pipeline.records(listed([folder]))}
    assert {name: (one.status, one.reason) for name, one in records.items()} == {
        **dict.fromkeys("amz", ("ok", "")),
        **dict.fromkeys(("crashes", "fails", "hangs"), ("unreadable", "crashed")),
    }
    assert [(one.frames, len(one.faces)) for one in records.values() if one.reason] == [(2, 2)] * 3  # 0 and 5
    assert {path.name for path in (tmp_path / "out/redacted/in").glob("[!.]*")} == {"a.mp4", "m.png", "z.mp4"}
    said = capfd.readouterr().err
    for words in ("crashes.mp4: its process ended with status -6", "fails.mp4: RuntimeError: so many words",
                  "hangs.mp4: it took over 4 s"):  # fmt: skip
        assert words in said


def test_a_worker_that_died_leaves_no_half_copies(tmp_path: Path):
    clip(tmp_path / "a.mp4")
    assert run(tmp_path / "a.mp4", tmp_path / "out", timeout=0.001) == 3  # too little for anything
    assert [row["reason"] for row in rows(tmp_path / "out/files.csv")] == ["crashed"]
    files = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_file())
    assert files == ["faces.csv", "files.csv", "tracks.csv"] and rows(tmp_path / "out/tracks.csv") == []
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_frames_are_pictures_for_formats_and_some_of_them_for_the_page(holiday: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("visavis.prediction.frames.MOST", 2)  # of the page, here; the worker keeps what it may
    out = tmp_path / "out"
    assert run(holiday / "a.mp4", out, every=2, draw=False, look=True) == 0
    page = (out / "look.html").read_text()
    assert page.count('"t":"') == 2 + 1 and "a.mp4 0.0 s" in page and "a.mp4 0.6 s" in page
    assert run(holiday, out, every=2, draw=False, format="yolo,voc", overwrite=True) == 3
    assert images.read(out / "yolo/images/holiday/a.mp4/4.jpg").shape == FACE.shape
    assert len((out / "yolo/labels/holiday/a.mp4/4.txt").read_text().splitlines()) == 1
    assert "<frame>4</frame>" in (out / "voc/Annotations/holiday/a.mp4/4.xml").read_text()
    for source in (out / "yolo/data.yaml", out / "voc"):
        data = tmp_path / source.stem
        done = typed("-m", "dataset", "import", "yolo" if source.suffix else "voc", source, "--out", data)
        assert done.returncode == 0, done.stderr
        assert len(list((data / "images").rglob("a.mp4/*.jpg"))) == 10


def test_frames_that_are_kept_are_those_that_are_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frames_of, "MOST", 7)
    for count in (0, 1, 7, 8, 15, 29, 100):
        kept = frames_of.Kept()
        for number in range(0, 3 * count, 3):
            kept.write(tmp_path, f"{count}.mp4", number, FACE[:8, :8])
        left = sorted(int(path.stem) for path in (tmp_path / f"frames/{count}.mp4").glob("*.jpg"))
        assert left == frames_of.spread(list(range(0, 3 * count, 3))) and len(left) <= 7


def test_a_killed_run_goes_on_to_the_same_videos(holiday: Path, tmp_path: Path):
    clip(holiday / "z.mp4", range(0, 1600, 20))
    options = ["--redact", "pixelate", "--device", "cpu", "--workers", "1", "--every", "3"]

    def words(out: Path) -> list[str]:
        return ["predict.py", str(holiday), "--out", str(out), *options]

    journal = tmp_path / "out/.predict.jsonl"
    killed = subprocess.Popen([sys.executable, *words(tmp_path / "out")], stderr=subprocess.DEVNULL)
    try:
        while killed.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 5):
            time.sleep(0.01)
    finally:
        killed.send_signal(signal.SIGKILL)  # in the last video
    assert killed.wait() == -signal.SIGKILL
    assert typed(*words(tmp_path / "out"), "--resume").returncode == typed(*words(tmp_path / "whole")).returncode == 3
    trees = [
        {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for out in (tmp_path / "out", tmp_path / "whole")
    ]
    for tree in trees:
        tree.pop("files.csv")  # its seconds
    assert trees[0] == trees[1] and "redacted/holiday/z.mp4" in trees[0]


def test_another_run_leaves_no_frames_of_the_one_before(tmp_path: Path):
    film, out = clip(tmp_path / "film.mp4"), tmp_path / "out"
    for every, overwrite in ((2, False), (5, True)):
        assert (
            run(film, out, every=every, overwrite=overwrite, format="csv,yolo,voc", crops="by-photo", draw=False) == 0
        )
    looks = int(rows(out / "files.csv")[0]["frames"])
    for folder in ("frames", "yolo/images", "yolo/labels", "voc/JPEGImages", "voc/Annotations"):
        assert len(list((out / folder / "film.mp4").iterdir())) == looks, folder
    assert len(list((out / "crops/film.mp4").iterdir())) == len(rows(out / "faces.csv"))


def test_the_last_look_before_a_break_is_told_of(tmp_path: Path):
    data = clip(tmp_path / "long.mkv", range(0, 2400, 40)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    for draw in (False, True):
        out = tmp_path / f"out{draw:d}"
        assert run(tmp_path / "cut.mkv", out, every=1, crops="by-photo", draw=draw) == 3
        assert len(list((out / "crops/cut.mkv").iterdir())) == len(rows(out / "faces.csv")) > 0


@pytest.mark.parametrize("name, sound, copy", [
    ("a.webm", "flac", "a.webm.mkv"), ("a.avi", "pcm_mulaw", "a.avi.mov"), ("a.avi", "adpcm_ms", "a.avi.wmv"),
])  # fmt: skip
def test_sound_that_a_container_does_not_take_goes_to_one_that_does(name: str, sound: str, copy: str, tmp_path: Path):
    made = tmp_path / ("a.mkv" if name == "a.webm" else name)
    source = clip(made, sound=sound, codec="mpeg4" if made.suffix == ".avi" else "libx264").rename(tmp_path / name)
    assert run(source, tmp_path / "out") == 0
    assert [path.name for path in (tmp_path / "out/drawn").iterdir()] == [copy]
    assert b"".join(sounds(tmp_path / "out/drawn" / copy)) == b"".join(sounds(source))
    assert len(frames(tmp_path / "out/drawn" / copy)) == 20


def test_no_two_copies_share_a_name(tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, codec in (("clip.avi", "mpeg4"), ("clip.avi.mkv", "libx264")):
        clip(folder / name, range(0, 160 if codec == "mpeg4" else 240, 40), sound=None, codec=codec)
    assert run(folder, tmp_path / "out", draw=False, redact="fill") == 0
    copies = {path.name: len(frames(path)) for path in (tmp_path / "out/redacted/in").iterdir()}
    assert copies == {"clip.avi.mkv": 4, "clip.avi.mkv.mkv": 6}
    places = ["a.avi", "a.avi.mkv", "A.AVI.mkv.mkv", "a.avi-2", "a.avi-2.mkv", "webcam-0", "webcam-0.mkv", "a.mkv"]
    names = [copy_name(place, ".mkv") for place in places]
    assert len({name.casefold() for name in names}) == len(names) and names[-1] == "a.mkv"


def test_progress_is_told_frame_by_frame_and_counts_are_in_words(tmp_path: Path, capfd: pytest.CaptureFixture):
    clip(tmp_path / "a.mp4")
    told: list[tuple[str, int, int | None]] = []
    with Workers(1, 60) as workers:
        pipeline = Pipeline(Sure(), workers, Task(), lambda *progress: told.append(progress))
        list(pipeline.records(listed([tmp_path / "a.mp4"])))
    assert told == [(str(tmp_path / "a.mp4"), done, 20) for done in (1, 6, 11, 16)]
    assert run(tmp_path / "a.mp4", tmp_path / "out", draw=False) == 0
    assert "1 video, 4 faces of 1 person in 4 frames searched; results in" in capfd.readouterr().err


def test_a_flag_that_would_do_nothing_is_refused():
    with pytest.raises(InputError, match="--overwrite needs --out, whose results it replaces"):
        predict.predict(predict.Options(("a.jpg",), stdout="jsonl", overwrite=True))
