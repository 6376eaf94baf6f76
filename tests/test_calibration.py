"""Calibration by hand, and a temperature through a checkpoint and back."""

import json
from dataclasses import asdict
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

import evaluate
from dataset import tables
from visavis import calibration, checkpoint, load_detector
from visavis.command import InputError
from visavis.detectors import SHIPPED
from visavis.detectors.faster_rcnn import FasterRCNNDetector, build, norm_eps


def test_reliability_by_hand():
    scores = np.array([0.95, 0.85, 0.95, 0.15, 0.9], np.float32)
    right = np.array([True, True, False, False, True])
    over = calibration.reliability(scores, right, bins=10)
    assert over.finds.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 2, 2]  # 0.9 is the upper edge of its range
    assert over.score[[1, 8, 9]] == pytest.approx([0.15, 0.875, 0.95])
    assert over.right[[1, 8, 9]] == pytest.approx([0, 1, 0.5])
    assert isnan(over.score[0])
    assert over.error == pytest.approx((0.15 * 1 + 0.125 * 2 + 0.45 * 2) / 5)


def test_reliability_of_extremes_and_of_nothing():
    over = calibration.reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert (over.finds[0], over.finds[-1], over.error) == (1, 1, 0)
    assert isnan(calibration.reliability(np.zeros(0), np.zeros(0, bool)).error)


def test_scaling_keeps_order_and_ends_and_goes_back():
    scores = np.array([0, 0.001, 0.3, 0.5, 0.8, 0.999, 1], np.float32)
    softer = calibration.scaled(scores, 2.0)
    assert softer.dtype == np.float32
    assert (np.diff(softer) > 0).all()
    assert softer[[0, 3, 6]].tolist() == [0, 0.5, 1]
    assert softer[4] == pytest.approx(2 / 3)  # odds of 4 become odds of 2
    assert calibration.scaled(softer, 0.5) == pytest.approx(scores, abs=1e-6)
    assert calibration.scaled(scores, 1) is scores
    assert calibration.scaled(np.zeros(0, np.float32), 3).shape == (0,)


def overconfident(seed: int, temperature: float = 2.5) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose logits are `temperature` times as large as they should be, and what came of them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, 20_000)
    right = random.random(20_000) < 1 / (1 + np.exp(-logits))
    return (1 / (1 + np.exp(-temperature * logits))).astype(np.float32), right


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_again(temperature: float):
    scores, right = overconfident(0, temperature)
    found = calibration.fit(scores, right)
    assert found == pytest.approx(temperature, rel=0.05)
    before = calibration.reliability(scores, right).error
    after = calibration.reliability(calibration.scaled(scores, found), right).error
    assert after < 0.015
    assert before > 0.05 or temperature == 1


def test_a_temperature_is_tried_where_it_was_not_fitted():
    scores, right = overconfident(1)
    photo = np.arange(len(scores)) // 10
    elsewhere = calibration.fitted_elsewhere(scores, right, photo)
    assert calibration.reliability(elsewhere, right).error < 0.015
    even = photo % 2 == 0
    by_the_odd = calibration.fit(scores[~even], right[~even])
    assert elsewhere[even] == pytest.approx(calibration.scaled(scores[even], by_the_odd))
    assert calibration.fitted_elsewhere(scores, right, photo * 2) is None  # one half has no photo


def test_no_temperature_without_finds_of_both_kinds():
    for right in ([True, True], [False, False], []):
        assert calibration.fit(np.full(len(right), 0.7), np.array(right, bool)) is None


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network that knows nothing, in 16 bits as the shipped one is."""
    torch.manual_seed(0)
    model = build("mobilenet_v2_fpn")
    metadata = {"arch": "mobilenet_v2_fpn", "norm_eps": norm_eps(model), "threshold": 0.5, "epoch": 3}
    metadata["validation"] = {"ap": 0.5, "best_threshold": 0.8}
    checkpoint.save(tmp_path / "w.safetensors", model.state_dict(), metadata, half=True)
    return tmp_path / "w.safetensors"


def test_a_temperature_in_the_checkpoint_scales_scores_and_keeps_what_is_found(weights: Path):
    picture = skimage.data.astronaut()[:200, 100:300]
    detector = load_detector(weights, "cpu", 0.0)
    before = detector.detect([picture])[0]
    threshold = float(np.median(before.scores))
    detector.threshold = threshold
    chosen = detector.detect([picture])[0]
    assert 0 < len(chosen) < len(before)
    _, metadata = checkpoint.load(weights)
    checkpoint.relabel(weights, metadata | {"threshold": threshold})
    calibration.store(weights, 2.0, {"finds": 7})
    scaled = load_detector(weights, "cpu")
    after = scaled.detect([picture])[0]
    assert after.boxes.tolist() == chosen.boxes.tolist()
    assert after.scores == pytest.approx(calibration.scaled(chosen.scores, 2.0), abs=1e-6)
    assert scaled.threshold == pytest.approx(float(calibration.scaled(np.array(threshold), 2.0)), abs=1e-6)
    assert scaled.temperature == 2


def test_storing_again_replaces_and_moves_thresholds_from_where_they_are(weights: Path):
    before, _ = checkpoint.load(weights)
    assert calibration.store(weights, 3.0, {}) == 0.5
    calibration.store(weights, 2.0, {"ece_after": 0.02})
    after, metadata = checkpoint.load(weights)
    assert metadata["temperature"] == 2
    assert metadata["calibration"] == {"ece_after": 0.02}
    assert metadata["validation"] == {"ap": 0.5, "best_threshold": pytest.approx(2 / 3, abs=1e-5)}
    assert metadata["epoch"] == 3
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    from safetensors import safe_open

    with safe_open(weights, "pt") as file:
        assert file.get_tensor("rpn.head.cls_logits.weight").dtype == torch.float16


def test_what_cannot_be_stored_is_refused(tmp_path: Path, weights: Path):
    with pytest.raises(InputError, match="no weights at"):
        calibration.store(tmp_path / "gone.safetensors", 2.0, {})
    with pytest.raises(InputError, match="above 0"):
        calibration.store(weights, 0.0, {})


def test_the_detector_in_training_has_no_temperature():
    detector = FasterRCNNDetector(build("mobilenet_v2_fpn"), 0.05, torch.device("cpu"))
    assert detector.temperature == 1


def test_evaluate_fits_and_stores_a_temperature(tmp_path: Path, capsys: pytest.CaptureFixture):
    """On photos of which one has a wrong label, so that there are right finds and false ones in both halves."""
    labels = []
    for number, away in enumerate((0, 0, 300, 300)):
        path = tmp_path / f"data/images/P/{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(skimage.data.astronaut()[: 500 - number]).save(path, quality=95)
        box = {"x1": 175 - away / 2, "y1": 70 + away, "x2": 280 - away / 2, "y2": 205 + away}
        labels.append({"image_id": f"P/{number}", "identity": f"P{number}"} | box)
    tables.write(tmp_path / "data/labels.csv", labels)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(SHIPPED.read_bytes())
    options = evaluate.Options((str(copy),), tmp_path / "data", "all", out=tmp_path / "out", device="cpu")
    options.calibrate = True
    assert evaluate.evaluate(options) == 0
    first = json.loads((tmp_path / "out/evaluation.json").read_text())["detectors"][0]
    said = capsys.readouterr()
    assert f"{first['ece']:.3f}" in said.out
    _, metadata = checkpoint.load(copy)
    assert metadata["temperature"] == pytest.approx(first["temperature_fitted"])
    assert f"temperature {metadata['temperature']:.3f} stored" in said.err
    assert metadata["calibration"]["photos"] == 4
    assert evaluate.evaluate(evaluate.Options(**asdict(options) | {"calibrate": False})) == 0
    second = json.loads((tmp_path / "out/evaluation.json").read_text())["detectors"][0]
    assert second["temperature"] == metadata["temperature"]
    assert second["threshold"] == metadata["threshold"]
    assert (second["f1"], second["recall"]) == (first["f1"], first["recall"])
