"""Cameras with an RTSP address: their pictures are looked at, and their passwords are nowhere to be read."""

import csv
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from clips import FACE
from rtsp_camera import rtsp_camera

from visavis.errors import InputError
from visavis.video.recording import Camera, Frame, Video


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_its_pictures_are_looked_at_until_it_hangs_up(tmp_path: Path) -> None:
    with rtsp_camera(FACE, frames=12) as address:
        signed = address.replace("rtsp://", "rtsp://root:s3cret@") + "?key=s3cret"
        command = [sys.executable, "predict.py", "--webcam", signed, "--every", "2", "--out", str(tmp_path / "out")]
        done = subprocess.run([*command, "--redact", "fill", "--look"], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    (file,) = rows(tmp_path / "out/files.csv")
    assert (file["path"], file["status"], file["frames"]) == (f"webcam:{address}", "ok", "6")
    faces = rows(tmp_path / "out/faces.csv")
    assert [face["frame"] for face in faces] == ["0", "2", "4", "6", "8", "10"]
    port = address.partition(":")[2].partition(":")[2].partition("/")[0]
    copy = tmp_path / f"out/redacted/webcam-127.0.0.1-{port}-stream1.mkv"
    with Video(copy) as video:
        pictures = [part.picture for part in video.parts() if isinstance(part, Frame)]
    assert len(pictures) == 12
    x1, y1, x2, y2 = (round(float(faces[0][side])) for side in ("x1", "y1", "x2", "y2"))
    assert all(picture[y1:y2, x1:x2].max() < 40 for picture in pictures)
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not any(b"s3cret" in path.read_bytes() for path in written) and "s3cret" not in done.stdout + done.stderr


def test_an_address_at_which_nobody_answers_is_named_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(InputError) as told, Video.camera(Camera.of(f"rtsp://root:s3cret@127.0.0.1:{port}/a", "camera")):
        pass
    assert str(told.value).startswith(f"`camera`: no camera at rtsp://127.0.0.1:{port}/a (")
    assert "refused" in str(told.value) and "s3cret" not in str(told.value)
