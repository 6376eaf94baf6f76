"""A run of predict.py that is killed at any moment, and goes on, writes what an undisturbed one writes."""

import csv
import json
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
import skimage.data
from PIL import Image
from typed import started, typed

from visavis.commands import predict
from visavis.commands.network import Network
from visavis.errors import InputError
from visavis.prediction import run as runs

ASTRONAUT = Image.fromarray(skimage.data.astronaut()[0:256, 96:352])
FORMATS = "csv,json,jsonl,coco,yolo,voc"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of two shapes, so that batches mix the order, and files that are none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(36):
        size = (160, 160) if number % 3 else (200, 120)
        ASTRONAUT.rotate(number % 7).resize(size).save(folder / f"{number:02}.jpg")
    (folder / "07.jpg").write_text("no photo")
    (folder / "21.jpg").write_bytes((folder / "22.jpg").read_bytes()[:2000])
    (folder / ".hidden.jpg").touch()
    return folder


def results(out: Path) -> dict[str, object]:
    """Every file below `out`, without the seconds that things took."""
    held: dict[str, object] = {}
    for path in sorted(path for path in out.rglob("*") if not path.is_dir()):
        name = path.relative_to(out).as_posix()
        if path.is_symlink():
            held[name] = str(path.readlink())
        elif name == "files.csv":
            with path.open(encoding="utf-8", newline="") as file:
                held[name] = [{**row, "seconds": ""} for row in csv.DictReader(file, strict=True)]
        elif name == "faces.json":
            held[name] = [{**row, "seconds": 0} for row in json.loads(path.read_text())]
        elif name == "faces.jsonl":
            held[name] = [{**json.loads(line), "seconds": 0} for line in path.read_text().splitlines()]
        else:
            held[name] = path.read_bytes()
    return held


def test_killed_at_random_moments_it_ends_with_the_same_results(photos: Path, tmp_path: Path):
    words = (photos, "--device", "cpu", "--batch-size", "4", "--format", FORMATS, "--threshold", "0.3")
    undisturbed = typed("predict.py", *words, "--out", tmp_path / "a")
    assert undisturbed.returncode == 3, undisturbed.stderr
    seed = 7
    print(f"seed {seed}")  # pytest shows it where the test fails
    out, dice, kills = tmp_path / "b", random.Random(seed), 0
    journal = out / runs.JOURNAL
    how: tuple[str, ...] = ()
    for _ in range(30):
        done = journal.read_bytes().count(b"\n") if journal.exists() else 0
        run = started("predict.py", *words, "--out", out, *how)
        _wait(run, journal, dice.randint(done, 38))
        time.sleep(dice.uniform(0, 0.05))
        run.send_signal(signal.SIGKILL)
        said = run.communicate(timeout=60)[1]
        if run.returncode == -signal.SIGKILL:
            kills += 1
            how = ("--resume",) if journal.exists() or (out / "files.csv").exists() else ()
        else:
            assert run.returncode == 3, said  # it was done sooner
            how = ("--overwrite",)
        if kills == 4:
            break
    assert kills == 4
    last = typed("predict.py", *words, "--out", out, *how)
    assert last.returncode == 3, last.stderr
    assert results(out) == results(tmp_path / "a")
    assert not journal.exists()


def _wait(run: "subprocess.Popen[str]", journal: Path, lines: int) -> None:
    """Until so many lines are in the journal, or the run has ended."""
    deadline = time.monotonic() + 300
    while run.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.005)


def test_a_journal_torn_anywhere_is_gone_on_with(photos: Path, tmp_path: Path, monkeypatch):
    options = predict.Options((str(photos),), tmp_path / "a", network=Network("cpu"), batch_size=2, format=FORMATS)
    kept: list[bytes] = []
    real = runs._write
    monkeypatch.setattr(runs, "_write", lambda *all: (kept.append(all[1].path.read_bytes()), real(*all)))
    assert predict.predict(options) == 3
    whole = results(tmp_path / "a")
    first, end = kept[0].index(b"\n") + 1, len(kept[0])
    seed = 11
    print(f"seed {seed}")  # pytest shows it where the test fails
    for cut in (first, random.Random(seed).randrange(first, end), end - 1):
        (tmp_path / "a" / runs.JOURNAL).write_bytes(kept[0][:cut])
        (tmp_path / "a/files.csv").write_text("path,status\nhalf a r")
        (tmp_path / "a/drawn/.visavis-left.tmp").write_bytes(b"half a picture")
        options.resume = True
        assert predict.predict(options) == 3
        assert results(tmp_path / "a") == whole


def test_what_can_be_gone_on_with(photos: Path, tmp_path: Path, monkeypatch, capfd):
    some = tuple(str(photos / f"{number:02}.jpg") for number in range(6))
    options = predict.Options(some, tmp_path / "out", network=Network("cpu"), resume=True)
    with pytest.raises(InputError, match="no run was stopped in"):
        predict.predict(options)
    monkeypatch.setattr(runs, "_write", _interrupted)
    options.resume = False
    with pytest.raises(KeyboardInterrupt):
        predict.predict(options)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"a run was stopped in .*`resume`"):
        predict.predict(options)
    options.resume = True
    options.min_size = 40
    with pytest.raises(InputError, match="had min_size = 0"):
        predict.predict(options)
    options.min_size = 0
    assert predict.predict(options) == 0
    assert "of 6 inputs, 6 were done before" in capfd.readouterr().err
    assert predict.predict(options) == 0
    assert "has ended: nothing is left to do" in capfd.readouterr().err


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_is_one_line_and_the_run_goes_on(photos: Path, tmp_path: Path):
    """In place of a full disk: no file may have more than so many bytes, of which the inputs take a part."""
    words = ("predict.py", photos, "--device", "cpu", "--no-draw")
    whole = typed(*words, "--out", tmp_path / "whole")
    assert whole.returncode == 3
    room = 2 * len(json.dumps([str(photos / f"{number:02}.jpg") for number in range(37)]))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    run = started(*words, "--out", tmp_path / "out", preexec_fn=limit)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 2 and "Traceback" not in said, said
    assert said.splitlines()[-1].startswith("python predict.py: cannot write (File too large): make room")
    assert (tmp_path / "out" / runs.JOURNAL).read_bytes().count(b"\n") > 1
    assert typed(*words, "--out", tmp_path / "out", "--resume").returncode == 3
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_one_run_at_a_time(photos: Path, tmp_path: Path):
    for number in range(200):  # so many that it is not done before the signal comes
        (photos / f"again-{number}.jpg").hardlink_to(photos / "00.jpg")
    out = tmp_path / "out"
    run = started("predict.py", photos, "--out", out, "--device", "cpu")
    _wait(run, out / runs.JOURNAL, 2)
    run.send_signal(signal.SIGSTOP)  # or it may be done before the others have begun
    others = [typed("predict.py", photos, "--out", out, "--device", "cpu", how) for how in ("--resume", "--overwrite")]
    run.kill()
    run.communicate(timeout=60)
    for other in others:
        assert other.returncode == 2 and f"another run is writing to {out}; wait" in other.stderr


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_was_killed_before_its_first_line_is_begun(photos: Path, tmp_path: Path, resume: bool):
    out = tmp_path / "out"
    out.mkdir()
    (out / runs.JOURNAL).touch()
    options = predict.Options((str(photos / "01.jpg"),), out, network=Network("cpu"), resume=resume)
    assert predict.predict(options) == 0
    assert not (out / runs.JOURNAL).exists()
    with (out / "files.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [str(photos / "01.jpg")]


def test_nor_is_it_over_where_results_of_before_are_there_still(photos: Path, tmp_path: Path):
    """As --overwrite leaves them when it is killed at once."""
    out = tmp_path / "out"
    assert predict.predict(predict.Options((str(photos / "01.jpg"),), out, network=Network("cpu"))) == 0
    (out / runs.JOURNAL).touch()
    assert predict.predict(predict.Options((str(photos / "02.jpg"),), out, network=Network("cpu"), resume=True)) == 0
    with (out / "files.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [str(photos / "02.jpg")]
