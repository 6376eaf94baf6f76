"""python -m clean --quarantine, --delete: what goes, what stays, and what later runs know of it."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from typed import Done, typed

from dataset import tables
from visavis import images

ASTRONAUT = skimage.data.astronaut()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder: a photo, the same again, a torn one, a page of one colour, one that is gone, one from outside."""
    photo = images.encode(ASTRONAUT)
    grey = images.encode(np.full((200, 300, 3), 200, np.uint8))
    files = {"A/good": photo, "A/same": photo, "A/torn": photo[:9000], "A/grey": grey}
    for image_id, data in files.items():
        path = tmp_path / "data" / "images" / f"{image_id}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "precious.jpg").write_bytes(grey)
    box = {"x1": 181, "y1": 70, "x2": 271, "y2": 180}
    paths = {image_id: f"images/{image_id}.jpg" for image_id in [*files, "A/gone"]} | {"A/outside": "../precious.jpg"}
    tables.write(
        tmp_path / "data" / "labels.csv", [{"image_id": image_id, "identity": "A", **box} for image_id in paths]
    )
    rows = [{"image_id": image_id, "status": "ok", "path": path} for image_id, path in paths.items()]
    tables.write(tmp_path / "data" / "downloads.csv", rows)
    return tmp_path / "data"


EXPECTED = {
    "A/gone": "missing",
    "A/good": "",
    "A/grey": "not_a_photo",
    "A/outside": "not_a_photo",
    "A/same": "duplicate",
    "A/torn": "truncated",
}


def clean(folder: Path, *arguments: str | Path) -> Done:
    # Without a finder: what is rejected by one goes the same way.
    return typed("-m", "clean", "--data", folder, "--only", "duplicates", "--workers", "1", *arguments)


def reasons(folder: Path) -> dict[str, str]:
    return {row["image_id"]: row["reason"] for row in tables.rows(folder / "clean.csv")}


def lying(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")}


def test_rejected_photos_move_and_their_verdicts_stay(folder: Path, tmp_path: Path):
    away = tmp_path / "away"
    (away / "images/A").mkdir(parents=True)
    (away / "images/A/torn.jpg").write_text("of an earlier run")
    done = clean(folder, "--quarantine", away)
    assert done.returncode == 3 and "lies outside the data folder" in done.stderr, done.stderr
    assert "3 rejected photos moved" in done.stderr
    assert reasons(folder) == EXPECTED
    assert lying(folder) == {"images/A/good.jpg"}
    assert lying(away) == {f"images/A/{name}.jpg" for name in ("grey", "same", "torn", "torn-2")}
    assert (away / "images/A/torn.jpg").read_text() == "of an earlier run"
    again = clean(folder)
    assert again.returncode == 0
    assert reasons(folder) == EXPECTED
    details = {row["image_id"]: row["detail"] for row in tables.rows(folder / "clean.csv")}
    assert str(away / "images/A/torn-2.jpg") in details["A/torn"]
    # A photo that is put back is judged again.
    (folder / "images/A/same.jpg").write_bytes(images.encode(ASTRONAUT[:, :300]))
    assert clean(folder).returncode == 0
    assert reasons(folder) == EXPECTED | {"A/same": ""}


def test_deleting_counts_and_asks(folder: Path, monkeypatch):
    before = lying(folder)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    done = clean(folder, "--delete")
    assert done.returncode == 0
    assert "4 photos (2 not_a_photo, 1 duplicate, 1 truncated)" in done.stderr
    assert "nothing was deleted" in done.stderr
    assert lying(folder) == before
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    done = clean(folder, "--delete")
    assert done.returncode == 3 and "lies outside the data folder" in done.stderr
    assert lying(folder) == {"images/A/good.jpg"}
    assert (folder.parent / "precious.jpg").exists()
    assert clean(folder).returncode == 0
    assert reasons(folder) == EXPECTED


def test_deleting_without_asking(folder: Path):
    assert clean(folder, "--delete", "--yes").returncode == 3  # the one outside
    assert lying(folder) == {"images/A/good.jpg"}
    again = clean(folder, "--delete", "--yes")
    assert again.returncode == 3 and "1 photo (1 not_a_photo)" in again.stderr


def test_what_could_not_be_moved_is_judged_again(folder: Path, tmp_path: Path):
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "images").write_text("a file where a folder should be")
    done = clean(folder, "--quarantine", tmp_path / "away")
    assert done.returncode == 3 and "could not move" in done.stderr
    assert clean(folder).returncode == 0
    assert reasons(folder) == EXPECTED
    assert len(lying(folder)) == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--delete"], "add --yes"),
        (["--yes"], "give both or neither"),
        (["--delete", "--yes", "--quarantine", "away"], "leave one of them out"),
        (["--quarantine", "data"], "is the data folder itself"),
        (["--quarantine", "precious.jpg"], "is a file"),
    ],
)
def test_bad_options_are_told_before_any_work(arguments: list[str], says: str, folder: Path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    words = [str(folder.parent / word) if word in ("away", "data", "precious.jpg") else word for word in arguments]
    done = clean(folder, *words)
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (folder / "clean.csv").exists()
