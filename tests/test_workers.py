"""visavis.workers: processes that come and go, and what is asked of them."""

import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from visavis.images import ImageError, read
from visavis.workers import WorkerDied, Workers


def test_answers_and_errors_come_back(tmp_path: Path):
    with Workers(2, seconds=60) as workers:
        answers = [workers.submit(math.factorial, number) for number in range(20)]
        assert [answer.result() for answer in answers] == [math.factorial(number) for number in range(20)]
        with pytest.raises(ImageError, match="missing") as caught:
            workers.submit(read, tmp_path / "gone.jpg").result()
        assert caught.value.reason == "missing"
        with pytest.raises(ValueError, match="math domain error"):
            workers.submit(math.sqrt, -1).result()
        others = {workers.submit(os.getpid).result() for _ in range(5)}
        assert os.getpid() not in others and len(others) <= 2


def test_a_call_that_kills_or_hangs_its_worker_costs_itself_alone():
    with Workers(2, seconds=3) as workers:
        calls = [workers.submit(math.factorial, 3), workers.submit(os.kill, 0, 0), workers.submit(time.sleep, 60)]
        calls += [workers.submit(os._exit, 7), workers.submit(os.abort)]
        calls += [workers.submit(math.factorial, 4) for _ in range(8)]
        assert calls[0].result() == 6 and calls[1].result() is None
        with pytest.raises(WorkerDied, match="over 3 s"):
            calls[2].result()
        with pytest.raises(WorkerDied, match="status 7"):
            calls[3].result()
        with pytest.raises(WorkerDied, match=f"status {-signal.SIGABRT}"):
            calls[4].result()
        assert [call.result() for call in calls[5:]] == [24] * 8


def test_the_block_ends_at_once_when_something_is_raised():
    began = time.monotonic()
    waiting: list[Future[None]] = []
    with pytest.raises(KeyboardInterrupt):
        _interrupted_with(waiting)
    assert waiting[1].cancelled()
    assert time.monotonic() - began < 60


def _interrupted_with(waiting: "list[Future[None]]") -> None:
    with Workers(1, seconds=600) as workers:
        waiting += [workers.submit(time.sleep, 300) for _ in range(2)]
        while not waiting[0].running():
            time.sleep(0.01)
        raise KeyboardInterrupt


def test_a_worker_prepares_once_however_long_it_takes():
    with Workers(1, seconds=0.5, prepare=(time.sleep, 1)) as workers:
        assert workers.submit(math.factorial, 3).result() == 6
    with pytest.raises(ValueError, match="non-negative"), Workers(1, seconds=5, prepare=(time.sleep, -1)) as workers:
        workers.submit(math.factorial, 3).result()


def test_workers_end_with_whoever_started_them(tmp_path: Path):
    program = (
        "import os, time; from visavis.workers import Workers\n"
        "workers = Workers(1, 600)\n"
        "print(workers.submit(os.getpid).result(), flush=True); workers.submit(time.sleep, 600).result()"
    )
    root = Path(__file__).resolve().parents[1]
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while _runs(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(worker)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
