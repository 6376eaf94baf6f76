"""The folder of people, and who is recognised by it."""

import csv
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image
from portraits_of_people import around
from typed import typed

from visavis import load_analyser
from visavis.analysers.identity import gallery
from visavis.analysers.identity.cache import FILE, Cache
from visavis.analysers.identity.encoding import distances
from visavis.analysers.identity.face_recognition import FaceRecognition
from visavis.analysers.identity.gallery import read_gallery
from visavis.analysers.identity.steady import SteadyNames
from visavis.errors import InputError
from visavis.faces import Faces

HOPPER = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"


def person(folder: Path, **pictures: np.ndarray) -> None:
    """A folder with photos; the name of each is given."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.jpg", quality=95)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, whose encodings are kept there after the first reading, and what `predict --crops by-person` made of
    somebody else."""
    folder = tmp_path_factory.mktemp("album") / "people"
    person(folder / "Barack 🙂", one=around("obama"), two=around("obama2"))
    person(folder / "Eileen Collins", one=around("astronaut"))
    person(folder / "(unknown)", one=around("biden"))
    return folder


# The folder of people -------------------------------------------------------------------------------------------------


def test_people_are_recognised_and_strangers_are_nobody(people: Path, encoder: FaceRecognition, encodings: dict):
    known = read_gallery(people, encoder)
    assert known.people == ("Barack 🙂", "Eileen Collins") and known.owners.tolist() == [0, 0, 1] and not known.notes
    asked = np.concatenate([encodings["obama3"], encodings["astronaut"], encodings["biden"], np.full((1, 128), np.nan)])
    names, scores = known.who(asked)
    assert names == ["Barack 🙂", "Eileen Collins", "", ""]
    assert (scores[:3] > 0.9).all() and np.isnan(scores[3])
    assert known.who(asked[:0])[0] == []


def test_a_folder_of_people_is_read_once_and_known_by_its_photos(
    people: Path, encoder: FaceRecognition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = read_gallery(people, encoder)
    shutil.copytree(people, tmp_path / "moved")
    (tmp_path / "moved/Barack 🙂/one.jpg").rename(tmp_path / "moved/Barack 🙂/renamed.jpg")
    with monkeypatch.context() as changed:
        changed.setattr(encoder, "encode", None)
        changed.setattr(gallery, "load_detector", None)
        moved = read_gallery(tmp_path / "moved", encoder)
    assert moved.fingerprint == before.fingerprint and (np.sort(moved.encodings) == np.sort(before.encodings)).all()
    (tmp_path / "moved/Barack 🙂").rename(tmp_path / "moved/Obama")
    assert read_gallery(tmp_path / "moved", encoder).fingerprint != before.fingerprint


def test_what_is_wrong_with_photos_is_said_and_they_are_not_used(tmp_path: Path, encoder: FaceRecognition):
    folder = tmp_path / "people"
    person(folder / "Barack", one=around("obama"), two=around("obama2"), wrong=around("astronaut"))
    person(folder / "Eileen", one=around("astronaut"), pair=np.hstack([around("biden"), around("astronaut")]))
    person(folder / "Obama", one=around("obama3"))
    person(folder / "Nobody", green=np.full((200, 200, 3), (0, 160, 0), np.uint8))
    (folder / "Barack/torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    person(folder, loose=around("biden"))
    (folder / "Ann").symlink_to("Eileen")
    known = read_gallery(folder, encoder)
    assert known.people == ("Barack", "Eileen", "Obama") and known.owners.tolist() == [0, 0, 1, 1, 2]
    said = "\n".join(known.notes)
    for text in (
        f"{folder / 'loose.jpg'} is in no person's folder and is not used",
        f"{folder / 'Barack/torn.jpg'} cannot be used (",
        f"{folder / 'Nobody/green.jpg'} is not used: no face is found in it",
        f"{folder / 'Nobody'} has no photo that can be used: Nobody cannot be recognised",
        f"{folder / 'Barack/wrong.jpg'} looks like Eileen, and not like the other photos of Barack; it is not used",
        "Barack and Obama seem to be one person",
        f"{folder / 'Ann'} is a link to the folder of Eileen and is not used",
    ):
        assert text in said
    assert len(known.notes) == 7  # of the pair, the face is clear


def test_of_several_faces_the_largest_is_taken_where_nothing_else_is_known(tmp_path: Path, encoder: FaceRecognition):
    small = np.pad(np.asarray(Image.fromarray(around("biden")).resize((160, 160))), ((0, 160), (0, 0), (0, 0)))
    person(tmp_path / "Barack", pair=np.hstack([small, around("obama")]))
    known = read_gallery(tmp_path, encoder)
    assert known.notes[0].startswith(f"{tmp_path / 'Barack/pair.jpg'} has 2 faces; the one at 3")
    assert known.notes[0].endswith("the largest, is taken for Barack")
    assert distances(known.encodings, encoder.encode(around("obama"), Faces([[45, 45, 275, 275]])))[0, 0] < 0.4


def test_people_without_a_photo_of_their_own_leave_the_others_recognisable():
    here, there = np.zeros(128, np.float32), np.full(128, 0.1, np.float32)
    known = gallery.Gallery(("Ada", "Ben", "Cid"), np.array([here, there, here, there]), np.array([0, 0, 1, 2]),
                            "face_recognition/1")  # fmt: skip
    left = gallery.reviewed(known, [Path(name) for name in ("a1", "a2", "b", "c")])
    assert left.people == ("Ben", "Cid") and left.owners.tolist() == [0, 1]
    assert [note.split(",")[0] for note in left.notes] == [
        "a1 looks like Ben", "a2 looks like Cid", "Ada has no other photo that can be used"]  # fmt: skip
    names, scores = left.who(np.array([here, there]))
    assert names == ["Ben", "Cid"] and scores.min() > 0.99
    twice = gallery.Gallery(("Ada", "Ben", "Cid"), np.array([here, there, here, here]), np.array([0, 1, 2, 2]),
                            "face_recognition/1")  # fmt: skip
    assert [note.partition(";")[0] for note in gallery.reviewed(twice, [Path("a")] * 4).notes] == [
        "Ada and Cid seem to be one person"]  # fmt: skip


def test_people_are_read_where_nothing_can_be_kept(tmp_path: Path, encoder: FaceRecognition, monkeypatch):
    person(tmp_path / "Barack", one=around("obama"))
    read_gallery(tmp_path, encoder)
    person(tmp_path / "Barack", two=around("obama2"))
    monkeypatch.setattr("visavis.analysers.identity.cache.PATIENCE", 0)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("begin immediate")
        known = read_gallery(tmp_path, encoder)
    assert known.owners.tolist() == [0, 0]
    assert known.notes[0].startswith("the encodings of people are made anew each time: ") and len(known.notes) == 1


def test_no_people_at_all(tmp_path: Path, encoder: FaceRecognition):
    with pytest.raises(InputError, match=r"`people` .*nowhere is no folder; make it, with a folder for each person"):
        read_gallery(tmp_path / "nowhere", encoder)
    with pytest.raises(InputError, match="has no folder with a face of its own person"):
        read_gallery(tmp_path, encoder)
    person(tmp_path / "Nobody", green=np.full((64, 64, 3), (0, 160, 0), np.uint8))
    with pytest.raises(InputError, match=r"green\.jpg is not used: no face is found in it"):
        read_gallery(tmp_path, encoder)


# The analyser and the commands ----------------------------------------------------------------------------------------


def test_options_are_for_those_that_take_them(people: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"identity needs `people` \(docs/identity.md\)"):
        load_analyser("identity")
    with pytest.raises(InputError, match="sharpness takes no `people`"):
        load_analyser("sharpness", people=people)
    faces = replace(Faces([[45, 45, 275, 275]]), attributes={"age": np.array([40])})
    said = load_analyser("identity", people=people).analyse(around("obama3"), faces)
    assert said.attributes["who"].tolist() == ["Barack 🙂"] and said.attributes["age"].tolist() == [40]
    done = typed("predict.py", HOPPER, "--out", tmp_path / "out", "--analyse", "sharpness", "--people", people)
    assert done.returncode == 2 and "--people is for identity; name that in --analyse" in done.stderr
    done = typed("predict.py", HOPPER, "--out", tmp_path / "out", "--crops", "by-person")
    assert done.returncode == 2 and "--crops by-person needs --analyse identity and --people" in done.stderr
    done = typed("predict.py", HOPPER, "--out", tmp_path / "out", "--analyse", "identity", "--people", tmp_path / "no")
    assert done.returncode == 2 and "--people" in done.stderr and not (tmp_path / "out").exists()


def test_an_album_by_person(people: Path, tmp_path: Path):
    album, out = tmp_path / "album", tmp_path / "out"
    person(album, both=np.hstack([around("obama3"), around("biden")]))
    person(album, grace_1=np.asarray(Image.open(HOPPER))[80:])
    words = ["--analyse", "identity", "--people", people, "--out", out, "--crops", "by-person", "--look"]
    done = typed("predict.py", album, *words)
    assert done.returncode == 0, done.stderr
    assert f"{people}: 2 people, photos: 3; their encodings are kept in {people / FILE}" in done.stderr
    assert f"is kept in {out / FILE}" in done.stderr
    with (out / "faces.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["who"] for row in rows) == ["", "", "Barack 🙂"]
    assert all(float(row["who_score"]) > 0.6 for row in rows)
    crops = sorted(str(path.relative_to(out / "crops")) for path in (out / "crops").rglob("*.jpg"))
    number = next(row["face"] for row in rows if row["who"])
    other = 1 - int(number)
    assert crops == [f"(unknown)/album_both-{other}.jpg", "(unknown)/album_grace__1-0.jpg",
                     f"Barack 🙂/album_both-{number}.jpg"]  # fmt: skip
    with Cache(out / FILE, "face_recognition/1") as cache:
        assert cache._file.execute("select count(*) from encodings").fetchone() == (3,)
    assert '"who":"Barack' in (out / "look.html").read_text(encoding="utf-8")
    person(people / "Joe", one=around("biden"))
    try:
        done = typed("predict.py", album, *words, "--overwrite")
    finally:
        shutil.rmtree(people / "Joe")
    assert done.returncode == 0, done.stderr
    crops = sorted(str(path.relative_to(out / "crops")) for path in (out / "crops").rglob("*.jpg"))
    assert crops == ["(unknown)/album_grace__1-0.jpg", f"Barack 🙂/album_both-{number}.jpg",
                     f"Joe/album_both-{other}.jpg"]  # fmt: skip


def test_names_are_steady_over_looks():
    names, box = SteadyNames(), [[10, 10, 60, 60]]

    def look(who: str, score: float, seconds: float, moved: float = 0) -> tuple[str, float]:
        faces = Faces(np.array(box) + moved, attributes={"who": np.array([who]), "who_score": np.array([score])})
        told = names.of_faces(faces, seconds).attributes
        return told["who"].tolist()[0], round(float(told["who_score"][0]), 3)

    assert look("Ann", 0.9, 0.0) == ("Ann", 0.9)
    assert look("", 0.6, 0.1, 2) == ("Ann", 0.45)
    assert look("Ann", 0.9, 0.2, 4) == ("Ann", 0.6)
    assert look("Bob", 0.8, 0.3, 6) == ("Ann", 0.45)
    assert look("Ann", np.nan, 0.4, 6) == ("Ann", 0.45)  # nothing could be said
    assert look("Bob", 0.8, 0.5, 300) == ("Bob", 0.8)  # another face
    assert look("Bob", 0.8, 10.6, 6) == ("Bob", 0.8)  # long after
    assert len(names.of_faces(Faces(), 10.7)) == 0
