"""predict.py on a camera: until it ends, or until Ctrl-C."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clips import clip
from PIL import Image
from portraits_of_people import around
from watching import frames

from visavis.analysers import AnalyserOptions
from visavis.commands import predict
from visavis.commands.network import Network
from visavis.errors import InputError
from visavis.video.recording import CAMERAS


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_a_camera_is_looked_at_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clip(tmp_path / "camera0.mkv")
    monkeypatch.setitem(CAMERAS, sys.platform, ("lavfi", f"movie={tmp_path}/camera{{}}.mkv"))
    options = predict.Options((), tmp_path / "out", webcam="0", redact="fill", network=Network("cpu"), workers=1)
    assert predict.predict(options) == 0
    assert [row["path"] for row in rows(tmp_path / "out/files.csv")] == ["webcam:0"]
    assert [row["frame"] for row in rows(tmp_path / "out/faces.csv")] == ["0", "5", "10", "15"]
    assert len(frames(tmp_path / "out/redacted/webcam-0.mkv")) == 20


def test_a_name_in_front_of_a_camera_does_not_flicker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One look in five is at somebody else, as a look at a turned face may be; a video shows who is on each frame."""
    (tmp_path / "people/Barack").mkdir(parents=True)
    Image.fromarray(around("obama")).save(tmp_path / "people/Barack/one.jpg")
    looks = [around(name) for name in ("obama", "obama", "biden", "obama", "obama")]
    clip(tmp_path / "camera0.mkv", range(0, 200, 40), sound=None, pictures=looks)
    monkeypatch.setitem(CAMERAS, sys.platform, ("lavfi", f"movie={tmp_path}/camera{{}}.mkv"))
    said = {}
    for photos, webcam in (((str(tmp_path / "camera0.mkv"),), None), ((), "0")):
        out = tmp_path / f"out-{webcam}"
        who = {"analyse": "identity", "analysers": AnalyserOptions(tmp_path / "people"), "every": 1, "draw": False}
        options = predict.Options(photos, out, webcam=webcam, network=Network("cpu"), workers=1, **who)
        assert predict.predict(options) == 0
        said[webcam] = [row["who"] for row in rows(out / "faces.csv")]
    assert said == {None: ["Barack", "Barack", "", "Barack", "Barack"], "0": ["Barack"] * 5}


CAMERA = """
import signal, sys
from pathlib import Path
from visavis.commands import predict
from visavis.commands.network import Network
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are told to ignore it
from visavis.video.recording import CAMERAS
CAMERAS[sys.platform] = ("lavfi", f"movie={sys.argv[1]}:loop=0,setpts=N/25/TB,realtime")
given = {"webcam": "0", "every": 2, "network": Network("cpu"), "workers": 1}
sys.exit(predict.predict(predict.Options((), Path(sys.argv[2]), **given)))
"""


def large_copy(out: Path) -> bool:
    """Whether a copy that is being written has some frames in it."""
    try:
        return any(path.stat().st_size > 20_000 for path in out.rglob("*.tmp"))
    except FileNotFoundError:  # it has taken its name in the meantime
        return False


def test_ctrl_c_ends_a_camera_and_keeps_what_it_saw(tmp_path: Path):
    source, out = clip(tmp_path / "camera.mkv"), tmp_path / "out"
    camera = subprocess.Popen(
        [sys.executable, "-c", CAMERA, str(source), str(out)],
        env=os.environ | {"PYTHONPATH": "."},
        start_new_session=True,
    )
    try:
        while camera.poll() is None and not large_copy(out):
            time.sleep(0.05)
        os.killpg(camera.pid, signal.SIGINT)  # as a terminal does it: to the workers too
        assert camera.wait(30) == 0
    finally:
        camera.kill()
        camera.wait()
    row = rows(out / "files.csv")[0]
    written = len(frames(out / "drawn/webcam-0.mkv"))
    assert row["status"] == "ok" and int(row["frames"]) > 2
    assert 0 <= 2 * int(row["frames"]) - written <= 4 and int(row["faces"]) == len(rows(out / "faces.csv"))


def test_what_a_camera_cannot_do_is_told(tmp_path: Path):
    command = [sys.executable, "predict.py", "--webcam", "77", "--out", str(tmp_path / "out"), "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "predict.py: --webcam 77: no camera at /dev/video77" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    for options, words in (
        ({}, "give photos"),
        ({"webcam": "0", "resume": True}, "--resume"),
        ({"webcam": ""}, "number"),
    ):
        with pytest.raises(InputError, match=words):
            predict.predict(predict.Options((), tmp_path / "none", **options))
