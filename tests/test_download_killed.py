"""SIGKILL at random points: started again, the run comes to what one comes to that was never disturbed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from downloading import PHOTO, encoded, labels
from hostile_site import Site, answer, hang_up
from typed import ROOT

from dataset import tables

KILLS = int(os.environ.get("KILLS", "30"))  # KILLS=200 for a longer look

# Has all modules loaded, and forks a run for each line that it reads: a kill costs no second start of Python.
STARTER = """
import os, sys
from pathlib import Path
import matplotlib.figure, matplotlib.backends.backend_agg
from download import images
options = images.Options(connections=8, retries=1, backoff=0.01, put_aside=0.05, allow_private=True, placeholder=3,
                         timeout=90.0, deadline=90.0)
for line in sys.stdin:
    child = os.fork()
    if not child:
        options.data = Path(line.strip())
        sys.stderr = open(os.devnull, "w")
        os._exit(images.run(options))
    print(child, flush=True)
    sys.stdin.readline()  # until then it is nobody's, though it may have ended
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture
def site():
    with Site("0.0.0.0") as running:
        running.host = "127.0.0.2"
        yield running


@pytest.fixture
def starter():
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


def outcome(data: Path) -> tuple[dict, dict]:
    """The table but for attempts and seconds, and every file but it and the chart."""
    rows = {row["image_id"]: row for row in tables.rows(data / "downloads.csv")}
    for row in rows.values():
        del row["attempts"], row["seconds"]
    kept = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    kept -= {"downloads.csv", "downloads.png"}
    return rows, {name: (data / name).read_bytes() for name in kept if name != ".download.lock"}


def has_rows(data: Path) -> set[str]:
    """Images that have a whole row by now."""
    path = data / "downloads.csv"
    lines = path.read_text().splitlines(keepends=True)[1:] if path.exists() else []
    return {line.partition(",")[0] for line in lines if line.endswith("\n")}


def test_thirty_kills(tmp_path, site, starter):
    def slow(body: bytes):
        def route(connection, request):
            time.sleep(0.004)
            connection.sendall(body)

        return route

    def short(connection, request):
        connection.sendall(answer(PHOTO, Content_Length=len(PHOTO) + 9))
        hang_up(connection)

    kinds = [slow(answer(PHOTO[:-2] + bytes([0xFF, 0xD9]) + bytes([i]))) for i in range(6)]  # each its own bytes
    kinds += [slow(answer(b"", "404 No")), slow(answer(b"", "503 Oh")), short, slow(answer(encoded("PNG")))]
    urls = {}
    for i in range(40):
        site.routes[f"/{i}"] = kinds[i % len(kinds)]
        urls[f"p{i // 10}/{i}"] = site.url(f"/{i}", f"127.0.0.{2 + i % 3}")
    urls |= {f"q/{i}": site.url(f"/{i}", f"127.0.0.{2 + i % 3}") for i in range(5)}  # addresses in two rows
    urls |= {f"r/{i}": f"http://127.0.0.9:9/{i}" for i in range(5)}  # nobody there

    def asked() -> Counter[str]:
        return Counter(f"http://{request.headers['host']}{request.path}" for request in list(site.requests))

    def run(data: Path, kill_after: float | None) -> int:
        starter.stdin.write(f"{data}\n")
        starter.stdin.flush()
        child = int(starter.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)
        starter.stdin.write("wait\n")
        starter.stdin.flush()
        return os.waitstatus_to_exitcode(int(starter.stdout.readline()))

    began = time.monotonic()
    assert run(labels(tmp_path / "calm", urls), None) == 3
    took = time.monotonic() - began
    expected = outcome(tmp_path / "calm")
    reasons = Counter(row["reason"] for row in expected[0].values())
    assert reasons["placeholder"] and reasons["connect"] and reasons["truncated"] and reasons["http_404"], reasons

    numbers = random.Random(20)
    kills, folder = 0, 0
    while kills < KILLS:
        folder += 1
        data = labels(tmp_path / f"data{folder}", urls)
        status = -9
        while status == -9:
            done, before = has_rows(data), asked()
            status = run(data, numbers.uniform(0, took / 3) if kills < KILLS else None)
            kills += status == -9
            after = asked()
            assert not [image_id for image_id in done if after[urls[image_id]] > before[urls[image_id]]]
        assert status == 3
        assert outcome(data) == expected
