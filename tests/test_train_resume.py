"""train.py stopped and started: signals, kills at any moment, and the same weights in the end, bit for bit."""

import os
import random
import signal
import time

import pytest
import torch
from training import learn, make_folder, options, same, start, weights

import train
from visavis import checkpoint
from visavis.errors import InputError
from visavis.training import config, state
from visavis.training.history import History

RUN = {"arch": "mobilenet_v2_slim_fpnlite", "epochs": 2, "limit": 7, "mosaic": 64, "ema": 0.9, "lr": 1e-3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    """The folder of a run that nothing disturbs: eight steps, two epochs."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert learn(options(folder, out, **RUN)) == 0
    return out


def when(moment, process, seconds=600):
    """Wait until `moment()`, which is something other than an end of the process."""
    until = time.monotonic() + seconds
    while not moment():
        process.join(0.001)  # rather than to take a core from it
        assert process.is_alive() and time.monotonic() < until, f"exit status {process.exitcode}"


def ends(process, seconds=600):
    process.join(seconds)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode


def saves(out):
    """A function that is true after so many saves, and one that is true while a file is being written."""
    seen = set()

    def after(count):
        def moment():
            if (out / state.NAME).exists():
                seen.add((out / state.NAME).stat().st_mtime_ns)
            return len(seen) > count

        return moment

    return after, lambda: any(out.glob(".visavis-*.tmp"))


def test_killed_at_random_steps_and_during_a_save_it_ends_with_the_same_weights(folder, undisturbed, tmp_path):
    seed = 20
    print(f"seed {seed}")  # pytest shows it where the test fails
    out, said, chance = tmp_path / "run", tmp_path / "said", random.Random(seed)
    after, writing = saves(out)
    process = start(options(folder, out, workers=2, save_every=0, **RUN), said)
    when(after(chance.randrange(3)), process)
    for moment in (writing, after(chance.randrange(2)), writing):
        when(moment, process)
        process.kill()
        assert ends(process) == -signal.SIGKILL
        if (out / "last.safetensors").exists():
            checkpoint.load(out / "last.safetensors")
        process = start(train.Options(out=out, resume=True), said)
        when(lambda: "resumes" in said.read_text(), process)
    assert ends(process) == 0, said.read_text()
    assert same(weights(out), weights(undisturbed))
    assert same(weights(out, "best.safetensors"), weights(undisturbed, "best.safetensors"))
    ours, theirs = (torch.load(run / state.NAME, weights_only=True) for run in (out, undisturbed))
    assert same(ours["model"], theirs["model"])
    assert torch.equal(ours["random"]["torch"], theirs["random"]["torch"])
    assert not list(out.glob(".visavis-*.tmp"))
    epochs = [line["epoch"] for line in History(out, 8, 2).lines if "ap" in line]
    assert epochs == [1, 2]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_ends_and_the_run_goes_on_from_there(folder, undisturbed, tmp_path, number, status):
    out, said = tmp_path / "run", tmp_path / "said"
    process = start(options(folder, out, **RUN), said)
    when(lambda: (out / "metrics.jsonl").exists(), process)
    os.kill(process.pid, number)
    assert ends(process) == status, said.read_text()
    assert "--resume" in said.read_text()
    begun = torch.load(out / state.NAME, weights_only=True)["done"]
    assert learn(train.Options(out=out, resume=True)) == 0
    assert 0 <= begun < 8
    assert same(weights(out), weights(undisturbed))


def test_a_step_that_does_not_end_is_left_for_the_save(folder, tmp_path, monkeypatch):
    """The thread that saves in the place of a loop that hangs: the loop here never ends its first step."""
    from visavis.training.stopping import Stop

    saved = tmp_path / "saved"
    child = os.fork()
    if child == 0:
        monkeypatch.setattr("visavis.training.stopping.GRACE", 0.1)
        with Stop(lambda: saved.write_text("all")):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert (os.waitstatus_to_exitcode(status), saved.read_text()) == (143, "all")


def test_resuming_reads_the_options_and_says_what_differs(folder, undisturbed, capsys):
    before = (undisturbed / "last.safetensors").read_bytes()
    asked = {"out": undisturbed, "resume": True, "epochs": 5, "save_every": 7, "lr": 0.5}
    given = config.renewed(train.Options(), asked)
    assert train.train(given) == 0
    said = capsys.readouterr().err
    assert "--epochs 2, as it began, and not 5" in said and "--lr 0.001, as it began, and not 0.5" in said
    assert "--save-every 7, as given" in said and "best AP" in said
    assert (undisturbed / "last.safetensors").read_bytes() == before


def test_what_cannot_be_resumed_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="there is no run in"):
        train.train(train.Options(out=tmp_path, resume=True))
    own = make_folder(tmp_path / "data")
    out = tmp_path / "run"
    learn(options(own, out, limit=2))
    good = (out / state.NAME).read_bytes()
    (out / state.NAME).write_bytes(good[: len(good) // 2])
    with pytest.raises(InputError, match=r"state.pt is not a training state"):
        train.train(train.Options(out=out, resume=True))
    (own / "labels.csv").write_text((own / "labels.csv").read_text().replace("P1/1,P1,,30", "P1/1,P1,,31"))
    with pytest.raises(InputError, match="have changed since the run began"):
        train.train(train.Options(out=out, resume=True))


def test_a_state_that_would_run_code_does_not(folder, tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "state.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError):
        state.load(tmp_path / "state.pt")
    assert not (tmp_path / "ran").exists()


def test_a_run_killed_before_its_first_save_begins_anew_and_workers_do_not_matter(folder, undisturbed, tmp_path):
    out = tmp_path / "run"
    given = config.plain(options(folder, out, workers=2, **RUN))
    out.mkdir()
    config.write(out, {"options": given, "data": config.read(undisturbed)["data"]})
    assert learn(train.Options(out=out, resume=True)) == 0
    assert same(weights(out), weights(undisturbed))
