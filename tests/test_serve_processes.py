"""`visavis serve` as a process: its options, its token, its camera, and how it ends."""

import io
import json
import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from clips import FACE as FACE_PICTURE
from clips import clip
from PIL import Image
from requests.exceptions import ConnectionError as Cut
from server import Served, live, served
from typed import typed

pytest.importorskip("websockets.sync.client")
pytest.importorskip("uvicorn")


FILM = FACE_PICTURE[:240]
"""250 x 300 pixels are the clips' own; an even height makes JPEG and H.264 agree. The face is at 74, 36, 172, 162."""


def test_beyond_this_machine_nobody_is_answered_without_the_token(photo: bytes) -> None:
    with served("--host", "0.0.0.0", "--workers", "1") as server:
        assert "without --tls-cert" in "".join(server.said)
        token = server.url.partition("?token=")[2]
        assert re.fullmatch(r"[\w-]{32}", token)
        assert server.get("/healthz").status_code == 200
        for given in ("", "wrong", token[:-1], token + "x", "ü"):
            answer = server.get("/", headers={"Authorization": f"Bearer {given}".encode()})
            assert answer.status_code == 401 and token not in answer.text
        assert server.post("/v1/detect", photo).status_code == 401
        with pytest.raises(Exception, match="403"):
            live(server)
        known = {"Authorization": f"Bearer {token}"}
        assert server.post("/v1/detect", photo, headers=known).status_code == 200
        entered = server.get(f"/?token={token}", allow_redirects=False)
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        with live(server, additional_headers={"Cookie": cookie.partition(";")[0]}) as socket:
            socket.send(photo)
            assert json.loads(socket.recv(60))["frame"] == 1


def test_the_servers_camera_is_shown_to_several_as_each_asks(tmp_path: Path) -> None:
    film = clip(tmp_path / "film.mp4", range(0, 400, 40), sound=None, pictures=[np.ascontiguousarray(FILM)] * 10)
    with served("--workers", "1", "--camera", str(film)) as server:
        assert server.get("/v1/about").json()["camera"] is True
        assert server.get("/v1/camera?redact=fill&filter=nose").status_code == 400
        words = ("redact=fill", "draw=true", "redact=fill", "filter=nose")
        with ThreadPoolExecutor(4) as viewers:
            shown = list(viewers.map(lambda word: _pictures(server, f"/v1/camera?{word}", 3), words))
    for pictures, word in zip(shown, words, strict=True):
        assert len(pictures) == 3 and all(picture.shape == FILM.shape for picture in pictures)
        face = pictures[-1][60:140, 90:150].astype(int)
        assert (face.max() < 40) == (word == "redact=fill")
        red = (pictures[-1][..., 0] > 170) & (pictures[-1][..., 1] < 80)
        assert (red[80:140, 95:150].sum() > 150) == (word == "filter=nose")


def _pictures(server: Served, path: str, count: int) -> list[np.ndarray]:
    """The first pictures of an MJPEG stream."""
    found = []
    with server.get(path, stream=True) as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        lines = answer.raw
        while len(found) < count:
            assert lines.readline() == b"--frame\r\n" and lines.readline() == b"Content-Type: image/jpeg\r\n"
            length = int(lines.readline().partition(b":")[2])
            assert lines.readline() == b"\r\n"
            found.append(np.asarray(Image.open(io.BytesIO(lines.read(length)))))
            assert lines.readline() == b"\r\n"
    return found


def test_nothing_is_left_after_a_kill(tmp_path: Path, photo: bytes) -> None:
    with served("--workers", "1", TMPDIR=str(tmp_path)) as server:
        (folder,) = tmp_path.glob("visavis-serve-*")
        assert server.post("/v1/copy?redact=blur", photo).status_code == 200
        until = time.monotonic() + 60
        while list(folder.iterdir()) and time.monotonic() < until:  # the client may hear the end of it first
            time.sleep(0.01)
        assert list(folder.iterdir()) == []
        sending = threading.Thread(target=lambda: _until_cut(server, photo))
        sending.start()
        while not list(folder.rglob("*")) and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(server.process.pid, signal.SIGKILL)
        sending.join()
        while folder.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert list(tmp_path.glob("visavis-*")) == []


def _until_cut(server: Served, photo: bytes) -> None:
    with suppress(Cut):
        while True:
            server.post("/v1/detect", photo)


def test_ctrl_c_ends_it_well(photo: bytes) -> None:
    with served("--workers", "1") as server:
        assert server.post("/v1/detect", photo).status_code == 200
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0
    assert server.said[-1] == "ended\n"


def test_bad_options_are_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for words, text in {
            ("--port", port): "give another",
            ("--camera", "77"): "--camera 77: no camera at",
            (
                "--camera",
                "gone.mp4",
            ): "--camera gone.mp4: no such file; give a video file, the number",
            ("--camera", "http://127.0.0.1/a"): "--camera http://127.0.0.1/a: no such file",
            ("--tls-key", "key.pem"): "--tls-cert",
            ("--port", "0", "--tls-cert", "no-such.pem"): "--tls-cert no-such.pem",
            ("--analyse", "mood"): "no analyser 'mood'",
        }.items():
            done = typed("serve.py", "--no-browser", *words)
            assert done.returncode == 2 and text in done.stderr.splitlines()[-1], done.stderr
