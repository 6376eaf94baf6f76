"""python -m clean, stopped."""

import os
import signal
import time
from pathlib import Path

import pytest
from cleaning import ASTRONAUT, Folder, clean, jpeg, verdicts
from typed import started

from visavis.messages import counted

PHOTOS = 150
"""That take seconds: stopped after the first, a run is not at its end before it hears of it."""


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_stopped_run_leaves_no_table_no_process_and_goes_on(stop: signal.Signals, status: int, tmp_path: Path):
    folder = Folder(tmp_path)
    for number in range(PHOTOS):
        folder.add(f"Ann/{number:08d}", jpeg(ASTRONAUT[: 200 + number % 150]))
    folder.write()
    running = started("-m", "clean", "--data", tmp_path, "--workers", "2", start_new_session=True)
    journal = tmp_path / "clean" / "seen.jsonl"
    wait_until(lambda: journal.exists() and journal.stat().st_size > 0)
    if stop == signal.SIGINT:
        os.killpg(running.pid, stop)  # as a terminal does it: to the workers too
    else:
        running.kill()
    _, errors = running.communicate(timeout=1000)
    assert running.returncode == status
    assert "Traceback" not in errors
    wait_until(lambda: not group_lives(running.pid))
    assert not (tmp_path / "clean.csv").exists()
    assert not (tmp_path / "faces.csv").exists()
    with journal.open("a") as file:
        file.write('{"image_id": "Ann/0000')  # a torn line, as a kill may leave it
    seen = len(journal.read_text().splitlines()) - 1
    assert 0 < seen < PHOTOS
    again = clean("--data", tmp_path, "--only", "corrupt")  # what finders saw before holds, and nobody asks them now
    assert again.returncode == 0
    assert f"of {PHOTOS} photos, {counted(seen, 'was', 'were')} judged before" in again.stderr
    assert set(verdicts(tmp_path).values()) == {("1", "")}


def wait_until(true, seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
