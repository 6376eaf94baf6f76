"""Boosted trees that judge windows: what they measure, how train.py grows them, and their checkpoint as a detector."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data as pictures
from skimage.feature import hog
from training import make_folder, options

import train
from dataset.photos import Photos
from dataset.windows.photos import WindowDataset
from visavis import calibration, checkpoint, load_detector
from visavis.calibration import Calibration
from visavis.checkpoint import save_arrays
from visavis.data.split import Shares
from visavis.detectors.sliding_window.design import Design
from visavis.detectors.sliding_window.trees import measured
from visavis.errors import InputError
from visavis.images import grey

SIZES = "108x84,60x40"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("trees"), people=8, side=192)


def asked(folder: Path, out: Path, **more: Any) -> train.Options:
    plain = {"batch_size": 16, "epochs": 12, "workers": "auto", "device": "auto"}
    return options(folder, out, **{"arch": "window_trees", "sizes": SIZES} | plain | more)


@pytest.fixture(scope="module")
def grown(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "trees"
    assert train.train(asked(folder, out)) == 0
    return out


def test_what_is_measured_in_a_window_lies_in_the_pictures_own_cells() -> None:
    picture = pictures.astronaut()[:64, :80]
    seen = measured(picture)
    assert seen.shape == (5, 7, 3 * 3 * 2 * 2 * 9 + 8 * 8)
    whole = hog(grey(picture), 9, (8, 8), (2, 2), feature_vector=False)
    corner = seen[2, 3, : 3 * 3 * 2 * 2 * 9].reshape(2, 2, 9, 3, 3)
    np.testing.assert_allclose(corner, whole[2:5, 3:6].transpose(2, 3, 4, 0, 1), rtol=1e-5)
    mean = grey(picture)[16:20, 24:28].mean()
    np.testing.assert_allclose(seen[2, 3, 3 * 3 * 2 * 2 * 9], mean, rtol=1e-6)


def test_photos_that_are_smaller_than_all_windows_are_refused(folder: Path, tmp_path: Path) -> None:
    why = r"no windows can be cut from 6 photos: .* smaller than the windows \(`sizes` 300x300\)"
    with pytest.raises(InputError, match=why):
        train.train(asked(folder, tmp_path / "out", sizes="300x300"))
    with pytest.raises(InputError, match=why):
        WindowDataset(Photos.load(folder, "train", Shares(val=0.3, test=0)), Design("300x300"))[0]


def test_trees_are_grown_and_find_faces(folder: Path, grown: Path) -> None:
    assert {path.name for path in grown.iterdir()} >= {"config.json", "metrics.jsonl", "best.safetensors", "pr.png"}
    metadata = checkpoint.metadata(grown / "best.safetensors")
    assert (metadata["kind"], metadata["arch"]) == ("window_trees", "window_trees")
    assert metadata["windows"] == {"sizes": SIZES, "stride": 25.0, "alpha": 0.35, "dense": 8, "longest": 450}
    (line,) = [json.loads(line) for line in (grown / "metrics.jsonl").read_text().splitlines()]
    assert line["best_f1"] >= 0.66 and line["faces"] == 2
    detector = load_detector(grown / "best.safetensors")
    assert detector.about.runs == "LightGBM on cpu"
    assert detector.detect([]) == []


def test_a_calibration_in_the_checkpoint_changes_scores_and_keeps_what_is_found(grown: Path, tmp_path: Path) -> None:
    path = tmp_path / "calibrated.safetensors"
    path.write_bytes((grown / "best.safetensors").read_bytes())
    picture = pictures.astronaut()[:300, 100:400]
    detector = load_detector(path, threshold=0.0)
    before = np.asarray(detector.detect(picture).scores)
    assert len(before) >= 1
    threshold = 0.9 * float(before[-1])
    checkpoint.relabel(path, checkpoint.metadata(path) | {"threshold": threshold})
    calibration.store(path, Calibration(2.0, -0.4), {}, covering=threshold / 2)
    calibrated = load_detector(path)
    assert calibrated.threshold == pytest.approx(float(Calibration(2.0, -0.4).apply(np.array(threshold))))
    found = np.asarray(calibrated.detect(picture).scores)
    assert found == pytest.approx(Calibration(2.0, -0.4).apply(before))
    assert calibrated.about.calibration == Calibration(2.0, -0.4)
    assert calibrated.about.covering < calibrated.threshold


def test_damaged_trees_are_named(grown: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    text = np.frombuffer(b"tree\nversion=nothing", np.uint8)
    save_arrays(path, {"trees": text}, checkpoint.metadata(grown / "best.safetensors"))
    with pytest.raises(InputError, match="no trees that LightGBM can read"):
        load_detector(path)


@pytest.mark.parametrize("more", [{"epochs": 3}, {"lr": 0.1}, {"stride": 30.0}, {"transforms": "light"}])
def test_options_of_networks_are_refused(folder: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="means nothing to window_trees"):
        train.train(asked(folder, tmp_path / "out", **more))
    assert not (tmp_path / "out").exists()
