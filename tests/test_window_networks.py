"""Networks that judge windows: trained, resumed, exported and used as detectors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data as pictures
from training import RECORD, learn, make_folder, options, same, weights

import train
from visavis import calibration, checkpoint, load_analyser, load_detector
from visavis.calibration import Calibration
from visavis.detectors.sliding_window.design import DESIGNS, FACES, OTHERS
from visavis.detectors.sliding_window.eager import of_model
from visavis.detectors.sliding_window.network import build, of_checkpoint
from visavis.detectors.sliding_window.windows import SIDE
from visavis.errors import InputError
from visavis.training import cost
from visavis.training.distributed import World

SIZES = "108x84,60x40"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("windows"), people=8, side=192)


def asked(folder: Path, out: Path, **more: Any) -> train.Options:
    return options(folder, out, **{"arch": "window_cnn_small", "batch_size": 3, "sizes": SIZES} | more)


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train.train(asked(folder, out, epochs=2, alpha=0.4)) == 0
    return out


def test_a_run_leaves_what_those_of_other_detectors_leave(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} >= RECORD
    metadata = checkpoint.metadata(trained / "last.safetensors")
    assert (metadata["kind"], metadata["arch"]) == ("window_cnn", "window_cnn_small")
    assert metadata["windows"] == {"sizes": SIZES, "stride": 12.5, "alpha": 0.4, "dense": 4, "longest": 450}
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert "loss_window" in lines[0]
    assert {"best_f1", "best_threshold", "best_f2", "best_f2_threshold"} <= lines[-1].keys()


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(folder: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "broken"
    given = asked(folder, out, epochs=2, alpha=0.4)
    run = train.begin(given, World(), train.learnt(given))
    data = train.fingerprint(folder, run.subject.photos, run.subject.held_out)
    train.config.write(out, {"options": train.config.plain(given), "data": data})
    run.batches.start(1)
    images, targets = next(iter(run.loader))
    run.learner.step(images, targets)
    run.save()
    assert learn(train.config.renewed(given, {"resume": True})) == 0
    assert same(weights(out), weights(trained))


def test_the_onnx_file_finds_what_torch_finds(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "last.safetensors"
    path.write_bytes((trained / path.name).read_bytes())
    assert calibration.store(path, Calibration(2.0, -0.4), {}, covering=0.0) == pytest.approx(0.4013, abs=1e-4)
    network = of_checkpoint(*checkpoint.load(path), str(path))
    eager = of_model(network, 0.0, torch.device("cpu"))
    stored = load_detector(path, threshold=0.0)
    picture = pictures.astronaut()[:300, :300]
    for layer in network.design.layers((300, 300)):
        np.testing.assert_allclose(eager._scores(layer, picture), stored.detector._scores(layer, picture), atol=1e-5)
    (first,), (second,) = eager.detect([picture]), stored.detect([picture])
    np.testing.assert_allclose(first.boxes, second.boxes, atol=1e-2)
    np.testing.assert_allclose(Calibration(2.0, -0.4).apply(first.scores), second.scores, atol=1e-4)
    assert stored.about.calibration == Calibration(2.0, -0.4)
    with pytest.raises(InputError, match="not as an analyser"):
        load_analyser(path)
    with pytest.raises(InputError, match="in one way only"):
        load_detector(path, size=600)


def test_a_window_has_one_score_whether_it_is_cut_out_or_lies_in_a_picture() -> None:
    torch.manual_seed(0)
    network = build("window_cnn_small", "none", sizes="150x100,300x200")
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    detector = of_model(network, 0.5, torch.device("cpu"))
    picture = pictures.astronaut()
    for layer in network.design.layers((512, 512)):
        together = detector._scores(layer, picture)
        windows = layer.views(picture).reshape(-1, SIDE, SIDE, 3)
        alone = detector.judge(windows)[:, 0, 0]
        assert len(together) == len(windows) == len(layer.boxes())
        np.testing.assert_allclose(together, alone, atol=1e-5)


def test_vgg16_for_windows_has_the_layers_of_the_paper() -> None:
    network = build("window_cnn", "none")
    convolutions = [one for one in network.modules() if isinstance(one, torch.nn.Conv2d)]
    assert len(convolutions) == 13 + 2  # linear layers are convolutions of one pixel
    assert network.eval()(torch.zeros(2, 3, SIDE, SIDE)).shape == (2, 1, 1)
    assert DESIGNS["window_cnn"].stride == 30


def test_vgg16_says_what_its_steps_take_and_learns(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "SLOW", 0.0)
    given = asked(folder, tmp_path / "run", arch="window_cnn", batch_size=1)
    run = train.begin(given, World(), train.learnt(given))
    said = capsys.readouterr().err
    assert "window_cnn on a CPU: a step of 1 photo takes about" in said
    assert "take --arch window_cnn_small, which is made for a CPU" in said
    before = {name: value.clone() for name, value in run.learner.model.named_parameters()}
    run.batches.start(1)
    images, targets = next(iter(run.loader))
    assert len(images[0]) <= FACES + OTHERS
    run.learner.step(images, targets)
    assert all(not torch.equal(value, before[name]) for name, value in run.learner.model.named_parameters())


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"init": "coco"}, "nor one of those that window_cnn_small may begin with: none"),
        ({"sizes": "100"}, "HEIGHTxWIDTH"),
        ({"mosaic": 320}, "means nothing"),
        ({"blocks": 2}, "means nothing"),
        ({"freeze": "backbone"}, "all of which learns"),
        ({"transforms": "full"}, "none and light"),
    ],
)
def test_what_windows_do_not_know_is_refused(folder: Path, tmp_path: Path, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        train.train(asked(folder, tmp_path / "out", **more))
    assert not (tmp_path / "out").exists()
