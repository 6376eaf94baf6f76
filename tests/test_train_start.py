"""What a training starts from, what it says about a CPU, and what it keeps where there is too little to choose by."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training import learn, make_folder, options

import train
from dataset import checks, subjects, tables
from dataset.photos import Photos
from dataset.validation import evaluate
from visavis import checkpoint, load_detector
from visavis.checkpoint import SHIPPED
from visavis.detectors.faster_rcnn.architectures import build
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.kinds import archs
from visavis.metrics import doubtful, judge, score
from visavis.training import config, cost, start
from visavis.training.distributed import World
from visavis.training.draws import from_seeds
from visavis.training.run import Run
from visavis.training.validation import Validation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    ("arch", "init", "gpu", "settled"),
    [
        (None, None, False, ("mobilenet_v2_slim_fpnlite", "shipped")),
        (None, None, True, ("resnet50_fpn", "coco")),
        (None, "shipped", True, ("mobilenet_v2_slim_fpnlite", "shipped")),
        (None, str(SHIPPED), True, ("mobilenet_v2_slim_fpnlite", str(SHIPPED))),
        (None, "coco", False, ("resnet50_fpn", "coco")),
        (None, "none", False, ("mobilenet_v2_fpnlite", "none")),
        (None, "none", True, ("resnet50_fpn", "none")),
        ("resnet50_fpn", None, False, ("resnet50_fpn", "coco")),
        ("mobilenet_v2_slim_fpnlite", None, True, ("mobilenet_v2_slim_fpnlite", "shipped")),
        ("mobilenet_v2_fpn", "x.pth", False, ("mobilenet_v2_fpn", "x.pth")),
    ],
)
def test_architecture_and_weights_that_are_not_given(arch, init, gpu, settled):
    assert start.settle(arch, init, gpu) == settled


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"init": "NONSENSE"}, "`init` NONSENSE: no such file, nor one of those that mobilenet_v2_fpn may begin with: "
                               "shipped, coco, imagenet, none"),
        ({"arch": None, "init": "gone.safetensors"}, "`init` gone.safetensors: no such file"),
        ({"arch": "keypoints_cnn", "init": "shipped"}, "keypoints_cnn may begin with: none"),
        ({"arch": "window_trees", "init": "coco"}, "window_trees may begin with: none"),
        ({"teacher": Path("gone.safetensors")}, "no weights at gone.safetensors"),
    ],
)  # fmt: skip
def test_what_it_begins_with_is_judged_before_the_data_is_read(tmp_path, more, told):
    with pytest.raises(InputError, match=re.escape(told)):
        train.train(options(tmp_path / "nowhere", tmp_path / "run", **{"arch": "mobilenet_v2_fpn"} | more))


@pytest.mark.parametrize("arch", archs())
def test_an_architecture_may_begin_with_its_own_default(arch):
    start.check(*start.settle(arch, None, False), None)


def test_without_arch_a_cpu_trains_the_shipped_light_network_and_keeps_its_threshold(folder, tmp_path, capsys):
    out = tmp_path / "run"
    given = options(folder, out, arch=None, init=None, mosaic=64, transforms="none", lr=0.0, ema=0.0)
    assert learn(given) == 0
    said = capsys.readouterr().err
    assert "no --arch was given: on a CPU, that is mobilenet_v2_slim_fpnlite, from shipped" in said
    metadata, shipped = checkpoint.metadata(out / "best.safetensors"), checkpoint.metadata(SHIPPED)
    assert metadata["arch"] == "mobilenet_v2_slim_fpnlite"
    assert json.loads((out / "config.json").read_text())["options"]["init"] == "shipped"
    # A few faces choose no threshold, and weights that did not change keep the calibration that they came with.
    assert metadata["threshold"] == round(shipped["threshold"], 4) == 0.45
    for name in ("temperature", "shift", "company", "sure"):
        assert metadata[name] == shipped[name] != 0
    assert "validation faces are too few to choose a threshold from (100 or more are needed): it stays 0.45" in said, (
        said
    )
    picture = [np.asarray(Image.open(folder / "images/P1/1.png"))]
    scores = [load_detector(path, "cpu", 0.05, backend="torch").detect(picture)[0].scores
              for path in (SHIPPED, out / "best.safetensors")]  # fmt: skip
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    assert train.train(train.Options(out=out, resume=True)) == 0  # the architecture is the run's


def test_a_heavy_network_on_a_cpu_says_what_a_step_takes(capsys, monkeypatch):
    model = build("mobilenet_v2_fpnlite")
    model.transform.in_training = 96
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    dice = torch.rand(1)
    torch.manual_seed(3)
    cost.say_what_a_step_takes(model, from_seeds, "some_arch", [(3, 0.6), (2, 0.4)], cost.photo(model, True), "rest")
    assert torch.equal(torch.rand(1), dice)  # what is drawn later does not depend on it
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert "some_arch on a CPU: a step of 5 photos takes about" in capsys.readouterr().err
    one, four = (cost.of_a_step(model, from_seeds, 4, at_once, cost.photo(model, True)) for at_once in (1, 4))
    weights = sum(parameter.nbytes for parameter in model.parameters())
    assert one.memory > 5 * weights and four.memory - 5 * weights == 4 * (one.memory - 5 * weights)
    for free, seconds, words in (
        (10, 1.0, "more memory than is free"),
        (10**12, 60.0, "rest, which is made for a CPU"),
    ):
        monkeypatch.setattr(cost, "free_memory", lambda free=free: free)
        monkeypatch.setattr(cost, "of_a_step", lambda *_, seconds=seconds: cost.Cost(seconds, 10**9))
        cost.say_what_a_step_takes(model, from_seeds, "some_arch", [(2, 1.0)], cost.photo(model, True), "rest")
        assert words in capsys.readouterr().err


def test_the_large_network_is_measured_before_anything_is_written(folder, tmp_path, capsys):
    given = options(folder, tmp_path / "run", arch="resnet50_fpn", mosaic=64, batch_size=2)
    photos = Photos.load(folder)
    train.begin(given, World(), subjects.of(given.arch)(folder, photos, photos))
    assert "resnet50_fpn on a CPU: a step of 2 photos takes about" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_weights_that_cannot_be_fetched_name_those_in_the_repository_first(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(InputError, match="cannot get fasterrcnn_resnet50_fpn_coco") as caught:
        train.train(options(folder, tmp_path / "run", arch="resnet50_fpn", init=None))
    said = str(caught.value)
    assert said.index("`arch` mobilenet_v2_slim_fpnlite with `init` shipped") < said.index(str(tmp_path))


def spoil(folder: Path, split: str, how: str) -> None:
    """Make every photo, or every label, of one split useless."""
    rows, people = list(tables.rows(folder / "labels.csv")), set()
    for photo in Photos.load(folder, split, train.Shares(0.3, 0)):
        people.add(photo.identity)
        if how == "gone":
            photo.path.unlink()
        elif how == "torn":
            photo.path.write_bytes(photo.path.read_bytes()[:3000])  # its header is whole
    if how == "outside":  # as where shares of the picture are meant, and pixels are given
        rows = [row | {side: 96 * float(row[side]) for side in ("x1", "y1", "x2", "y2")}
                if row["identity"] in people else row for row in rows]  # fmt: skip
        tables.write(folder / "labels.csv", rows)


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize(
    ("how", "told"),
    [("gone", "that are missing"), ("torn", "that cannot be decoded"), ("outside", "outside")],
)
def test_a_part_without_a_usable_face_is_refused_before_anything_is_written(tmp_path, split, how, told):
    own = make_folder(tmp_path / "data")
    listed = [{"image_id": f"P{n}/1", "status": "ok", "path": f"images/P{n}/1.png"} for n in range(10)]
    tables.write(own / "downloads.csv", listed)
    spoil(own, split, how)
    with pytest.raises(InputError, match=rf"of \d labelled faces? in the split '{split}', none can be used.*{told}"):
        train.train(options(own, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_one_usable_face_is_enough(tmp_path):
    own = make_folder(tmp_path / "data")
    parts = [Photos.load(own, split, train.Shares(0.3, 0)) for split in ("train", "val")]
    for photo in [*parts[0][1:], *parts[1][:-1]]:
        photo.path.unlink()
    checks.check(own, *parts)


def test_photos_that_are_learnt_to_show_nobody_are_counted_since_labels_get_lost(folder):
    photos = list(Photos.load(folder))
    assert checks.summary(Photos(photos)) == f"{len(photos)} photos with {len(photos)} faces"
    bare = [replace(photo, boxes=photo.boxes[:0]) for photo in photos[:2]]
    hidden = replace(photos[2], boxes=photos[2].boxes[:0], ignore=photos[2].boxes)
    said = checks.summary(Photos([*bare, hidden, *photos[3:]]))
    assert said == f"{len(photos)} photos (2 with nobody) with {len(photos) - 3} faces"


class Nothing:
    """Stands in for what a run does not ask in these tests."""

    def __getattr__(self, name):
        return self

    def __call__(self, *_):
        return self


def run_of(out, **state):
    learner = Nothing()
    learner.world = type("World", (), {"first": True, "size": 1})()
    batches = type("Batches", (), {"batch_size": 1, "steps": 1})()
    made = Run(out, learner, batches, [], Nothing(), lambda *_: None, 1, None, 300, 0.625, {}, {}, lambda: 0)
    for name, value in state.items():
        setattr(made, name, value)
    return made


def test_the_last_line_names_only_what_is_there(tmp_path, capsys):
    def said(best):
        run_of(tmp_path, best=best)._conclude()
        return capsys.readouterr().err

    assert "no longer holds any weights" in said(0.5) and ".safetensors" not in said(0.5)
    (tmp_path / "last.safetensors").touch()
    assert "last.safetensors" in said(0.5) and "best.safetensors" not in said(0.5) and "curves.png" not in said(0.5)
    for name in ("best.safetensors", "curves.png"):
        (tmp_path / name).touch()
    both = said(0.5)
    assert "best.safetensors" in both and "last.safetensors" not in both and "curves.png" in both
    assert "predict.py" in both and "predict.py" not in said(0.0) and "finds none of the validation faces" in said(0.0)


def found_of(faces, false_score):
    """So many faces, one a photo, found with scores of 0.8; and a false find in the first photo."""
    box, other = [10.0, 10.0, 50.0, 60.0], [100.0, 100.0, 150.0, 160.0]
    truth = [Faces([box])] * faces
    found = [Faces([box, other], [0.8, false_score])] + [Faces([box], [0.8])] * (faces - 1)
    return Validation(score(truth, found), judge(truth, found), {})


def test_a_threshold_is_chosen_by_a_hundred_faces_and_kept_with_fewer(tmp_path):
    few, enough = found_of(99, 0.2), found_of(100, 0.2)
    assert few.threshold(0.625) == 0.625
    assert enough.threshold(0.625) == pytest.approx(0.5)  # halfway between 0.8 and 0.2
    (said,) = few.reservations(tmp_path, 0.625)
    assert "99 validation faces are too few" in said
    assert enough.reservations(tmp_path, 0.5) == []


def test_false_finds_that_are_surer_than_half_of_the_right_ones_are_pointed_out(tmp_path):
    (said,) = found_of(100, 0.9).reservations(tmp_path, 0.5)
    assert "1 false positive scores higher than half of the true positives in the validation photos" in said
    assert doubtful(found_of(5, 0.9).judged, 0.5) == 1
    assert doubtful(found_of(5, 0.8).judged, 0.5) == 0  # as sure as they are, and no surer
    assert doubtful(found_of(5, 0.9).judged, 0.95) == 0  # it does not count
    assert doubtful(judge([], []), 0.5) == 0
    assert doubtful(judge([Faces()], [Faces([[0, 0, 9, 9]], [0.9])]), 0.5) == 0


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_of_the_repository_that_holds_the_code(tmp_path, monkeypatch):
    def git(*arguments):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    code = tmp_path / "lib" / "config.py"
    code.parent.mkdir()
    code.write_text("")
    assert config.commit(code) is None  # no repository at all
    git("init", "-q")
    (tmp_path / "theirs.txt").write_text("")
    git("add", "theirs.txt")
    git("commit", "-q", "-m", "theirs")
    assert config.commit(code) is None  # somebody's repository, of which the code is no part
    git("add", "lib")
    git("commit", "-q", "-m", "ours")
    assert config.commit(code) == git("rev-parse", "HEAD")
    code.write_text("changed")
    assert config.commit(code) == git("rev-parse", "HEAD") + "+"
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))  # as in a hook of another repository
    assert (config.commit(code) or "").endswith("+")


@pytest.mark.parametrize(
    ("readable", "told"),
    [
        (0, "of 2 photos for validation, none can be read"),
        (1, "of 1 readable validation photo, none has a usable face"),
    ],
)
def test_a_validation_that_has_no_face_to_score_by_is_an_error_and_no_ap_of_nan(tmp_path, readable, told):
    """As where photos go while a network learns."""
    own = make_folder(tmp_path / "data")
    first, second = Photos.load(own, "val", train.Shares(0.3, 0))[:2]
    first.path.write_bytes(b"gone bad")
    if not readable:
        second.path.unlink()
    photos = [first, replace(second, boxes=second.boxes + 500)]  # outside of it
    with pytest.raises(InputError, match=told):
        evaluate(build("mobilenet_v2_fpnlite").eval(), photos, torch.device("cpu"))
    photos[1] = second
    if readable:
        found = evaluate(build("mobilenet_v2_fpnlite").eval(), photos, torch.device("cpu"))
        assert found is not None and (found.scores.photos, found.scores.faces) == (1, 1) and 0 <= found.value <= 1
