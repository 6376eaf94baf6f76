"""train.py on a handful of real photos: it learns, records, and refuses what cannot work."""

import json

import pytest
import torch
from PIL import Image
from training import learn, make_folder, no_pictures, options

import train
from dataset import subjects, tables
from visavis import checkpoint, load_detector
from visavis.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("data"))


def test_a_run_leaves_its_record_and_weights_that_load(folder, tmp_path, capsys):
    out = tmp_path / "run"
    assert train.train(options(folder, out, limit=4)) == 0
    files = {"config.json", "metrics.jsonl", "last.safetensors", "best.safetensors", "state.pt", "tensorboard"}
    files |= {"first_batches.png", "curves.png", "pr.png", "predictions.png"}
    assert {path.name for path in out.iterdir()} == files
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["step"] == 2 and lines[0]["loss"] > 0 and lines[-1]["photos"] == 1
    assert json.loads((out / "config.json").read_text())["data"]["photos"] == {"train": 4, "val": 1}
    _, metadata = checkpoint.load(out / "best.safetensors")
    detector = load_detector(out / "best.safetensors", "cpu")
    assert metadata["arch"] == "mobilenet_v2_fpnlite" and metadata["epoch"] == 1
    assert detector.threshold == metadata["threshold"]
    assert "device: cpu" in capsys.readouterr().err
    with pytest.raises(InputError, match="holds a run already"):
        train.train(options(folder, out))


def test_a_running_mean_of_the_weights_is_what_is_kept(folder, tmp_path):
    steps = {"limit": 4, "epochs": 2, "mosaic": 64, "lr": 1e-3}
    for name, ema in (("plain", 0.0), ("mean", 0.9)):
        learn(options(folder, tmp_path / name, ema=ema, **steps))
    plain, mean = (checkpoint.load(tmp_path / name / "last.safetensors")[0] for name in ("plain", "mean"))
    torch.manual_seed(0)
    start = train_weights("none")
    name = "rpn.head.cls_logits.weight"
    assert 0 < (mean[name] - start[name]).norm() < (plain[name] - start[name]).norm()


def test_a_step_changes_what_should_learn_and_nothing_else(folder, tmp_path):
    from torchvision.models import mobilenet_v2

    torch.save(mobilenet_v2().state_dict(), tmp_path / "backbone.pth")
    start = str(tmp_path / "backbone.pth")
    torch.manual_seed(0)
    before = train_weights(start)
    learn(options(folder, tmp_path / "run", init=start, trainable_layers=1, limit=2, transforms="none"))
    after, _ = checkpoint.load(tmp_path / "run" / "last.safetensors")
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    frozen = {name for name in after if name.startswith("backbone.body.") and int(name.split(".")[2]) < 14}
    assert not changed & frozen
    assert {"rpn.head.cls_logits.weight", "backbone.body.17.conv.0.0.weight"} <= changed


def train_weights(init):
    from visavis.detectors.faster_rcnn.architectures import build

    return {name: value.clone() for name, value in build("mobilenet_v2_fpnlite", init, 1).state_dict().items()}


def test_a_strip_in_the_first_batch_does_not_settle_where_the_regions_of_all_are_taken_from(tmp_path):
    from dataset.photos import Photos
    from dataset.split import Shares
    from visavis.training.distributed import World
    from visavis.training.stopping import Stop

    folder = make_folder(tmp_path / "data")
    for path in folder.glob("images/*/1.png"):
        with Image.open(path) as picture:
            wide = picture.resize((900, 12))  # whose padding is higher than itself
        wide.save(path)
    table = folder / "labels.csv"
    rows = [row | {"x1": 400, "y1": 1, "x2": 500, "y2": 11} for row in tables.rows(table)]
    tables.write(table, rows)
    shares = Shares(0.3, 0)
    given = options(folder, tmp_path / "run", limit=2, transforms="none")
    photos, held_out = (Photos.load(folder, part, shares) for part in ("train", "val"))
    session = train.begin(given, World(), subjects.of(given.arch)(folder, photos, held_out))
    with no_pictures(), Stop(session.save) as stop:
        assert session.go(stop) == 0
    assert session.learner.model.roi_heads.box_roi_pool.scales == [1 / 8, 1 / 16, 1 / 32]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"arch": "resnet9"}, "unknown `arch`"),
        ({"transforms": "wild"}, "unknown `transforms`"),
        ({"val": 0.0}, "no photo in the split 'val'"),
        ({"device": "cuda:77"}, "`device` cuda:77"),
        ({"init": "nowhere.pth"}, "no such file"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_written(folder, tmp_path, wrong, told):
    with pytest.raises(InputError, match=told):
        train.train(options(folder, tmp_path / "run", **wrong))
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run_and_puts_the_photos_aside(folder, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(InputError, match=r"the loss is (nan|inf).*P\d/1"):
        train.train(options(folder, out, lr=1e30, epochs=4, limit=4, workers=1))
    aside = json.loads((out / "not_finite" / "batch.json").read_text())
    assert len(aside["photos"]) == 2 and any(value in ("nan", "inf") for value in aside["losses"].values())
    for photo in aside["photos"]:
        with Image.open(out / "not_finite" / photo["file"]) as picture:
            assert min(picture.size) > 0 and photo["image_id"].startswith("P")
