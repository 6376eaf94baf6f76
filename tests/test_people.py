"""`visavis people` on real portraits: three of one president, one of another, an astronaut and an admiral."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from matplotlib.cbook import get_sample_data
from PIL import Image

from demo import portraits
from visavis.analysers.identity.cache import FILE
from visavis.analysers.identity.gallery import read_gallery
from visavis.commands import people
from visavis.commands.network import Network
from visavis.errors import InputError
from visavis.locking import lock
from visavis.people import table
from visavis.people.album import encoder
from visavis.people.folders import Folders
from visavis.people.sorting import recognised

NETWORK = Network("cpu")
TABLE = "face,photo,x1,y1,x2,y2,person,placed_by,distance,probability,crop,sha256\n"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def persons(out: Path) -> dict[str, str]:
    """The person of each photo's largest face, by the photo's name."""
    return {Path(row["photo"]).stem: row["person"] for row in reversed(rows(out / "people.csv"))}


def crops(out: Path) -> dict[str, list[str]]:
    """The photos in each folder, by the names of the crops."""
    found: dict[str, list[str]] = {}
    for path in sorted(out.glob("*/*.jpg")):
        found.setdefault(path.parent.name, []).append(path.name.split("-")[0])
    return found


def run(album: Path, out: Path, **more: object) -> int:
    return people.people(people.Options((str(album),), out, min_size=60, network=NETWORK, **more))  # type: ignore


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All photos that are used here."""
    folder = tmp_path_factory.mktemp("photos")
    for name, data in portraits.fetch().items():
        (folder / name).write_bytes(data)
    Image.fromarray(skimage.data.astronaut()).save(folder / "astronaut.png")
    with get_sample_data("grace_hopper.jpg") as file:
        (folder / "hopper.jpg").write_bytes(file.read())
    return folder


@pytest.fixture(scope="module")
def first(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a first run on four of them: `album/`, and `found/` beside it."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "album").mkdir()
    for name in ("obama.jpg", "obama2.jpg", "biden.jpg", "astronaut.png"):
        shutil.copy(photos / name, folder / "album" / name)
    shutil.copy(photos / "obama.jpg", folder / "album/copy of obama.jpg")
    (folder / "album/broken.jpg").write_bytes((photos / "obama.jpg").read_bytes()[:150_000])
    assert run(folder / "album", folder / "found") == 3
    return folder


@pytest.fixture
def again(first: Path, tmp_path: Path) -> Path:
    """A copy of that to change."""
    shutil.copytree(first, tmp_path / "again")
    return tmp_path / "again"


def test_faces_are_grouped_in_folders(first: Path):
    out = first / "found"
    assert persons(out) == {"obama": "person-001", "obama2": "person-001", "copy of obama": "person-001",
                            "biden": "seen-once", "astronaut": "seen-once"}  # fmt: skip
    assert {name: len(some) for name, some in crops(out).items()} == {"person-001": 2, "seen-once": 2}
    files = {Path(row["path"]).name: (row["status"], row["reason"], row["faces"]) for row in rows(out / "files.csv")}
    assert files["broken.jpg"] == ("unreadable", "truncated", "")
    assert files["obama.jpg"] == files["copy of obama.jpg"] == ("ok", "", "1")
    for row in rows(out / "people.csv"):
        assert (out / row["crop"]).is_file() and row["crop"].startswith(row["person"] + "/")
        if row["person"] == "person-001":
            assert 0.2 < float(row["distance"]) < 0.5 and float(row["probability"]) > 0.9
    page = (out / "people.html").read_text(encoding="utf-8")
    assert page.count('"identity":"person-001"') == 2 and page.count('"identity":"seen-once"') == 2
    assert page.count('"k":"face"') == 4  # the page counts faces, not photos


def test_a_second_run_adds_and_what_was_moved_or_renamed_stays_so(photos: Path, again: Path, capsys):
    out = again / "found"
    (out / "person-001").rename(out / "Barack \N{GRINNING FACE}")
    (out / "Joe").mkdir()
    (biden,) = out.glob("seen-once/biden-*.jpg")
    biden.rename(out / "Joe" / f"my favourite {biden.name}")
    (astronaut,) = out.glob("seen-once/astronaut-*.jpg")
    astronaut.unlink()
    shutil.copy(photos / "obama3.jpg", again / "album/obama3.jpg")
    shutil.copy(photos / "hopper.jpg", again / "album/hopper.jpg")
    assert run(again / "album", out) == 3
    now = persons(out)
    assert now.pop("astronaut") == ""  # its crop was removed
    assert now == {**dict.fromkeys(("obama", "obama2", "copy of obama", "obama3"), "Barack \N{GRINNING FACE}"),
                   "biden": "Joe", "hopper": "seen-once"}  # fmt: skip
    assert {name: len(some) for name, some in crops(out).items()} == {
        "Barack \N{GRINNING FACE}": 3,
        "Joe": 1,
        "seen-once": 1,
    }
    said = capsys.readouterr().err
    assert "1 face left out, since the crops were removed" in said and "broken.jpg (truncated)" in said
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*.jpg")}
    assert run(again / "album", out) == 3  # nothing is new
    assert persons(out) == now | {"astronaut": ""}
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/*.jpg")} == before


def test_a_face_that_was_taken_out_of_a_folder_does_not_come_back(again: Path):
    out = again / "found"
    (obama,) = out.glob("person-001/obama2-*.jpg")
    obama.rename(out / "seen-once" / obama.name)
    for _ in range(2):
        run(again / "album", out)
        assert persons(out)["obama2"] == "seen-once" and persons(out)["obama"] == "person-001"


def test_folders_of_one_person_are_pointed_out_and_not_joined(again: Path, capsys):
    out = again / "found"
    (out / "Barry").mkdir()
    (obama,) = out.glob("person-001/obama2-*.jpg")
    obama.rename(out / "Barry" / obama.name)
    run(again / "album", out)
    assert persons(out)["obama2"] == "Barry" and persons(out)["obama"] == "person-001"
    assert "person-001 and Barry seem to be one person" in capsys.readouterr().err


def test_people_who_are_known_get_folders_of_their_names(photos: Path, again: Path, tmp_path: Path):
    known = tmp_path / "known"
    (known / "Barack O. (44)").mkdir(parents=True)
    shutil.copy(photos / "obama3.jpg", known / "Barack O. (44)/any.jpg")
    out = tmp_path / "named"
    assert run(again / "album", out, people=known) == 3
    now = persons(out)
    assert now["obama"] == now["obama2"] == "Barack O. (44)" and now["biden"] == "seen-once"
    assert read_gallery(again / "found", encoder()).people == ("person-001",)  # a folder of people itself


def test_forget_deletes_the_encodings_and_the_next_run_makes_them_again(photos: Path, again: Path, capsys):
    out = again / "found"
    assert (out / FILE).stat().st_mode & 0o077 == 0
    assert people.people(people.Options(out=out, forget=True)) == 0
    assert not (out / FILE).exists() and list(out.glob("person-001/*.jpg"))
    assert f"deleted {out / FILE}" in capsys.readouterr().err
    assert people.people(people.Options(out=out, forget=True)) == 0
    assert "no encodings are kept" in capsys.readouterr().err
    with pytest.raises(InputError, match="give the folder whose encodings are to be deleted"):
        people.people(people.Options(forget=True))
    (again / FILE).touch()
    with pytest.raises(InputError, match=r"nowhere is no folder, so nothing was deleted"):
        people.people(people.Options(out=again, people=again / "nowhere", forget=True))
    assert (again / FILE).exists() and people.people(people.Options(people=again, forget=True)) == 0
    assert not (again / FILE).exists()
    for name in ("astronaut.png", "biden.jpg", "copy of obama.jpg", "broken.jpg"):
        (again / "album" / name).unlink()
    shutil.copy(photos / "obama3.jpg", again / "album/obama3.jpg")
    assert run(again / "album", out) == 0
    assert persons(out)["obama3"] == "person-001" and persons(out)["biden"] == "seen-once"


def test_strangers_get_no_name_of_people_whose_encodings_are_deleted(
    photos: Path, again: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = again / "found"
    (out / "person-001").rename(out / "Barack")
    people.people(people.Options(out=out, forget=True))
    (tmp_path / "other").mkdir()
    with Image.open(photos / "astronaut.png") as astronaut:
        astronaut.save(tmp_path / "other/one.jpg")
        astronaut.rotate(5).save(tmp_path / "other/two.jpg")
    assert run(tmp_path / "other", out) == 0
    now = persons(out)
    assert now["one"] == now["two"] == "person-001" and now["obama"] == now["obama2"] == "Barack"
    assert "4 faces could not be compared: their encodings are deleted, and their photos" in capsys.readouterr().err


def test_a_photo_may_be_called_as_a_crop_is(photos: Path, tmp_path: Path):
    (tmp_path / "album").mkdir()
    for name in ("obama.jpg", "obama2.jpg"):
        shutil.copy(photos / name, tmp_path / "album" / f"{name[:-4]}-0123456789ab-0.jpg")
    for _ in range(2):
        assert run(tmp_path / "album", tmp_path / "out") == 0
        assert [row["person"] for row in rows(tmp_path / "out/people.csv")] == ["person-001", "person-001"]


def test_what_cannot_be_used_is_refused(tmp_path: Path, again: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no photo to look at in"):
        run(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(InputError, match="give a folder for the people with --out"):
        people.people(people.Options((str(again / "album"),)))
    with pytest.raises(InputError, match="give photos"):
        people.people(people.Options(out=tmp_path / "out"))
    (tmp_path / "predicted").mkdir()
    (tmp_path / "predicted/faces.csv").write_text("path,face\n")
    with pytest.raises(InputError, match="holds results of visavis predict"):
        run(again / "album", tmp_path / "predicted")
    (again / "found/people.csv").write_text("path,face\n")
    with pytest.raises(InputError, match="no column photo, "):
        run(again / "album", again / "found")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("face,photo\n", "no column x1, "),
        (TABLE + "a-0,\xe9.jpg,1,2,3,4,Ada,grouping,,,,00\n", "is not a CSV table in UTF-8"),
        (TABLE + "a-0,one.jpg,1,2,3\nb-0,two.jpg,1,2,3,4,Ada,grouping,,,,00\n", "row 2: 5 fields, the header has 12"),
        (TABLE + "a-0,one.jpg,1,2,nan,4,Ada,grouping,,,,00\n", "row 2: x2 is 'nan', not a number"),
        (TABLE + "a-0,one.jpg,1,2,3,4,Ada,grouping,,,,0x\n", "row 2 is damaged"),
        (TABLE + "a-0,one.jpg,1,2,3,4,Ada,nobody,,,,00\n", "row 2 is damaged"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, match: str):
    (tmp_path / "people.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=f"{match}.*or delete it: the faces then stay in the folders"):
        table.read(tmp_path)


def test_a_table_that_a_spreadsheet_has_saved_is_read(tmp_path: Path):
    text = TABLE + 'a-0,"two\nlines.jpg",1.00,2.00,3.00,4.00,\N{GRINNING FACE},hand,,,,00ff\n'
    (tmp_path / "people.csv").write_text(text.replace("00ff\n", "00ff\r\n"), encoding="utf-8-sig", newline="")
    (face,) = table.read(tmp_path).values()
    assert face.paths == ["two\nlines.jpg"] and face.person == "\N{GRINNING FACE}" and face.photo == b"\x00\xff"


def test_an_album_without_a_face_and_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "album").mkdir()
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / "album/black.png")
    (tmp_path / "album/clip.mp4").write_bytes(b"it is not opened")
    assert run(tmp_path / "album", tmp_path / "out") == 0
    assert rows(tmp_path / "out/people.csv") == []
    assert [(row["status"], row["reason"]) for row in rows(tmp_path / "out/files.csv")] == [
        ("ok", ""), ("skipped", "video")]  # fmt: skip
    assert "1 video left out: people are found in photos alone. `visavis predict VIDEO" in capsys.readouterr().err


def test_results_that_cannot_be_written_are_named(again: Path):
    out = again / "found"
    (out / "files.csv").unlink()
    (out / "files.csv").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*/found/files\.csv: Is a directory; mend that"):
        run(again / "album", out)


def test_nothing_is_forgotten_while_a_run_writes(again: Path):
    with (again / "found" / people.LOCK).open() as held:
        assert lock(held)
        with pytest.raises(InputError, match="another run is writing to"):
            people.people(people.Options(out=again / "found", forget=True))
    assert (again / "found" / FILE).exists()


def test_hidden_files_beside_crops_are_no_crops(tmp_path: Path):
    (tmp_path / "Ada").mkdir()
    for name in ("._one-0123456789ab-0.jpg", "one-0123456789ab-0.jpg"):
        (tmp_path / "Ada" / name).write_bytes(b"")
    assert {face: str(place) for face, place in Folders(tmp_path).places.items()} == {
        "0123456789ab-0": "Ada/one-0123456789ab-0.jpg"}  # fmt: skip


def test_photos_among_the_crops_are_pointed_out(photos: Path, again: Path, capsys: pytest.CaptureFixture[str]):
    out = again / "found"
    shutil.copy(photos / "biden.jpg", out / "person-001/any.jpg")
    assert run(again / "album", out) == 3
    assert f"{out / 'person-001/any.jpg'} is no crop that visavis wrote (1 such)" in capsys.readouterr().err
    assert persons(out)["biden"] == "seen-once"


def test_a_folder_whose_name_is_no_utf_8_is_a_persons(again: Path):
    out = again / "found"
    (out / "person-001").rename(os.fsdecode(os.fsencode(out) + b"/Ren\xe9"))
    assert run(again / "album", out) == 3
    assert persons(out)["obama"] == persons(out)["obama2"] == "Ren\\xe9"
    assert len(list(out.glob("Ren*/*.jpg"))) == 2
    assert read_gallery(out, encoder()).people == ("Ren\\xe9",)


def test_a_face_that_is_found_a_little_elsewhere_is_the_same():
    known = table.Face("a-0", b"a", np.array([10, 10, 50, 50], np.float32), [], "Ada", "hand")
    boxes = np.array([[100, 10, 140, 50], [12, 11, 51, 52]], np.float32)
    found = recognised(b"a", boxes, ["a.jpg"], [known])
    assert [(face.person, face.box.tolist(), face.paths) for face in found] == [
        ("Ada", [12, 11, 51, 52], ["a.jpg"]), (None, [100, 10, 140, 50], ["a.jpg"])]  # fmt: skip
