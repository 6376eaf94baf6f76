"""What each option of train.py does, and the photos that are hard on it."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from training import learn, make_folder, no_pictures, options, same, weights

import train
from dataset import subjects, tables
from dataset.loader import collate
from dataset.photos import load_photos
from visavis import checkpoint, load_detector
from visavis.checkpoint import SHIPPED
from visavis.detectors.faster_rcnn.architectures import ARCHS, build, freeze, norm_eps
from visavis.detectors.faster_rcnn.eager import of_model
from visavis.errors import InputError
from visavis.training import cost, learner, pace, precision, schedule
from visavis.training.distributed import World
from visavis.training.stopping import Stop

FEW = 16
QUICK = {"limit": 4, "mosaic": 64, "transforms": "none", "ema": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Weights at random, with batch norms that a run from a file freezes."""
    return start_of("mobilenet_v2_fpnlite", tmp_path_factory.mktemp("start") / "start.safetensors")


def start_of(arch, path):
    torch.manual_seed(0)
    model = build(arch)
    checkpoint.save(path, model.state_dict(), {"arch": arch, "norm_eps": norm_eps(model)})
    return str(path)


def test_rates_follow_the_batch_as_the_literature_has_it():
    assert schedule.learning_rate("sgd", 16) == 0.02 and schedule.learning_rate("sgd", 4) == 0.005
    assert schedule.learning_rate("adamw", 16) == 2e-4 and schedule.learning_rate("adamw", 64) == 4e-4


@pytest.mark.parametrize(("course", "late"), [("cosine", 0.5), ("steps", 1.0)])
def test_the_rate_rises_then_falls(course, late):
    rates = [schedule.factor(course, step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 51) and rates[49] == pytest.approx(50 / 51) and max(rates) == rates[50] == 1
    assert rates[525] == pytest.approx(late)
    assert rates[-1] == pytest.approx(0.01 if course == "steps" else 0.0, abs=1e-5)
    if course == "steps":
        assert (rates[615], rates[616], rates[846], rates[847]) == pytest.approx((1, 0.1, 0.1, 0.01))


def test_the_running_mean_forgets_its_start_fast_and_then_slowly():
    model = torch.nn.Linear(1, 1, bias=False)
    averaged = schedule.running_mean(model, 0.5)
    seen = []
    for value in (8.0, 0.0, 0.0, 0.0):
        model.weight.data.fill_(value)
        averaged.update_parameters(model)
        seen.append(averaged.module.weight.item())
    # After the first, which it takes as it is, (1 + n) / (10 + n) = 2/11, 3/12, 4/13 of it stays.
    assert seen == pytest.approx([8.0, 8 * 2 / 11, 8 * 2 / 11 * 3 / 12, 8 * 2 / 11 * 3 / 12 * 4 / 13])


@pytest.mark.parametrize(
    ("what", "still"), [("heads-only", ("backbone.",)), ("backbone", ("backbone.body.",)), ("nothing", ())]
)
def test_freeze(begun, what, still):
    model = build("mobilenet_v2_fpnlite", begun)
    freeze(model, what)
    learn = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    frozen = {name for name, _ in model.named_parameters()} - learn
    assert all(name.startswith(still) for name in frozen) and bool(frozen) == bool(still)
    assert not [name for name in learn if still and name.startswith(still)]


def test_a_batch_in_parts_teaches_the_same_as_whole(folder, begun, tmp_path):
    for parts in (1, 2):
        more = {"accumulate": parts, "batch_size": 4, "optimiser": "sgd", "lr": 1e-3}
        learn(options(folder, tmp_path / str(parts), init=begun, **more, **QUICK))
    whole, parted = weights(tmp_path / "1"), weights(tmp_path / "2")
    start = checkpoint.load(Path(begun))[0]
    name = "roi_heads.box_predictor.cls_score.weight"
    assert (whole[name] - parted[name]).abs().max() < 0.02 * (whole[name] - start[name]).abs().max()


def test_patience_ends_a_run_that_gets_no_better(folder, begun, tmp_path, capsys):
    out = tmp_path / "run"
    assert learn(options(folder, out, init=begun, lr=0.0, epochs=9, patience=1, **QUICK)) == 0
    assert "AP has not improved in 1 epoch " in capsys.readouterr().err
    assert checkpoint.load(out / "last.safetensors")[1]["epoch"] == 2
    assert train.train(train.Options(out=out, resume=True)) == 0  # it stays ended
    assert checkpoint.load(out / "last.safetensors")[1]["epoch"] == 2


def test_what_cannot_be_honoured_is_said_before_anything_is_written(folder, tmp_path):
    for wrong, told in (
        ({"precision": "fp16"}, "fp16 needs a CUDA GPU"),
        ({"accumulate": 3}, "too few for 3 parts"),
        ({"freeze": "backbone", "trainable_layers": 1}, "exclude each other"),
    ):
        with pytest.raises(InputError, match=told):
            train.train(options(folder, tmp_path / "run", **wrong))
    assert not (tmp_path / "run").exists()


def test_bad_data_is_refused_with_file_and_row(tmp_path):
    own = make_folder(tmp_path / "data")
    good = (own / "labels.csv").read_text()
    for wrong, told in (
        (good.replace("P3/1,P3,,30.0", "P3/1,P3,,nan"), r"labels.csv row 5: x1 is 'nan'"),
        (good.replace("P3/1,P3,,30.0", "P3/1,P3,,72.0"), r"labels.csv row 5: the box .* is empty"),
    ):
        (own / "labels.csv").write_text(wrong)
        with pytest.raises(InputError, match=told):
            train.train(options(own, tmp_path / "run"))
    (own / "labels.csv").write_text(good)
    rows = [{"image_id": f"P{n}/1", "status": "ok", "path": f"elsewhere/{n}.png"} for n in range(10)]
    tables.write(own / "downloads.csv", rows)
    with pytest.raises(InputError, match=r"10 photos are all missing; downloads.csv row \d+ names .*elsewhere"):
        train.train(options(own, tmp_path / "run"))
    (own / "downloads.csv").unlink()
    tables.write(own / "faces.csv", [{"image_id": "P0/1", "x1": 1, "y1": 1, "x2": 9, "y2": 9, "use": "maybe"}])
    with pytest.raises(InputError, match=r"faces.csv row 2: use is 'maybe'"):
        train.train(options(own, tmp_path / "run"))
    ignored = [{"image_id": f"P{n}/1", "x1": 1, "y1": 1, "x2": 9, "y2": 9, "use": "ignore"} for n in range(10)]
    tables.write(own / "faces.csv", ignored)
    with pytest.raises(InputError, match=r"of \d photos? in the split 'train', none has a labelled face"):
        train.train(options(own, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_record_says_with_what_on_what_and_how(folder, tmp_path, capsys, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    monkeypatch.setattr(pace, "TIMED", 5)  # steps before an estimate: 16 bits are slow on many a CPU
    train.train(options(folder, out, precision="bf16", **QUICK | {"batch_size": 1, "epochs": 2}))
    said = capsys.readouterr().err
    assert "precision: bf16 (as asked); not compiled" in said
    assert "s per step" in said and "predict.py PHOTOS --detector" in said
    described = json.loads((out / "config.json").read_text())
    assert described["options"]["precision"] == described["precision"] == "bf16"
    assert len(described["data"]["sha256"]["labels.csv"]) == 64
    assert torch.__version__.startswith(described["versions"]["torch"]) and "cores" in described["machine"]
    assert described["commit"] is None or len(described["commit"].rstrip("+")) == 40
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    told, expected = events.Scalars("validation/ap"), [line for line in lines if "ap" in line]
    assert [event.step for event in told] == [line["step"] for line in expected] == [4, 8]
    assert [event.value for event in told] == pytest.approx([line["ap"] for line in expected], abs=1e-6)
    assert 0 <= lines[-2]["waiting_for_photos"] <= 1
    for name in ("first_batches", "curves", "pr", "predictions"):
        with Image.open(out / f"{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_what_is_compiled_gives_the_same():
    part = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    picture = torch.rand(1, 3, 16, 16)
    plain, means = part.eval()(picture), part[1].running_mean.clone()
    names = list(part.state_dict())
    precision.compile_backbone(part.train(), torch.device("cpu"))
    assert part.training and torch.equal(part[1].running_mean, means) and list(part.state_dict()) == names
    assert torch.allclose(part.eval()(picture), plain, atol=1e-5)


def test_where_torch_cannot_compile_that_is_said(folder, tmp_path, monkeypatch):
    from torch._inductor import config

    part = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())  # for the backbone, which takes 20 seconds
    monkeypatch.setattr(learner, "compile_backbone", lambda _, on: precision.compile_backbone(part, on))
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True}),
        pytest.raises(InputError, match="`compile`: torch cannot compile here"),
    ):
        train.train(options(folder, tmp_path / "run", compile=True))
    assert not (tmp_path / "run").exists()


def test_deterministic_holds_while_training_and_no_longer(folder, begun, tmp_path):
    with precision.deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    for name in ("a", "b"):
        learn(options(folder, tmp_path / name, init=begun, deterministic=True, channels_last=False, **QUICK))
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_photos_that_are_hard_one_a_batch(begun, tmp_path, capsys):
    """40 x 40, 4000 x 300, without a face, and one that is broken in the middle."""
    own = make_folder(tmp_path / "data")
    picture = Image.fromarray(data.astronaut())
    picture.resize((40, 40)).save(own / "images" / "P1/1.png")
    picture.resize((4000, 300)).save(own / "images" / "P2/1.png")
    (own / "images" / "P3/1.png").write_bytes((own / "images" / "P4/1.png").read_bytes()[:3000])
    rows = [{"image_id": f"P{n}/1", "status": "ok", "path": f"images/P{n}/1.png"} for n in range(10)]
    for number in range(4):
        (own / "images" / f"N{number}").mkdir()
        picture.crop((0, 300, 90, 400)).save(own / "images" / f"N{number}/1.png")
        rows.append({"image_id": f"N{number}/1", "status": "ok", "path": f"images/N{number}/1.png"})
    tables.write(own / "downloads.csv", rows)
    out = tmp_path / "run"
    assert learn(options(own, out, init=begun, batch_size=1)) == 0
    said = capsys.readouterr().err
    assert "left out" in said and "could not be read in this epoch" in said
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(math.isfinite(line["loss"]) for line in lines if "loss" in line)


def test_it_learns_two_photos_by_heart(tmp_path):
    """From a detector of faces, with something labelled that is none."""
    own = tmp_path / "data"
    labels = []
    for name, place, box in (("a", "train", (20, 10, 60, 60)), ("b", "val", (40, 30, 80, 85))):
        path = own / "images" / place / f"{name}.png"
        path.parent.mkdir(parents=True)
        picture = data.coffee()[100:196, 150:246].copy() if name == "a" else data.chelsea()[50:146, 100:196].copy()
        x1, y1, x2, y2 = box
        picture[y1:y2, x1:x2] = 255 - picture[y1:y2, x1:x2]
        Image.fromarray(picture).save(path)
        labels.append({"image_id": f"{place}/{name}", "identity": place, "x1": x1, "y1": y1, "x2": x2, "y2": y2})
    tables.write(own / "labels.csv", labels)
    photos = load_photos(own)
    given = options(
        own,
        tmp_path / "run",
        arch="mobilenet_v2_slim_fpnlite",
        init=str(SHIPPED),
        epochs=2,
        transforms="none",
        size=160,
        lr=5e-4,
        ema=0.0,
    )
    run = train.begin(given, World(), subjects.of(given.arch)(own, photos * 20, photos))
    run.learner.model.transform.in_use = run.learner.kept.transform.in_use = 160  # as large as in training
    with no_pictures(), Stop(run.save) as stop:
        assert run.go(stop) == 0
    assert max(line["ap50"] for line in run.history.lines if "ap" in line) == 1.0


@pytest.mark.parametrize("arch", ARCHS)
def test_every_arch_learns_and_predicts_the_same_once_loaded(arch, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "say_what_a_step_takes", lambda *_: None)  # which takes a step more (test_train_start.py)
    begun = start_of(arch, tmp_path / "start.safetensors")
    photos, out = load_photos(folder)[:2], tmp_path / "run"
    more = {"transforms": "none", "trainable_layers": 1, "ema": 0.0, "optimiser": "sgd"}
    subject = subjects.of(arch)(folder, photos, photos)
    run = train.begin(options(folder, out, arch=arch, init=begun, **more), World(), subject)
    run.learner.model.roi_heads.fg_bg_sampler.batch_size_per_image = FEW  # regions: ResNet's head takes long for each
    losses, _ = run.learner.step(*collate([run.loader.dataset[key] for key in next(iter(run.batches))]))
    assert set(losses) == {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"}
    run.keep("last.safetensors", None)
    assert not same(weights(out), checkpoint.load(Path(begun))[0])
    kept = of_model(run.learner.kept, 0.0, torch.device("cpu"))
    models = kept.network.model, load_detector(out / "last.safetensors", "cpu", 0.0).detector.network.model
    picture = [torch.rand(3, 70, 90)]
    found = []
    for model in models:
        model.transform.in_use, model.transform.max_size, model.roi_heads.score_thresh = 64, 96, 0.0
        model.rpn._post_nms_top_n["testing"] = FEW
        with torch.inference_mode():
            found.append(model(picture)[0])
    before, after = found
    assert len(after["boxes"])
    assert all(torch.equal(before[name], after[name]) for name in before)
