"""predict.py interrupted, or without a reader: it ends as it should."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import skimage.data
from PIL import Image
from predicted import rows
from typed import started

from visavis import images

ASTRONAUT = skimage.data.astronaut()


def test_an_interrupted_run_leaves_only_what_is_whole(tmp_path: Path):
    (tmp_path / "many").mkdir()
    photo = images.encode(ASTRONAUT)
    for number in range(300):
        (tmp_path / f"many/{number:03}.jpg").write_bytes(photo)
    out = tmp_path / "out"
    run = started("predict.py", tmp_path / "many", "--out", out, "--device", "cpu", "--batch-size", "1")
    deadline = time.monotonic() + 900
    while (not (out / "files.csv").exists() or len(rows(out / "files.csv")) < 3) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=1000)
    assert run.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    left = [path for path in (out / "drawn").rglob("*") if path.suffix == ".jpg"]
    assert all(images.read(path).shape == ASTRONAUT.shape for path in left)
    assert 3 <= len(rows(out / "files.csv")) <= len(left) < 300


def test_ctrl_c_while_it_is_loaded_is_an_interrupt_too(tmp_path: Path):
    (tmp_path / "tyro.py").write_text("import sys, time\nprint('loading', file=sys.stderr, flush=True)\ntime.sleep(60)")
    run = started("predict.py", "--help", env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert run.stderr and run.stderr.readline() == "loading\n"
    run.send_signal(signal.SIGINT)
    assert (run.communicate(timeout=50)[1], run.returncode) == ("", 130)


def cpu_seconds(process: int) -> float:
    """What it has computed for so far."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_a_slow_detector_deep_in_its_own_code_is_interrupted_too(tmp_path: Path):
    Image.fromarray(ASTRONAUT).resize((4000, 4000)).save(tmp_path / "large.jpg")
    run = started("predict.py", tmp_path, "--out", tmp_path.parent / "out-slow", "--detector", "dlib_cnn")
    table = tmp_path.parent / "out-slow/files.csv"
    deadline = time.monotonic() + 300
    while not table.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    before = cpu_seconds(run.pid)
    while cpu_seconds(run.pid) < before + 1 and time.monotonic() < deadline:
        time.sleep(0.02)  # until it looks at the photo, which takes it a minute
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=300)  # at once, but on a machine that has little time for it
    assert run.returncode == 130, said
    assert "stopped after 0 of 1 input; continue with --resume" in said
    assert "Traceback" not in said


def test_who_reads_no_further_ends_the_run_without_a_crash(tmp_path: Path):
    for number in range(60):  # more than are looked at ahead
        Image.fromarray(skimage.data.astronaut()).save(tmp_path / f"{number}.jpg")
    command = [sys.executable, "predict.py", str(tmp_path), "--stdout", "jsonl", "--device", "cpu"]
    two = os.environ | {"OMP_NUM_THREADS": "2"}  # the tests have one thread each, which looks at one photo at a time
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=two) as running:
        assert running.stdout and running.stderr and running.stdout.readline().startswith(b"{")
        running.stdout.close()
        said = running.stderr.read()
    assert running.returncode == 141, said
    assert b"Traceback" not in said and b"terminate" not in said


def test_nothing_is_imported_from_where_somebody_stands(tmp_path: Path):
    (tmp_path / "visavis").mkdir()
    (tmp_path / "visavis" / "__init__.py").write_text("raise SystemExit('not ours')")
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "a.png")
    command = [sys.executable, Path("predict.py").resolve(), "a.png", "--out", "out", "--device", "cpu"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
