"""python -m download images: a hostile site, real photos, real processes that are stopped and killed."""

import csv
import hashlib
import io
import itertools
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hostile_site import Site, answer, hang_up
from PIL import Image
from skimage import data as photos
from typed import ROOT, started

from dataset import tables
from download import images
from download.http import Fetched
from download.limits import Limits, strictest
from download.reasons import REASONS
from visavis.data.missing import HELPS
from visavis.errors import InputError


def encoded(format: str, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(photos.astronaut()).resize((96, 80)).convert(mode).save(stream, format)
    return stream.getvalue()


PHOTO = encoded("JPEG")
HUGE = bytearray(encoded("PNG"))
HUGE[16:24] = (60000).to_bytes(4, "big") * 2  # a header that says 60,000 x 60,000
HUGE[29:33] = zlib.crc32(HUGE[12:29]).to_bytes(4, "big")


@pytest.fixture
def site():
    with Site("0.0.0.0") as running:  # every 127.x.y.z is a host of it
        running.host = "127.0.0.2"
        running.routes["/photo"] = answer(PHOTO)
        yield running


def labels(data: Path, urls: dict[str, str]) -> Path:
    """A data folder with a labels.csv: image_id -> address."""
    tables.write(
        data / "labels.csv",
        (
            {"image_id": image_id, "identity": image_id.partition("/")[0], "url": url}
            | {"x1": 1, "y1": 1, "x2": 9, "y2": 9, "pose": 3, "score": 1, "curated": 1}
            for image_id, url in urls.items()
        ),
    )
    return data


def options(data: Path, **changes) -> images.Options:
    quick = {"timeout": 90.0, "deadline": 90.0, "backoff": 0.05, "allow_private": True, "connections": 8}
    return images.Options(data=data, **quick | changes)


def downloads(data: Path) -> dict[str, dict[str, str]]:
    rows = list(tables.rows(data / "downloads.csv"))
    assert len({row["image_id"] for row in rows}) == len(rows), "one row an image"
    return {row["image_id"]: row for row in rows}


def files(data: Path) -> dict[str, bytes]:
    found = (path for path in (data / "images").rglob("*") if path.is_file())
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in found}


def test_formats_are_told_by_their_bytes(tmp_path, site):
    bodies = {
        "a/jpeg": (PHOTO, "text/html", ".jpg"),
        "a/cmyk": (encoded("JPEG", "CMYK"), "image/jpeg", ".jpg"),
        "a/png": (encoded("PNG"), "image/jpeg", ".png"),
        "a/webp": (encoded("WEBP"), "image/jpeg", ".webp"),
        "b/gif": (encoded("GIF"), "image/jpeg", ".gif"),
        "b/bmp": (encoded("BMP"), "", ".bmp"),
        "b/tiff": (encoded("TIFF"), "image/png", ".tif"),
    }
    site.routes |= {f"/{name}.exe": answer(body, Content_Type=kind) for name, (body, kind, _) in bodies.items()}
    labels(tmp_path, {name: site.url(f"/{name}.exe") for name in bodies})
    assert images.run(options(tmp_path)) == 0
    table = downloads(tmp_path)
    for name, (body, _, extension) in bodies.items():
        row = table[name]
        assert (row["status"], row["reason"], row["http_status"], row["attempts"]) == ("ok", "", "200", "1")
        assert row["path"] == f"images/{name}{extension}"
        assert (row["width"], row["height"], row["bytes"]) == ("96", "80", str(len(body)))
        assert row["sha256"] == hashlib.sha256(body).hexdigest()
    assert files(tmp_path) == {f"images/{name}{ending}": body for name, (body, _, ending) in bodies.items()}
    assert images.run(options(tmp_path)) == 0
    assert len(site.requests) == len(bodies), "nothing is fetched twice"


def test_what_is_no_photo(tmp_path, site, capfd):
    def reset(connection, request):
        connection.sendall(answer(PHOTO, Content_Length=len(PHOTO) + 50))
        hang_up(connection)

    routes = {
        "html": (answer(b"<html>gone</html>"), "refused", "not_image"),
        "svg": (answer(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "refused", "not_image"),
        "empty": (answer(b""), "refused", "empty"),
        "cut": (answer(PHOTO[: len(PHOTO) // 2]), "failed", "truncated"),
        "short": (reset, "failed", "truncated"),
        "huge": (answer(bytes(HUGE)), "refused", "too_large"),
        "fat": (answer(PHOTO + bytes(60_000)), "refused", "too_large"),
        "gone": (answer(b"", "404 Gone"), "refused", "http_404"),
        "down": (answer(b"", "503 Down"), "failed", "http_5xx"),
        "slow": (lambda connection, request: time.sleep(60), "failed", "timeout"),
        "fine": (answer(PHOTO), "ok", ""),
    }
    site.routes |= {f"/{name}": route for name, (route, _, _) in routes.items()}
    urls = {f"x/{name}": site.url(f"/{name}") for name in routes}
    urls |= {"x/scheme": "ftp://example.com/a.jpg", "x/nothing": "", "x/dead": "http://127.0.0.2:9/a.jpg"}
    labels(tmp_path, urls)
    assert images.run(options(tmp_path, retries=1, deadline=10.0, max_bytes=50_000)) == 3
    table = downloads(tmp_path)
    assert {name: (table[f"x/{name}"]["status"], table[f"x/{name}"]["reason"]) for name in routes} == {
        name: (status, reason) for name, (_, status, reason) in routes.items()
    }
    assert {table[f"x/{name}"]["reason"] for name in ("scheme", "nothing")} == {"bad_url"}
    assert table["x/dead"]["reason"] == "connect"
    assert {name: site.count(f"/{name}") for name in routes} == {
        name: 2 if status == "failed" else 1 for name, (_, status, _) in routes.items()
    }
    assert table["x/down"]["attempts"] == "2" and table["x/down"]["http_status"] == "503"
    assert list(files(tmp_path)) == ["images/x/fine.jpg"]
    printed = capfd.readouterr().err.splitlines()
    total = next(line for line in printed if "in all" in line)
    counted = [int(line.split()[0]) for line in printed if "e.g. x/" in line]
    assert sum(counted) == int(total.split()[0]) == len(urls)


def test_private_addresses_need_the_option(tmp_path, site):
    labels(tmp_path, {"a/1": site.url("/photo"), "a/2": f"http://localhost:{site.port}/photo"})
    assert images.run(options(tmp_path, allow_private=False)) == 0
    assert {row["reason"] for row in downloads(tmp_path).values()} == {"private_address"}
    assert site.connections == 0
    assert images.run(options(tmp_path, allow_private=False, max_bytes=10**9)) == 0
    assert site.connections == 0, "what does not refuse them tries nothing again"
    assert images.run(options(tmp_path)) == 0
    assert {row["status"] for row in downloads(tmp_path).values()} == {"ok"}


def test_what_an_option_refused_is_tried_again_when_the_option_changes(tmp_path, site):
    site.routes |= {
        "/robots.txt": answer(b"User-agent: *\nDisallow: /no"),
        "/no": answer(PHOTO),
        "/big": answer(encoded("PNG")),
    }
    labels(tmp_path, {"a/1": site.url("/no"), "a/2": site.url("/big"), "a/3": site.url("/missing")})
    strict = {"max_pixels": 96 * 80 - 1}

    def reasons(**changes) -> list[str]:
        assert images.run(options(tmp_path, **changes)) == 0
        return [row["reason"] for _, row in sorted(downloads(tmp_path).items())]

    assert reasons(**strict) == ["robots", "too_large", "http_404"]
    assert reasons(**strict) == ["robots", "too_large", "http_404"]
    assert site.count("/big") == 1
    assert reasons(**strict, ignore_robots=True) == ["too_large", "too_large", "http_404"]
    assert site.count("/big") == 1
    assert reasons(ignore_robots=True) == ["", "", "http_404"]
    assert (site.count("/no"), site.count("/big"), site.count("/missing")) == (2, 2, 1)
    assert reasons(**strict) == ["", "", "http_404"], "what is there stays"
    (tmp_path / "downloads.json").write_text("{}")
    with pytest.raises(InputError, match=r"downloads\.json .* delete it"):
        images.run(options(tmp_path))


def test_which_reasons_an_option_lifts():
    strict, loose = Limits(), Limits(True, True, True, 10**9, 10**9, 0)
    assert loose.lifted(strict) == {"private_address", "robots", "tls", "too_large", "placeholder"}
    assert strict.lifted(loose) == strict.lifted(strict) == frozenset()
    assert Limits(placeholder=11).lifted(strict) == {"placeholder"}
    assert Limits(max_bytes=30_000_000).lifted(strict) == {"too_large"}
    assert strictest([loose, Limits(max_pixels=9)]) == Limits(max_pixels=9)
    assert set(HELPS) == set(loose.lifted(strict)), "what clean advises"


def test_max_pixels_and_retry_by_reason(tmp_path, site):
    labels(tmp_path, {"a/1": site.url("/photo"), "a/2": site.url("/missing")})
    assert images.run(options(tmp_path, max_pixels=96 * 80 - 1)) == 0
    assert downloads(tmp_path)["a/1"]["reason"] == "too_large"
    assert images.run(options(tmp_path, max_pixels=96 * 80 - 1, retry="too_large")) == 0
    assert site.count("/photo") == 2 and downloads(tmp_path)["a/1"]["reason"] == "too_large"
    assert images.run(options(tmp_path)) == 0
    assert downloads(tmp_path)["a/1"]["status"] == "ok"
    assert site.count("/missing") == 1
    assert images.run(options(tmp_path, retry="refused")) == 0
    assert site.count("/missing") == 2 and site.count("/photo") == 3


def test_failures_that_pass(tmp_path, site):
    asked: Counter[str] = Counter()

    def twice_bad(connection, request):
        asked[request.path] += 1
        connection.sendall(answer(PHOTO) if asked[request.path] == 3 else answer(b"", "500 Oh"))

    site.routes["/later"] = twice_bad
    labels(tmp_path, {"a/1": site.url("/later")})
    assert images.run(options(tmp_path, retries=1, backoff=0.2)) == 3
    first, second = (request.at for request in site.requests)
    assert second - first >= 0.1
    assert downloads(tmp_path)["a/1"]["attempts"] == "2"
    assert images.run(options(tmp_path)) == 3, "without --retry nothing is asked again, and it is still failed"
    assert len(site.requests) == 2
    assert images.run(options(tmp_path, retry="failed")) == 0
    assert downloads(tmp_path)["a/1"]["status"] == "ok"


def test_back_off_doubles(tmp_path, site):
    site.routes["/down"] = answer(b"", "503 Down")
    labels(tmp_path, {"a/1": site.url("/down")})
    assert images.run(options(tmp_path, retries=3, backoff=0.2)) == 3
    times = [request.at for request in site.requests]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(pauses) == 3
    for pause, nominal in zip(pauses, (0.2, 0.4, 0.8), strict=True):
        assert pause >= nominal / 2
    assert images.run(options(tmp_path, retries=0, retry="failed")) == 3
    assert len(site.requests) == 5


def test_retry_after_holds_for_the_whole_host(tmp_path, site):
    asked: Counter[str] = Counter()

    def busy(connection, request):
        asked[request.path] += 1
        connection.sendall(answer(PHOTO) if asked[request.path] > 1 else answer(b"", "429 Slow", Retry_After=1))

    site.routes["/busy"] = busy
    urls = {"a/0": site.url("/busy")} | {f"a/{i}": site.url(f"/photo?{i}") for i in range(1, 6)}
    site.routes |= {f"/photo?{i}": answer(PHOTO) for i in range(1, 6)}
    site.routes["/elsewhere"] = answer(PHOTO)
    labels(tmp_path, urls | {"b/1": site.url("/elsewhere", "127.0.0.3")})
    assert images.run(options(tmp_path, per_host=1)) == 0
    began = next(request.at for request in site.requests if request.path == "/busy")
    at = {request.path: request.at for request in site.requests}  # of /busy the second time
    assert at["/elsewhere"] < at["/busy"], "other hosts are not held up"
    assert min(at[path] for path in ("/busy", "/photo?1", "/photo?5")) - began >= 0.95


def test_a_host_that_asks_for_an_hour_is_left_alone(tmp_path, site):
    site.routes["/busy"] = answer(b"", "503 Busy", Retry_After=3600)
    labels(tmp_path, {"a/0": site.url("/busy")} | {f"a/{i}": site.url(f"/photo?{i}") for i in range(1, 6)})
    assert images.run(options(tmp_path, per_host=1)) == 3
    assert {row["reason"] for row in downloads(tmp_path).values()} == {"retry_later"}
    assert len(site.requests) == 1


def test_limits_of_connections(tmp_path, site):
    urls = {}
    for host in range(2, 6):
        for number in range(8):
            site.routes[f"/{host}/{number}"] = site.slow(0.1, PHOTO)
            urls[f"h{host}/{number}"] = site.url(f"/{host}/{number}", f"127.0.0.{host}")
    labels(tmp_path, urls)
    assert images.run(options(tmp_path, connections=6, per_host=2)) == 0
    assert max(site.most_at_once.values()) == 2
    assert site.most_together <= 6
    assert site.most_together >= 4


def test_one_address_in_several_rows(tmp_path, site):
    url = site.url("/photo")
    labels(tmp_path, {"a/1": url, "b/1": url, "a/2": site.url("/none"), "b/2": site.url("/none"), "c/1": url + "#top"})
    assert images.run(options(tmp_path)) == 0
    assert site.count("/photo") == site.count("/none") == 1
    assert files(tmp_path) == {f"images/{image_id}.jpg": PHOTO for image_id in ("a/1", "b/1", "c/1")}
    labels(tmp_path, {"a/1": url, "b/1": url, "a/2": site.url("/none"), "d/1": url, "d/2": site.url("/none")})
    assert images.run(options(tmp_path)) == 0
    assert site.count("/photo") == site.count("/none") == 1, "an answer of an earlier run serves new rows"
    table = downloads(tmp_path)
    assert (table["d/1"]["path"], table["d/1"]["sha256"]) == ("images/d/1.jpg", hashlib.sha256(PHOTO).hexdigest())
    assert (table["d/2"]["status"], table["d/2"]["reason"], table["d/2"]["attempts"]) == ("refused", "http_404", "0")
    assert (tmp_path / "images/d/1.jpg").read_bytes() == PHOTO


def test_several_faces_of_one_photo_are_one_image(tmp_path, site):
    labels(tmp_path, {"a/1": site.url("/photo")})
    with (tmp_path / "labels.csv").open("a") as table:
        table.write(f"a/1,a,{site.url('/photo')},20,20,30,30,3,1,1\n")
    assert images.run(options(tmp_path)) == 0
    assert len(downloads(tmp_path)) == 1


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


def test_bad_input(tmp_path):
    with pytest.raises(InputError, match=r"labels.csv is not there.*download lists"):
        images.run(options(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(InputError, match="no rows"):
        images.run(options(labels(tmp_path / "none", {})))
    (tmp_path / "labels.csv").write_text("name,url\n")
    with pytest.raises(InputError, match="no column image_id"):
        images.run(options(tmp_path))
    for image_id in ("../../etc/x", "/etc/x", "a//b", "a/.", "a/../b", "a\\b", ".hidden/1", "", "c:x"):
        with pytest.raises(InputError, match="row 2"):
            images.run(options(labels(tmp_path / "bad", {image_id: "http://127.0.0.2:9/"})))
    good = labels(tmp_path / "good", {"a/1": "http://127.0.0.2:9/"})
    for retry in ("everything", "", "timeout,dsn"):
        with pytest.raises(InputError, match="--retry"):
            images.run(options(good, retry=retry))
    assert sorted(path.name for path in good.iterdir()) == ["labels.csv"], "nothing was written"


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
    assert "4 of 8 images are done" in errors and "Traceback" not in errors
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


def test_an_outcome_has_its_reasons_status():
    assert Fetched().status == "ok"
    assert {Fetched(reason).status for reason in REASONS} == {"failed", "refused"}
