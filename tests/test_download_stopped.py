"""python -m download images in processes of its own that are stopped, killed, or run out of disk and files."""

import csv
import io
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from downloading import PHOTO, downloads, encoded, files, labels, options
from hostile_site import answer
from typed import ROOT, started

from download import images
from visavis.errors import InputError


def test_a_photo_left_by_a_killed_run_is_taken_over_if_whole(tmp_path, site):
    labels(tmp_path, {"a/1": site.url("/photo"), "a/2": site.url("/photo?2")})
    site.routes["/photo?2"] = answer(PHOTO)
    (tmp_path / "images/a").mkdir(parents=True)
    (tmp_path / "images/a/1.jpg").write_bytes(PHOTO)
    (tmp_path / "images/a/2.jpg").write_bytes(b"")
    (tmp_path / "images/.partial").mkdir()
    (tmp_path / "images/.partial/123").write_bytes(PHOTO[:50])
    assert images.run(options(tmp_path)) == 0
    assert site.count("/photo") == 0 and site.count("/photo?2") == 1
    assert files(tmp_path) == {"images/a/1.jpg": PHOTO, "images/a/2.jpg": PHOTO}
    assert {row["http_status"] for row in downloads(tmp_path).values()} == {"200"}


def test_a_disk_that_cannot_be_written_stops_the_run(tmp_path, site):
    labels(tmp_path, {"a/1": site.url("/photo")})
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(InputError, match=r"images.*start again"):
        images.run(options(tmp_path))
    assert downloads(tmp_path) == {}


def start(data: Path, *arguments: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return started("-m", "download", "images", "--data", data, "--allow-private", *arguments, env=environment)


def wait_for(condition, seconds: float = 600.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, site):
    site.routes["/large"] = answer(encoded("BMP"))
    labels(tmp_path, {"a/1": site.url("/photo"), "a/2": site.url("/large")})
    limit = len(PHOTO) + 1000  # no file may grow beyond this: to the program it is as a full disk
    process = subprocess.run(
        [sys.executable, "-m", "download", "images", "--data", str(tmp_path), "--allow-private"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # half a compiled module would stay
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert process.returncode == 2 and "Traceback" not in process.stderr
    assert "File too large; nothing is lost" in process.stderr.splitlines()[-1]
    assert set(files(tmp_path)) <= {"images/a/1.jpg"}
    assert images.run(options(tmp_path)) == 0
    assert files(tmp_path) == {"images/a/1.jpg": PHOTO, "images/a/2.bmp": encoded("BMP")}


def test_too_few_files_allowed_stops_the_run_and_blames_no_host(tmp_path, site):
    for i in range(60):
        site.routes[f"/{i}"] = site.slow(2.0, PHOTO)
    labels(tmp_path, {f"a/{i}": site.url(f"/{i}") for i in range(60)})
    words = ["images", "--data", str(tmp_path), "--allow-private", "--connections", "60", "--per-host", "60"]
    process = subprocess.run(
        [sys.executable, "-m", "download", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50)),
    )
    assert process.returncode == 2 and "Traceback" not in process.stderr
    assert "too many open files; give fewer --connections" in process.stderr.splitlines()[-1]
    assert all(row["status"] == "ok" for row in downloads(tmp_path).values())
    assert images.run(options(tmp_path, connections=60, per_host=60)) == 0
    assert len(files(tmp_path)) == 60


def test_interrupt_lock_and_going_on(tmp_path, site):
    hold = threading.Event()

    def held(connection, request):
        hold.wait(600)
        connection.sendall(answer(PHOTO))

    site.routes |= {f"/held{i}": held for i in range(4)} | {f"/p{i}": answer(PHOTO) for i in range(4)}
    labels(tmp_path, {f"a/{path.strip('/')}": site.url(path) for path in site.routes if path != "/photo"})
    process = start(tmp_path, "--per-host", "8", "--deadline", "10m")
    wait_for(lambda: len(site.requests) == 8 and len(downloads(tmp_path)) == 4)
    second = start(tmp_path)
    assert second.wait(600) == 2
    assert f"process {process.pid}" in second.stderr.read()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(600) == 130
    assert time.monotonic() - began < 120.0  # two where the machine is not busy; the deadline is ten minutes
    errors = process.stderr.read()
    assert "of 8 images, 4 are done" in errors and "Traceback" not in errors
    assert sorted(files(tmp_path)) == [f"images/a/p{i}.jpg" for i in range(4)]
    hold.set()
    assert images.run(options(tmp_path)) == 0
    assert Counter(request.path for request in site.requests)["/p0"] == 1
    assert len(files(tmp_path)) == 8


def test_killed_at_any_moment_it_comes_to_the_same(tmp_path, site):
    def slow(connection, request):
        time.sleep(0.03)
        connection.sendall(answer(b"", "404 No") if request.path.endswith("7") else answer(PHOTO))

    site.routes |= {f"/{i}": slow for i in range(60)}
    urls = {f"a/{i}": site.url(f"/{i}") for i in range(60)}
    for done in (1, 30):
        process = start(labels(tmp_path, urls))
        wait_for(lambda done=done: len(site.requests) >= done)
        process.kill()
        process.wait()
        process.stderr.close()
    assert images.run(options(tmp_path)) == 0
    table = downloads(tmp_path)
    assert {image_id: row["reason"] for image_id, row in table.items()} == {
        f"a/{i}": "http_404" if i % 10 == 7 else "" for i in range(60)
    }
    assert files(tmp_path) == {f"images/a/{i}.jpg": PHOTO for i in range(60) if i % 10 != 7}
    raw = (tmp_path / "downloads.csv").read_text(encoding="utf-8")
    assert len(list(csv.reader(io.StringIO(raw)))) == 61


def test_a_torn_last_row_is_done_again(tmp_path, site):
    labels(tmp_path, {"a/1": site.url("/photo"), "a/2": site.url("/photo?")})
    site.routes["/photo?"] = answer(PHOTO)
    images.run(options(tmp_path))
    table = tmp_path / "downloads.csv"
    table.write_bytes(table.read_bytes()[:-20])
    assert images.run(options(tmp_path)) == 0
    assert len(downloads(tmp_path)) == 2 and len(site.requests) == 2
