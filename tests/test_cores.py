"""How many cores may be used: what an affinity mask leaves, everywhere that a number of processes follows from it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import visavis
from visavis.cores import cores

ROOT = Path(visavis.__file__).parents[1]


def on_one_core(code: str) -> str:
    bound = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    done = subprocess.run([sys.executable, "-c", bound + code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_as_many_as_may_be_used():
    assert 1 <= cores() <= len(os.sched_getaffinity(0))
    assert on_one_core("from visavis.cores import cores; print(cores())") == "1"


def test_loaders_and_the_record_of_a_training_follow():
    code = """
from visavis.training.config import surroundings
from visavis.training.distributed import World
print(World(0, 1, 0).cores(), surroundings()["machine"]["cores"])
"""
    assert on_one_core(code) == "1 1"


def test_nothing_counts_the_cores_by_itself():
    """`os.cpu_count` passes over affinity and cgroups, so that only one place may count."""
    places = [path for folder in ("visavis", "download", "clean", "dataset", "benchmarks") for path in
              (ROOT / folder).rglob("*.py")]  # fmt: skip
    asking = [path for path in [*places, ROOT / "train.py"] if "os.cpu_count" in path.read_text(encoding="utf-8")]
    assert asking == []


def test_a_quota_of_a_cgroup_counts():
    """Where the tests run in a container with a quota, no more cores than it allows."""
    path = Path("/sys/fs/cgroup/cpu.max")
    if not path.exists() or path.read_text().startswith("max"):
        pytest.skip("no CPU quota here")
    quota, period = map(int, path.read_text().split())
    assert cores() <= -(-quota // period)
