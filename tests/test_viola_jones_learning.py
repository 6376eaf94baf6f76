"""A cascade is learnt: of faces and other windows, feature by feature, stage after stage, through kills."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from typed import started, typed

from visavis import checkpoint
from visavis.analysers.points.analyser import points
from visavis.data import tables
from visavis.detectors import load_detector
from visavis.detectors.viola_jones import crops, features
from visavis.detectors.viola_jones.boosting import Boosting
from visavis.detectors.viola_jones.cascade import Cascade
from visavis.detectors.viola_jones.learning import CascadeRecipe, learn_stage
from visavis.detectors.viola_jones.negatives import Negatives, integrals, standard

pytest.importorskip("numba")
SUBSET = (255 * data.lfw_subset()[:, :24, :24]).astype(np.uint8)  # 100 faces, and 100 other parts of photos
WINDOWS = integrals(standard(SUBSET))
IS_FACE = np.arange(200) < 100
EVERY = features.every()
CORNERS = features.corners(EVERY)
PLACE = Path(data.__file__).parent


def test_the_first_feature_is_the_best_of_all_that_were_tried():
    few = np.arange(0, len(EVERY), 400)
    stump, votes = next(Boosting(CORNERS[few], WINDOWS, IS_FACE, share=1.0).rounds(np.random.default_rng(0)))
    values = (CORNERS[few] @ WINDOWS)[stump.feature]
    assert (votes == np.where(values < stump.threshold, np.float32(stump.below), np.float32(stump.above))).all()
    faces_below = IS_FACE[values < stump.threshold].mean()  # both kinds weigh the same, so votes are shares
    assert stump.below == pytest.approx(2 * faces_below - 1, abs=1e-5)
    error = ((votes - np.where(IS_FACE, 1, -1)) ** 2).mean()
    for feature, row in enumerate(CORNERS[few] @ WINDOWS):
        for threshold in np.linspace(row.min(), row.max(), 9)[1:-1]:
            low = row < threshold
            best = (
                np.where(low, 2 * IS_FACE[low].mean() - 1, 2 * IS_FACE[~low].mean() - 1) if 0 < low.sum() < 200 else 0
            )
            assert ((best - np.where(IS_FACE, 1, -1)) ** 2).mean() > error - 2e-3, (feature, threshold)


def test_what_is_wrong_counts_more_in_the_next_round():
    boosting = Boosting(CORNERS, WINDOWS, IS_FACE, share=0.005)
    rounds = boosting.rounds(np.random.default_rng(0))
    _, votes = next(rounds)
    wrong = (votes > 0) != IS_FACE
    next(rounds)  # the weights that it sees
    assert boosting.weights.sum() == pytest.approx(1, abs=1e-4)
    assert boosting.weights[wrong].mean() > 2 * boosting.weights[~wrong].mean()


def test_a_stage_lets_through_the_faces_that_were_asked_for_and_few_others():
    recipe = CascadeRecipe(detection=0.95, false=0.1, most=40, aside=0.3, tried=0.01)
    learnt = learn_stage(EVERY, CORNERS, WINDOWS[:, :100], WINDOWS[:, 100:], recipe, np.random.default_rng(0))
    passed = learnt.stage.margins(WINDOWS) >= 0
    assert learnt.detection == passed[:30].mean() >= 0.95
    assert learnt.false == passed[100:130].mean() <= 0.1
    assert passed[:100].mean() >= 0.95 and passed[100:].mean() <= 0.1
    assert len(learnt.stage) < 40


def test_windows_that_pass_are_taken_from_faceless_photos_and_kept_until_they_do_not():
    photos = [PLACE / "coffee.png", PLACE / "color.png", PLACE / "brick.png"]
    negatives = Negatives(photos, most=10)
    negatives.fill(Cascade(()), wanted=25, searches=9, seed=0)
    assert negatives.patches.shape == (25, 24, 24) and negatives.next == 3
    assert abs(negatives.patches.astype(float).mean(axis=(1, 2))).max() < 0.02
    learnt = learn_stage(
        EVERY,
        CORNERS,
        WINDOWS[:, :100],
        integrals(negatives.patches),
        CascadeRecipe(tried=0.01),
        np.random.default_rng(0),
    )
    cascade = Cascade((learnt.stage,))
    passed = (learnt.stage.margins(integrals(negatives.patches)) >= 0).sum()
    negatives.keep(cascade)
    assert len(negatives.patches) == passed < 25
    negatives.fill(cascade, wanted=25, searches=9, seed=0)
    margins = learnt.stage.margins(integrals(negatives.patches))
    assert (margins >= 0).mean() > 0.9  # some are at a threshold, and 16 bits move them beyond


def test_a_face_that_looks_at_the_camera_is_cut_out_upright():
    portrait = np.ascontiguousarray(data.astronaut()[20:260, 110:350])
    label = np.float32([[70, 40, 162, 166]])
    turned = np.ascontiguousarray(np.rot90(portrait))
    there = np.float32([[40, 240 - 162, 166, 240 - 70]])
    straight, lying = (crops.frontal(*one, points()) for one in ((portrait, label), (turned, there)))
    assert len(straight) == len(lying) == 1
    assert straight.angles[0] == pytest.approx(0, abs=0.25) and lying.angles[0] == pytest.approx(-np.pi / 2, abs=0.25)
    upright = [
        crops.upright(picture, one.centres[0], one.sides[0], one.angles[0]).astype(float)
        for picture, one in ((portrait, straight), (turned, lying))
    ]
    assert np.corrcoef(upright[0].ravel(), upright[1].ravel())[0, 1] > 0.95
    left, top, right, bottom = crops.framed([straight])
    assert left < 0.15 and top < 0 and right > 0.85 and bottom > 1  # from the hairline to the chin
    assert len(crops.windows(portrait, straight, np.random.default_rng(0))) == 2
    assert len(crops.frontal(portrait, np.zeros((0, 4), np.float32), points())) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a portrait and three photos without a face."""
    rows = []
    for number, name in enumerate(("astronaut.png", "coffee.png", "color.png", "brick.png")):
        picture = Image.open(PLACE / name).convert("RGB")
        picture.thumbnail((300, 300))
        picture.save(tmp_path / f"{number}.png")
        rows.append({"image_id": f"a/{number}", "status": "ok", "path": f"{number}.png"})
        rows[-1] |= {"width": picture.width, "height": picture.height}
    tables.write(tmp_path / "data/downloads.csv", [row | {"path": f"../{row['path']}"} for row in rows])
    label = {"image_id": "a/0", "identity": "a", "x1": 110, "y1": 40, "x2": 160, "y2": 110}
    tables.write(tmp_path / "data/labels.csv", [label])
    return tmp_path


def test_a_killed_run_goes_on_to_the_same_cascade(folder: Path):
    recipe = ["--stages", "3", "--negatives", "60", "--searches", "30", "--tried", "0.002", "--most", "6"]
    words = ["-m", "visavis.cascade", "--data", folder / "data", "--val", "0", "--test", "0", "--workers", "1", *recipe]
    for name in ("whole", "killed"):
        faces = {"windows": SUBSET[:100], "framing": np.float32([0, -0.1, 1, 1.1])}
        checkpoint.save_arrays(folder / name / "faces.safetensors", faces, {})
    done = typed(*words, "--out", folder / "whole")
    assert done.returncode == 0, done.stderr
    with started(*words, "--out", folder / "killed") as run:
        for line in run.stderr:
            if "stage 1:" in line:
                run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    stages = (folder / "killed/metrics.jsonl").read_text().splitlines()
    assert 1 <= len(stages) < 3
    done = typed(*words, "--out", folder / "killed", "--resume")
    assert done.returncode == 0 and f"resumes after stage {len(stages)}" in done.stderr, done.stderr
    whole, killed = (checkpoint.arrays(folder / name / "cascade.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == killed.keys() and all((whole[name] == killed[name]).all() for name in whole)
    rows = [[json.loads(row) for row in (folder / name / "metrics.jsonl").open()] for name in ("whole", "killed")]
    assert rows[0] == rows[1] and [row["stage"] for row in rows[0]] == [1, 2, 3]
    detector = load_detector(folder / "whole/cascade.safetensors", threshold=0.0)
    assert len(detector.detect(data.coffee()[:5])) == 0
    refused = typed(*words, "--out", folder / "whole")
    assert refused.returncode == 2 and "holds a run already" in refused.stderr


def test_without_faceless_photos_there_is_nothing_to_learn_from(folder: Path):
    rows = list(tables.rows(folder / "data/downloads.csv"))[:1]
    tables.write(folder / "data/downloads.csv", rows)
    done = typed("-m", "visavis.cascade", "--data", folder / "data", "--val", "0", "--test", "0", "--out", folder / "x")
    assert done.returncode == 2 and "has no photo without a face" in done.stderr
