"""python -m clean: bad options and bad tables end it in one line."""

from pathlib import Path

import pytest
from cleaning import ASTRONAUT, Folder, apart, clean, jpeg

from dataset import tables


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "nowhere"], "no data folder at nowhere"),
        (["--finder", "magic"], "there are: face_recognition, face_recognition-cnn, shipped"),
        (["--also", "face_recognition"], "is the --finder already"),
        (["--also", "magic"], "there is no finder 'magic'"),
        (["--also", "shipped", "--only", "corrupt"], "leave one of them out"),
        (["--workers", "0"], "--workers must be at least 1, not 0"),
        (["--min-side", "-3"], "--min-side must be at least 1, not -3"),
    ],
)
def test_bad_options_are_told_in_one_line(arguments: list[str], says: str):
    done = clean(*arguments)
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(
    ("labels", "downloads", "says"),
    [
        (None, None, "labels.csv is not there"),
        ("image_id,x1\nA/1,3\n", None, "no column identity"),
        ("good", None, "of 1 image in labels.csv none lies in"),
        ("good", "image_id,status\nA/1,ok\n", "no column reason"),
        ("good", "failed", "calls none ok; 1 is"),
        ("upside down", "failed", "labels.csv row 2: the box"),
    ],
)
def test_bad_tables_are_told_in_one_line(labels: str | None, downloads: str | None, says: str, tmp_path: Path):
    box = {"x1": 9, "y1": 1, "x2": 5 if labels == "upside down" else 50, "y2": 50}
    if labels in ("good", "upside down"):
        tables.write(tmp_path / "labels.csv", [{"image_id": "A/1", "identity": "A", **box}])
    elif labels:
        (tmp_path / "labels.csv").write_text(labels)
    if downloads == "failed":
        tables.write(tmp_path / "downloads.csv", [{"image_id": "A/1", "status": "failed"}])
    elif downloads:
        (tmp_path / "downloads.csv").write_text(downloads)
    before = sorted(tmp_path.iterdir())
    done = clean("--data", tmp_path)
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("module", "line", "arguments", "says"),
    [
        ("dlib", "import no_such_thing", [], "No module named 'no_such_thing'); it needs dlib-bin or dlib"),
        ("imagehash", "import no_such_thing", ["--only", "corrupt"], "No module named 'no_such_thing'"),
        ("imagehash", "import os; os.abort()", ["--only", "corrupt"], "no worker process can start: "),
    ],
)
def test_what_ails_every_photo_ends_the_run_in_one_line(
    module: str, line: str, arguments: list[str], says: str, tmp_path: Path
):
    folder = Folder(tmp_path / "data")
    for number in range(3):
        folder.add(f"Ann/{number}", jpeg(ASTRONAUT))
    (tmp_path / f"{module}.py").write_text(line)
    done = apart("--data", folder.write(), *arguments, PYTHONPATH=str(tmp_path))
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2
    assert last.startswith("python -m clean: ") and says in last
    assert "Traceback" not in done.stderr
    assert not (folder.path / "clean.csv").exists()
