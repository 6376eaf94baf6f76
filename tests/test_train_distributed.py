"""train.py in two processes on the CPU, held against one; and what happens where one of them dies."""

import json
import signal
import socket
from collections import Counter

import numpy as np
import pytest
from test_train_resume import ends, when
from test_train_teacher import saved
from training import learn, make_folder, options, start, weights
from typed import ROOT, started

import train
from dataset.samplers import Batches
from visavis import checkpoint
from visavis.checkpoint import SHIPPED
from visavis.training import state

# SGD: Adam divides by the gradient's size, and makes a step of what is noise in the last bit.
RUN = {
    "arch": "mobilenet_v2_slim_fpnlite",
    "epochs": 2,
    "batch_size": 5,
    "optimiser": "sgd",
    "lr": 0.005,
    "size": 96,
    "ema": 0.9,
}

TEACHER = "teacher.safetensors"
TOLERANCE = 1e-5
"""Of a weight, after four steps: sums are added up in another order."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photos, and a teacher."""
    folder = make_folder(tmp_path_factory.mktemp("data"))
    saved(folder / TEACHER)
    return folder


@pytest.fixture(scope="module")
def alone(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("alone") / "run"
    assert train.train(options(folder, out, init=str(SHIPPED), teacher=folder / TEACHER, **RUN)) == 0
    return out


def two(given, said):
    """Two processes, as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    return [start(given, said, RANK=str(rank), LOCAL_RANK=str(rank), **world) for rank in (0, 1)]


def lines(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def alike(left, right):
    ours, theirs = weights(left), weights(right)
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def test_two_processes_learn_what_one_learns(folder, alone, tmp_path):
    out, said = tmp_path / "run", tmp_path / "said"
    given = options(folder, out, init=str(SHIPPED), teacher=folder / TEACHER, **RUN)
    assert [ends(process) for process in two(given, said)] == [0, 0]
    assert alike(out, alone) < TOLERANCE
    moved = {name: weight for name, weight in weights(alone).items() if "weight" in name}
    begun = checkpoint.load(SHIPPED)[0]
    assert max(float((moved[name] - begun[name]).abs().max()) for name in moved) > 20 * TOLERANCE
    for ours, theirs in zip(lines(out), lines(alone), strict=True):
        assert {name for name in ours if name.startswith("loss")} == {name for name in theirs if "loss" in name}
        assert theirs.get("ap50", 1) > 0
        for name in ("loss", "loss_box_reg", "loss_objectness", "loss_teacher", "ap", "best_f1", "photos", "faces"):
            assert ours.get(name) == pytest.approx(theirs.get(name), abs=1e-4), name
    assert {path.name for path in out.iterdir()} == {path.name for path in alone.iterdir()}
    assert lines(out)[-1]["photos"] == 10 - json.loads((out / "config.json").read_text())["data"]["photos"]["train"] > 1
    assert said.read_text().count("best AP") == 1


def test_a_run_begun_on_one_goes_on_in_two_and_the_other_way_round(folder, alone, tmp_path):
    given = options(folder, tmp_path / "run", init=str(SHIPPED), teacher=folder / TEACHER, save_every=0, **RUN)
    said = tmp_path / "said"
    process = start(given, said)
    when(lambda: (tmp_path / "run" / state.NAME).exists(), process)
    process.kill()
    ends(process)
    again = train.Options(out=given.out, resume=True)
    processes = two(again, said)
    when(lambda: "continues after step" in said.read_text() and "epoch 1: AP" in said.read_text(), processes[0])
    for process in processes:
        process.terminate()
    assert all(ends(process) in (0, 1, 143) for process in processes)
    assert learn(again) == 0
    assert alike(given.out, alone) < TOLERANCE


def test_the_batches_of_all_processes_together_are_those_of_one():
    ratios = np.linspace(0.5, 2, 10)
    for world in (1, 2, 3):
        shares = [Batches(10, 4, ratios=ratios, rank=rank, world=world) for rank in range(world)]
        epochs = [[list(batch) for batch in share] for share in shares]
        steps = [sorted(key for share in step for key in share) for step in zip(*epochs, strict=True)]
        assert [[key[1] for key in step] for step in steps] == [list(range(first, first + 4)) for first in (0, 4, 8)]
        seen = Counter(key[2] for step in steps for key in step)
        assert sorted(seen) == list(range(10)) and sum(seen.values()) == 12
    assert steps == [sorted(batch) for batch in Batches(10, 4, ratios=ratios)]


def test_a_rank_that_dies_ends_all_with_a_clear_message(folder, tmp_path):
    given = options(folder, tmp_path / "run", init=str(SHIPPED), save_every=0, **RUN | {"epochs": 1000})
    said = tmp_path / "said"
    processes = two(given, said)
    when(lambda: (given.out / state.NAME).exists(), processes[0])
    processes[1].kill()
    assert ends(processes[1]) == -signal.SIGKILL
    assert ends(processes[0]) == 1
    assert "process 0 ends: another process of this run is gone" in said.read_text()
    assert f"--resume --out {given.out}" in said.read_text()
    checkpoint.load(given.out / "last.safetensors")


def test_torchrun_starts_it(folder, tmp_path):
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", ROOT / "train.py"]
    words += ["--data", folder, "--out", tmp_path / "run", "--arch", "mobilenet_v2_slim_fpnlite", "--init", SHIPPED]
    words += ["--val", "0.3", "--test", "0", "--epochs", "1", "--batch-size", "4", "--workers", "0", "--size", "64"]
    process = started(*map(str, words), "--device", "cpu")
    _, said = process.communicate(timeout=900)
    assert process.returncode == 0, said
    assert "process 1 of 2" in said and said.count("best AP") == 1
    assert (tmp_path / "run" / "best.safetensors").exists()
