"""Calibration by hand, and one through a checkpoint and back."""

import json
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from dataset import tables
from visavis import calibration, checkpoint, load_detector, metrics
from visavis.calibration import Calibration
from visavis.checkpoint import SHIPPED
from visavis.commands import evaluate
from visavis.commands.network import Network
from visavis.detectors.faster_rcnn.architectures import build, norm_eps
from visavis.detectors.faster_rcnn.eager import of_model
from visavis.errors import InputError
from visavis.evaluation import memory


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


def test_calibration_keeps_order_and_ends_and_goes_back():
    scores = np.array([0, 0.001, 0.3, 0.5, 0.8, 0.999, 1], np.float32)
    softer = Calibration(2.0)
    assert softer.apply(scores).dtype == np.float32
    assert softer.apply(scores)[[0, 3, 6]].tolist() == [0, 0.5, 1]
    assert softer.apply(scores)[4] == pytest.approx(2 / 3)  # odds of 4 become odds of 2
    lower = Calibration(1.0, -np.log(4))
    assert lower.apply(scores)[3:5] == pytest.approx([1 / 5, 1 / 2])  # odds of 1 become 1/4, odds of 4 become 1
    for one in (softer, lower, Calibration(0.7, 1.5)):
        assert (np.diff(one.apply(scores)) > 0).all()
        assert one.undo(one.apply(scores)) == pytest.approx(scores, abs=1e-5)
        assert one.apply(np.zeros(0, np.float32)).shape == (0,)
    assert Calibration().apply(scores) is scores and Calibration().undo(scores) is scores


def too_sure(seed: int, temperature: float = 2.5, shift: float = -2.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that the calibration of this temperature and shift makes right, and what came of them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, 20_000)
    right = random.random(20_000) < 1 / (1 + np.exp(-logits))
    return (1 / (1 + np.exp(-temperature * (logits - shift)))).astype(np.float32), right


@pytest.mark.parametrize(("temperature", "shift"), [(0.5, 0.0), (1.0, 0.0), (2.5, -1.0), (0.8, -2.5)])
def test_the_calibration_is_found_again(temperature: float, shift: float):
    scores, right = too_sure(0, temperature, shift)
    found = calibration.fit(scores, right)
    assert found is not None
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.shift == pytest.approx(shift, abs=0.1)
    before = calibration.reliability(scores, right).error
    after = calibration.reliability(found.apply(scores), right).error
    assert after < 0.015
    assert before > 0.05 or (temperature, shift) == (1, 0)


def test_a_calibration_is_tried_where_it_was_not_fitted():
    scores, right = too_sure(1)
    photo = np.arange(len(scores)) // 10
    elsewhere = calibration.fitted_elsewhere(scores, right, photo)
    assert calibration.reliability(elsewhere, right).error < 0.015
    even = photo % 2 == 0
    by_the_odd = calibration.fit(scores[~even], right[~even])
    assert elsewhere[even] == pytest.approx(by_the_odd.apply(scores[even]))
    assert calibration.fitted_elsewhere(scores, right, photo * 2) is None  # one half has no photo


def test_finds_that_a_score_parts_without_fail_give_a_calibration_within_bounds():
    found = calibration.fit(np.array([0.2, 0.9]), np.array([False, True]))
    assert 0.05 <= found.temperature <= 20 and abs(found.shift) <= 20
    assert calibration.reliability(found.apply(np.array([0.2, 0.9])), np.array([False, True])).error < 0.01


def test_no_calibration_without_finds_of_both_kinds():
    for right in ([True, True], [False, False], []):
        assert calibration.fit(np.full(len(right), 0.7), np.array(right, bool)) is None


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network that knows nothing, in 16 bits as the shipped one is."""
    torch.manual_seed(0)
    model = build("mobilenet_v2_fpnlite")
    metadata = {"arch": "mobilenet_v2_fpnlite", "norm_eps": norm_eps(model), "threshold": 0.5, "epoch": 3}
    metadata["validation"] = {"ap": 0.5, "best_threshold": 0.8, "best_f2_threshold": 0.5}
    checkpoint.save(tmp_path / "w.safetensors", model.state_dict(), metadata, half=True)
    return tmp_path / "w.safetensors"


def test_a_calibration_in_the_checkpoint_changes_scores_and_keeps_what_is_found(weights: Path):
    picture = skimage.data.astronaut()[:200, 100:300]
    detector = load_detector(weights, "cpu", 0.0)
    before = detector.detect([picture])[0]
    widest = int(np.argmin(np.diff(before.scores)))  # so that no rounding decides
    threshold = float(before.scores[widest : widest + 2].mean())
    detector.threshold = threshold
    chosen = detector.detect([picture])[0]
    assert 0 < len(chosen) < len(before)
    _, metadata = checkpoint.load(weights)
    checkpoint.relabel(weights, metadata | {"threshold": threshold})
    stored = Calibration(2.0, -0.4)
    calibration.store(weights, stored, {"finds": 7})
    calibrated = load_detector(weights, "cpu")
    after = calibrated.detect([picture])[0]
    assert after.boxes.tolist() == chosen.boxes.tolist()
    assert after.scores == pytest.approx(stored.apply(chosen.scores), abs=1e-6)
    assert calibrated.threshold == pytest.approx(float(stored.apply(np.array(threshold))), abs=1e-6)
    assert calibrated.about.calibration == stored


def test_storing_again_replaces_and_moves_thresholds_from_where_they_are(weights: Path):
    before, _ = checkpoint.load(weights)
    assert calibration.store(weights, Calibration(3.0), {}) == pytest.approx(0.5)
    assert calibration.store(weights, Calibration(3.0, -np.log(4)), {}) == pytest.approx(0.2, abs=1e-6)
    calibration.store(weights, Calibration(2.0), {"ece_after": 0.02})
    after, metadata = checkpoint.load(weights)
    assert (metadata["temperature"], metadata["shift"]) == (2, 0)
    assert metadata["calibration"] == {"ece_after": 0.02}
    assert metadata["validation"] == {
        "ap": 0.5,
        "best_threshold": pytest.approx(2 / 3, abs=1e-4),
        "best_f2_threshold": pytest.approx(0.5, abs=1e-4),
    }
    assert metadata["epoch"] == 3
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    from safetensors import safe_open

    with safe_open(weights, "pt") as file:
        assert file.get_tensor("rpn.head.cls_logits.weight").dtype == torch.float16


def test_the_score_from_which_redaction_covers_moves_along_and_is_never_above_the_threshold(weights: Path):
    calibration.store(weights, Calibration(), {}, threshold=0.8, covering=0.5)
    assert load_detector(weights, "cpu").about.covering == 0.5
    calibration.store(weights, Calibration(1.0, -np.log(4)), {})
    assert load_detector(weights, "cpu").about.covering == pytest.approx(0.2, abs=1e-6)
    calibration.store(weights, Calibration(1.0, -np.log(4)), {}, threshold=0.1, covering=0.15)
    assert load_detector(weights, "cpu").about.covering == pytest.approx(0.1, abs=1e-6)


def test_what_cannot_be_stored_is_refused(tmp_path: Path, weights: Path):
    with pytest.raises(InputError, match="no weights at"):
        calibration.store(tmp_path / "gone.safetensors", Calibration(2.0), {})
    with pytest.raises(InputError, match="above 0"):
        calibration.store(weights, Calibration(0.0), {})


def test_the_detector_in_training_has_no_calibration():
    detector = of_model(build("mobilenet_v2_fpnlite"), 0.05, torch.device("cpu"))
    assert not detector.calibration


def test_a_calibration_of_few_finds_or_at_its_limit_is_not_trusted():
    right = np.repeat([True, False], 20)
    assert calibration.trusted(right, Calibration(0.9, -3.0)) is None
    assert calibration.trusted(right[1:], Calibration(0.9, -3.0)) == (
        "19 right finds are too few to fit it (20 or more are needed)"
    )
    assert "19 false finds" in (calibration.trusted(right[:-1], Calibration(0.9, -3.0)) or "")
    for limit in (Calibration(1.0, -20.0), Calibration(1.0, 20.0), Calibration(20.0, 0.0), Calibration(0.05, 0.0)):
        assert "the fit ended at its limit" in (calibration.trusted(right, limit) or "")
    apart = calibration.fit(np.where(right, 0.999999, 0.99), right)  # as scores that part both kinds at one point fit
    assert apart is not None and "ended at its limit" in (calibration.trusted(right, apart) or "")


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is not measured, which takes a process that loads torch: tests/test_evaluate.py does that."""
    monkeypatch.setattr(memory, "measure", lambda *_: memory.Peak(1.0, 1.0, None))


@pytest.mark.usefixtures("unmeasured")
def test_evaluate_keeps_what_a_checkpoint_has_where_there_are_few_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(calibration, "FEWEST", 2)
    copy, before = calibrated_on_four(tmp_path, rethreshold=True), checkpoint.metadata(SHIPPED)
    said = capsys.readouterr().err
    assert "stored; its threshold is now" in said and "2 faces" not in said
    assert "(for the same detections as before: 4 faces are too few to choose another threshold)" in said
    now = checkpoint.metadata(copy)
    raw = [calibration.of_checkpoint(m).undo(np.array(m["threshold"])) for m in (before, now)]
    assert raw[0] == pytest.approx(float(raw[1]), abs=1e-6)
    monkeypatch.setattr(calibration, "FEWEST", 20)
    kept = copy.read_bytes()
    calibrated_on_four(tmp_path, rethreshold=True)
    assert "its calibration and its threshold are unchanged: 2 right finds are too few" in capsys.readouterr().err
    assert copy.read_bytes() == kept


def calibrated_on_four(folder: Path, **more: bool) -> Path:
    """A copy of the shipped weights, calibrated on four photos, two and two alike, of which two have a wrong label."""
    labels = []
    for number, away in enumerate((0, 0, 300, 300)):
        path = folder / f"data/images/P/{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(skimage.data.astronaut()[: 500 - number % 2]).save(path, quality=95)
        box = {"x1": 175 - away / 2, "y1": 70 + away, "x2": 280 - away / 2, "y2": 205 + away}
        labels.append({"image_id": f"P/{number}", "identity": f"P{number}"} | box)
    tables.write(folder / "data/labels.csv", labels)
    copy = folder / "copy.safetensors"
    if not copy.exists():
        copy.write_bytes(SHIPPED.read_bytes())
    options = evaluate.Options(
        (str(copy),), folder / "data", "all", out=folder / "out", network=Network("cpu"), overwrite=True
    )
    assert evaluate.evaluate(replace(options, calibrate=True, **more)) == 0
    return copy


@pytest.mark.usefixtures("unmeasured")
def test_evaluate_fits_and_stores_a_calibration(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """On photos of which one has a wrong label, so that there are right finds and false ones in both halves."""
    monkeypatch.setattr(calibration, "FEWEST", 2)
    monkeypatch.setattr(metrics, "FEW", 4)
    copy = calibrated_on_four(tmp_path)
    options = evaluate.Options((str(copy),), tmp_path / "data", "all", out=tmp_path / "out", network=Network("cpu"))
    options.calibrate = options.overwrite = True
    first = json.loads((tmp_path / "out/evaluation.json").read_text())["detectors"][0]
    said = capsys.readouterr()
    assert f"{first['ece']:.3f}" in said.out
    _, metadata = checkpoint.load(copy)
    assert metadata["temperature"] == pytest.approx(first["temperature_fitted"])
    assert metadata["shift"] == pytest.approx(first["shift_fitted"])
    assert f"temperature {metadata['temperature']:.3f}, shift {metadata['shift']:+.3f} stored" in said.err
    assert metadata["calibration"]["photos"] == 4
    assert evaluate.evaluate(replace(options, calibrate=False)) == 0
    second = json.loads((tmp_path / "out/evaluation.json").read_text())["detectors"][0]
    assert second["temperature"] == metadata["temperature"]
    assert second["threshold"] == metadata["threshold"]
    options.rethreshold = True
    assert evaluate.evaluate(options) == 0
    assert checkpoint.metadata(copy)["threshold"] == pytest.approx(second["best_threshold"], abs=1e-4)
    with pytest.raises(InputError, match="needs --calibrate"):
        evaluate.evaluate(replace(options, calibrate=False))
    for figure in ("f1", "recall", "ap", "ap50", "best_f1", "recall_at_one", "ece_raw", "shift_fitted"):
        assert second[figure] == pytest.approx(first[figure], abs=1e-4), figure
