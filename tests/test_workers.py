"""visavis.workers: processes that come and go, and what is asked of them."""

import math
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from visavis.errors import ImageError, InputError
from visavis.images import read
from visavis.workers import WorkerDied, Workers

ROOT = Path(__file__).resolve().parents[1]


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


class TooLarge:
    """An answer for which there is no memory where it is asked for."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _no_memory, ()


def _no_memory() -> None:
    raise MemoryError


def test_an_answer_too_large_for_the_memory_costs_its_call_alone():
    with Workers(1, seconds=60) as workers:
        first = workers.submit(os.getpid).result()
        with pytest.raises(WorkerDied, match="too large for the memory"):
            workers.submit(TooLarge).result()
        assert workers.submit(os.getpid).result() != first  # what is left in the old one's pipe is read by nobody


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
    with Workers(1, seconds=0.5, prepare=partial(time.sleep, 1)) as workers:
        assert workers.submit(math.factorial, 3).result() == 6
    with (
        pytest.raises(InputError, match=r"no worker process can start: ValueError: .*non-negative"),
        Workers(1, seconds=5, prepare=partial(time.sleep, -1)) as workers,
    ):
        workers.submit(math.factorial, 3).result()


def test_where_no_worker_can_start_every_call_says_so():
    with Workers(2, seconds=60, prepare=partial(os._exit, 3)) as workers:
        for call in [workers.submit(math.factorial, 3) for _ in range(3)]:
            with pytest.raises(InputError, match=r"no worker process can start: .*ended with status 3"):
                call.result()
    with (
        pytest.raises(InputError, match=r"no worker process can start: ModuleNotFoundError: .*visavis\.nothing"),
        Workers(1, seconds=60, modules=["visavis.nothing"]) as workers,
    ):
        workers.submit(math.factorial, 3).result()


def test_what_cannot_go_through_a_pipe_is_told():
    with Workers(1, seconds=60) as workers:
        gone = type("Gone", (), {"__reduce__": lambda self: (getattr, ("text", "gone"))})()
        with pytest.raises(AttributeError, match="gone"):
            workers.submit(print, gone).result()
        with pytest.raises((AttributeError, pickle.PicklingError), match="pickle"):
            workers.submit(print, lambda: 0).result()
        assert workers.submit(math.factorial, 3).result() == 6


def test_a_worker_has_one_thread_of_torch_and_its_server_one_in_all():
    program = (
        "import os; from clean.inspecting import _MODULES; from visavis.workers import Workers\n"
        "with Workers(1, 60, [*_MODULES, 'visavis.prediction.pipeline']) as workers:\n"
        "    server = workers.submit(os.getppid).result()\n"
        "    print(workers.submit(os.getenv, 'OMP_NUM_THREADS').result(), len(os.listdir(f'/proc/{server}/task')))"
    )
    clear = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    for told, threads in ((clear, "1"), (clear | {"OMP_NUM_THREADS": "7"}, "7")):
        done = subprocess.run([sys.executable, "-c", program], env=told, cwd=ROOT, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == (f"{threads} 1\n", "")


def test_a_script_is_not_run_again_by_its_workers(tmp_path: Path):
    script = tmp_path / "script.py"  # without `if __name__ == "__main__"`, and started from elsewhere
    script.write_text(
        f"import math, sys; sys.path.insert(0, {str(ROOT)!r}); from visavis.workers import Workers\n"
        "with Workers(2, 60) as workers: print(workers.submit(math.factorial, 3).result())\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("6\n", "")


def test_workers_end_with_whoever_started_them(tmp_path: Path):
    program = (
        "import os, time; from visavis.workers import Workers\n"
        "workers = Workers(1, 600)\n"
        "print(workers.submit(os.getpid).result(), flush=True); workers.submit(time.sleep, 600).result()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
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
