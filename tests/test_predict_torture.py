"""predict.py over a tree of all that may go wrong: each file once in files.csv, with the right status, no traceback."""

import csv
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas
import pytest
from predicted import boxes, rows, snapshot
from torture import grow_and_vanish, make
from typed import started

from visavis import images
from visavis.sources import shown


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    """The tree, what is expected of it, the results, the exit status and what was said."""
    root = tmp_path_factory.mktemp("torture")
    expected = make(root / "tree")
    before = snapshot(root / "tree")
    out = root / "out"
    words = ("predict.py", root / "tree", "--out", out, "--device", "cpu", "--format", "csv,json,jsonl,coco,yolo,voc")
    process = started(*words, "--timeout", "20s")
    deadline = time.monotonic() + 300
    while not (out / "files.csv").exists() or len((out / "files.csv").read_bytes()) < 200:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    grow_and_vanish(root / "tree")
    _, said = process.communicate(timeout=900)
    after = snapshot(root / "tree")
    changed = {"grows.jpg", "vanishes.jpg"}
    assert {p: s for p, s in after.items() if p.name not in changed} == {
        p: s for p, s in before.items() if p.name not in changed
    }
    return root / "tree", expected, out, process.returncode, said


def test_each_is_there_once_with_the_right_status(run):
    tree, expected, out, status, said = run
    assert status == 3, said
    assert "Traceback" not in said and "Error" not in said
    files = rows(out / "files.csv")
    wanted = sorted(Path(name) for name in expected)
    assert [row["path"] for row in files] == [shown(os.fspath(tree / path)) for path in wanted]
    wrong = [
        (row["path"], row["status"], row["reason"], expected[os.fspath(path)])
        for row, path in zip(files, wanted, strict=True)
        if row["status"] != expected[os.fspath(path)][0] or row["reason"] not in expected[os.fspath(path)][1:]
    ]
    assert not wrong
    assert len(files) > 250
    failed = sum(row["status"] == "unreadable" for row in files)
    assert f"{failed} could not be read" in said


def test_csv_and_pandas_read_the_same(run):
    _, _, out, _, _ = run
    for name in ("files.csv", "faces.csv"):
        with (out / name).open(encoding="utf-8", newline="") as file:
            by_csv = list(csv.DictReader(file, strict=True))
        by_pandas = pandas.read_csv(out / name, dtype=str, keep_default_na=False)
        assert by_pandas.to_dict("records") == by_csv
    faces, files = pandas.read_csv(out / "faces.csv"), pandas.read_csv(out / "files.csv")
    assert sorted(files.frames.dropna()) == [0, 0, 0, 0, 0, 2] and sorted(faces.frame.dropna()) == [0, 5]
    counted = files[files.status == "ok"].set_index("path").faces
    found = faces.groupby("path").size()
    assert counted[counted > 0].sort_index().to_dict() == found.sort_index().to_dict()
    assert len(json.loads((out / "faces.json").read_text())) == len(files)
    shown = json.loads((out / "coco.json").read_text())["images"]
    assert len(shown) == len(counted) - 1 + 2  # the video's frames 0 and 5


def test_a_photo_turned_any_way_has_its_face_where_it_is(run):
    tree, _, out, _, _ = run
    faces = rows(out / "faces.csv")
    turned = [boxes([row for row in faces if row["path"] == f"{tree}/turned/{way}.jpg"]) for way in range(1, 9)]
    assert [len(each) for each in turned] == [1] * 8
    assert np.ptp(np.concatenate(turned), axis=0).max() < 1


def test_many_faces_and_none(run):
    tree, _, out, _, _ = run
    files = {row["path"].removeprefix(f"{tree}/"): row for row in rows(out / "files.csv")}
    assert int(files["crowd.png"]["faces"]) > 150
    assert all(files[f"plain/{shade}.png"]["faces"] == "0" for shade in (0, 128, 255))
    assert files["formats/1x5000.png"]["height"] == "5000"
    assert {files[f"formats/{name}"]["faces"] for name in ("cmyk.jpg", "16-bit.png", "photo.heic", "many.gif")} == {"1"}


def test_each_photo_that_was_read_has_a_copy_and_labels_of_its_own(run):
    tree, expected, out, _, _ = run
    read = [name for name, verdict in expected.items() if verdict[0] == "ok" and not name.endswith(".mp4")]
    assert [path.name for path in (out / "drawn/tree/videos").iterdir()] == ["whole.mp4"]
    assert sorted(path.name for path in (out / "frames/tree/videos/whole.mp4").iterdir()) == ["0.jpg", "5.jpg"]
    for folder, ending in (("drawn", ".jpg"), ("yolo/labels", ".txt"), ("voc/Annotations", ".xml")):
        written = [path for path in (out / folder).rglob("*") if path.is_file() and "whole.mp4" not in path.parts]
        assert len(written) == len(read)
        assert {path.suffix for path in written} == {ending}
    for folder in ("yolo/images", "voc/JPEGImages"):
        links = [path for path in (out / folder).rglob("*") if path.is_symlink() and "whole.mp4" not in path.parts]
        assert {os.fspath(path.resolve()) for path in links} == {os.fspath((tree / name).resolve()) for name in read}
    assert images.read(out / "drawn/tree/turned/6.jpg").shape == (240, 256, 3)
    assert not list(out.rglob(".*"))
