"""python -m clean, as it is typed: planted faults, and what changes between two runs."""

import hashlib
import io
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from cleaning import ASTRONAUT, FACE, Folder, apart, clean, jpeg, verdicts
from PIL import Image
from typed import Done, typed

import visavis
from dataset import tables
from dataset.faces import FaceDataset
from dataset.photos import load_photos
from dataset.pictures import entries
from visavis import images


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> tuple[Path, Done]:
    folder = Folder(tmp_path_factory.mktemp("data"))
    portrait = jpeg(ASTRONAUT)
    folder.add("Ann/good", portrait)
    folder.add("Ann/again", portrait, curated=1)  # the better label of the two
    folder.add("Bob/again", portrait)
    folder.add("Ann/truncated", jpeg(ASTRONAUT[:400])[:9000])
    folder.add("Ann/page", b"<html>gone</html>")
    folder.add("Ann/empty", b"")
    folder.add("Ann/gone", None)
    folder.add("Ann/grey", jpeg(np.full((200, 300, 3), 200, np.uint8)))
    folder.add("Ann/tiny", jpeg(ASTRONAUT[100:130, 200:230]), (2, 2, 25, 28))
    folder.add("Ann/coffee", jpeg(skimage.data.coffee()))
    folder.add("Ann/moved", jpeg(ASTRONAUT[:450]), (20, 250, 110, 360))
    folder.add("Ann/outside", jpeg(ASTRONAUT[:440]), (-300, -300, -200, -180))
    folder.add("Ann/two", jpeg(np.concatenate([ASTRONAUT[:300, :300], ASTRONAUT[:300, 300:0:-1][:, :300]], axis=1)))
    folder.add("Nobody/rocket", jpeg(skimage.data.rocket()), None)
    folder.add("Nobody/portrait", jpeg(ASTRONAUT[:430]), None)
    folder.add(
        "Bob/seen",
        jpeg(ASTRONAUT[:, ::-1], quality=60),
        tuple(512 - FACE[i] if i % 2 == 0 else FACE[i] for i in (2, 1, 0, 3)),
    )
    folder.downloads.append({"image_id": "Ann/never", "status": "failed", "reason": "timeout"})
    path = folder.write()
    return path, apart("--data", path)


def test_every_photo_gets_the_verdict_it_deserves(judged):
    folder, done = judged
    assert done.returncode == 0, done.stderr
    assert verdicts(folder) == {
        "Ann/again": ("1", ""),
        "Ann/coffee": ("0", "faceless"),
        "Ann/empty": ("0", "empty"),
        "Ann/gone": ("0", "missing"),
        "Ann/good": ("0", "duplicate"),
        "Ann/grey": ("0", "not_a_photo"),
        "Ann/moved": ("0", "label_moved"),
        "Ann/outside": ("0", "label_outside"),
        "Ann/page": ("0", "not_image"),
        "Ann/tiny": ("0", "too_small"),
        "Ann/truncated": ("0", "truncated"),
        "Ann/two": ("1", ""),
        "Bob/again": ("0", "duplicate"),
        "Bob/seen": ("0", "duplicate"),
        "Nobody/portrait": ("0", "unlabelled"),
        "Nobody/rocket": ("1", ""),
    }
    detail = {row["image_id"]: row["detail"] for row in tables.rows(folder / "clean.csv")}
    assert "Bob/again; same look as Bob/seen of another identity" in detail["Ann/again"]
    assert "Ann/again" in detail["Ann/good"]
    assert "Ann/again of another identity" in detail["Bob/again"]
    assert detail["Bob/seen"] == "same look as Ann/again of another identity, which is kept"
    groups = {row["image_id"]: row["group"] for row in tables.rows(folder / "groups.csv")}
    assert groups == dict.fromkeys(("Ann/again", "Ann/good", "Bob/again", "Bob/seen"), "Ann/again")


def test_the_other_face_is_written_down(judged):
    folder, _ = judged
    rows = [row for row in tables.rows(folder / "faces.csv") if row["image_id"] == "Ann/two"]
    (label,) = (row for row in rows if row["source"] == "list")
    assert tables.box(label, folder, 0) == FACE
    assert label["use"] == "train"
    (other,) = (row for row in rows if row["source"] in ("face_recognition", "shipped") and row["use"] == "train")
    x1, y1, x2, y2 = tables.box(other, folder, 0)
    assert abs((x1 + x2) / 2 - (600 - (FACE[0] + FACE[2]) / 2)) < 15
    assert abs((y1 + y2) / 2 - 125) < 20
    assert {row["image_id"] for row in tables.rows(folder / "faces.csv")} == {"Ann/again", "Ann/two"}


def test_the_printed_counts_add_up(judged):
    _, done = judged
    counts = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines() if line[-1] == "%"}
    assert counts.pop("photos") == sum(counts.values()) == 16
    assert counts["kept"] == 3
    assert "detections are compared as they are" in done.stderr  # too few photos to estimate the shift
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_run_looks_at_changed_files_alone(judged, tmp_path):
    folder, _ = judged
    journal = folder / "clean" / "seen.jsonl"
    before, tables_before = journal.read_bytes(), [(folder / name).read_bytes() for name in ("clean.csv", "faces.csv")]
    os.utime(folder / "images/Ann/two.jpg")  # touched, not changed
    again = clean("--data", folder)
    assert again.returncode == 0
    assert "of 16 photos, 16 were judged before" in again.stderr
    assert journal.read_bytes() == before
    assert [(folder / name).read_bytes() for name in ("clean.csv", "faces.csv")] == tables_before
    changed = folder / "images/Ann/coffee.jpg"
    kept = changed.read_bytes()
    changed.write_bytes(jpeg(ASTRONAUT[:420]))
    assert "of 16 photos, 15 were judged before" in clean("--data", folder).stderr
    assert verdicts(folder)["Ann/coffee"] == ("0", "changed")  # it is not what was downloaded
    downloads = (folder / "downloads.csv").read_text()
    (folder / "downloads.csv").write_text(downloads.replace(hashlib.sha256(kept).hexdigest(), ""))
    assert clean("--data", folder).returncode == 0
    assert verdicts(folder)["Ann/coffee"] == ("1", "")
    (folder / "downloads.csv").write_text(downloads)
    changed.write_bytes(kept)


def test_a_byte_of_the_header_that_changed_since_the_download_is_told(tmp_path):
    folder = Folder(tmp_path)
    data = jpeg(ASTRONAUT)
    folder.add("Ann/1", data)
    folder.add("Ann/2", data)
    flipped = bytearray(data)
    flipped[data.index(b"\xff\xdb") + 8] ^= 1  # of the table by which brightness was rounded: another picture, no worse
    assert not (images.decode(bytes(flipped)) == images.decode(data)).all()
    (folder.write() / "images/Ann/1.jpg").write_bytes(flipped)
    assert clean("--data", tmp_path, "--only", "corrupt", "--quarantine", tmp_path / "away").returncode == 0
    assert verdicts(tmp_path) == {"Ann/1": ("0", "changed"), "Ann/2": ("1", "")}
    assert (tmp_path / "images/Ann/1.jpg").exists()  # whoever changed it may have meant to


def faces_of(folder: Path, image_id: str) -> list[tuple[str, ...]]:
    columns = ("x1", "source", "use")
    return [tuple(row[name] for name in columns) for row in tables.rows(folder / "faces.csv")
            if row["image_id"] == image_id]  # fmt: skip


def test_rows_of_faces_that_others_wrote_stay(judged, tmp_path):
    """Labels by hand outlive any number of runs; what they say of a face is said once."""
    shutil.copytree(judged[0], tmp_path / "data")
    folder = tmp_path / "data"
    (other,) = (row for row in tables.rows(folder / "faces.csv")
                if row["image_id"] == "Ann/two" and row["source"] != "list")  # fmt: skip
    hand = [  # the other face is to be ignored; the labelled one, again; a photo that was not downloaded
        ("Ann/two", "320.0", "60.0", "430.0", "185.0", "by hand", "ignore"),
        ("Ann/two", "181", "70", "271", "180", "import blur", "train"),
        ("Ann/never", "1", "1", "9", "9", "by hand", "train"),
    ]
    hand = [dict(zip(tables.COLUMNS["faces.csv"], row, strict=True)) for row in hand]
    assert 320 < float(other["x1"]) < float(other["x2"]) < 430
    tables.write(folder / "faces.csv", [*tables.rows(folder / "faces.csv"), *hand])
    for _ in range(2):
        assert clean("--data", folder, "--quarantine", tmp_path / "away").returncode in (0, 3)
        assert faces_of(folder, "Ann/two") == [("320.0", "by hand", "ignore"), ("181", "import blur", "train")]
        assert faces_of(folder, "Ann/never") == [("1", "by hand", "train")]
        assert [source for _, source, _ in faces_of(folder, "Ann/again")][:1] == ["list"]


def test_a_photo_whose_face_somebody_else_wrote_down_is_not_unlabelled(tmp_path):
    folder = Folder(tmp_path)
    folder.add("Ann/one", jpeg(skimage.data.astronaut()), face=None)
    folder.add("Ann/other", jpeg(skimage.data.astronaut()[:, ::-1]), face=None)
    folder.add("Ann/labelled", jpeg(skimage.data.coffee()), face=(0, 0, 40, 40))
    face = dict(zip(("x1", "y1", "x2", "y2"), FACE, strict=True))
    tables.write(folder.write() / "faces.csv", [{"image_id": "Ann/one", **face, "source": "me", "use": "ignore"}])
    clean("--data", tmp_path)
    assert verdicts(tmp_path)["Ann/one"] == ("1", "")
    assert verdicts(tmp_path)["Ann/other"] == ("0", "unlabelled")


def test_photos_that_the_download_accepted_are_read_by_all_that_follows(tmp_path):
    """download images --max-pixels: clean, the page, training and evaluation take what it took."""
    large = Image.new("L", (7100, 7100), 90)  # 50.4 million pixels, where the default is 50
    large.paste(Image.fromarray(skimage.data.astronaut()).convert("L").resize((2048, 2048)), (2000, 2000))
    stream = io.BytesIO()
    large.save(stream, "JPEG", quality=80)
    face = tuple(4 * side + 2000 for side in FACE)
    folder = Folder(tmp_path)
    folder.add("Ann/large", stream.getvalue(), face)
    folder.add("Bob/unrecorded", stream.getvalue() + b"\0", face)
    folder.downloads[0] |= {"width": 7100, "height": 7100}
    folder.write()
    assert clean("--data", tmp_path, "--only", "corrupt").returncode == 0
    assert verdicts(tmp_path) == {"Ann/large": ("1", ""), "Bob/unrecorded": ("0", "too_large")}
    (photo,) = load_photos(tmp_path)
    assert FaceDataset([photo], size=256)[0][0].shape[0] == 3
    (entry,) = entries(tmp_path, [photo])
    page = visavis.look([entry], tmp_path / "look.html").read_text(encoding="utf-8")
    assert '"h":7100,"w":7100' in page and "too_large" not in page
    done = typed("evaluate.py", "--data", tmp_path, "--split", "all", "--out", tmp_path / "judged")
    assert json.loads((tmp_path / "judged/evaluation.json").read_text())["unreadable"] == [], done.stderr
    assert clean("--data", tmp_path, "--only", "corrupt", "--max-pixels", "50000000").returncode == 0
    assert verdicts(tmp_path)["Ann/large"] == ("0", "too_large"), "a limit that is asked for holds"


def test_only_one_step(judged):
    folder, _ = judged
    assert clean("--data", folder, "--only", "corrupt").returncode == 0
    corrupt = Counter(reason for _, reason in verdicts(folder).values() if reason)
    assert set(corrupt) == {"truncated", "not_image", "empty", "missing", "not_a_photo", "too_small"}
    assert {row["source"] for row in tables.rows(folder / "faces.csv")} == {"list"}
    assert clean("--data", folder, "--only", "duplicates").returncode == 0
    assert Counter(reason for _, reason in verdicts(folder).values() if reason) == corrupt | {
        "duplicate": 5
    }  # photos cropped from one another, too
    assert clean("--data", folder, "--only", "faceless").returncode == 0
    assert {"faceless", "label_moved"} < {reason for _, reason in verdicts(folder).values()}
    assert "duplicate" not in {reason for _, reason in verdicts(folder).values()}


def test_without_downloads_every_labelled_photo_is_judged(tmp_path):
    folder = Folder(tmp_path)
    folder.add("A.J._Ann/00000001", jpeg(ASTRONAUT))
    folder.add("A.J._Ann/00000002", None)  # labelled, never downloaded
    folder.add("A.J._Ann/00000003", jpeg(skimage.data.coffee()), None)  # lies there, is not in the list
    (folder.write() / "downloads.csv").unlink()
    assert clean("--data", tmp_path, "--only", "corrupt").returncode == 0
    assert verdicts(tmp_path) == {"A.J._Ann/00000001": ("1", "")}
