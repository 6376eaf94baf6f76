"""evaluate.py on a folder of real photos, with the shipped detector and with ones whose answers are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contestants import Slow, known, make_photos

import visavis
from benchmarks import history
from dataset.faces import Photo, labels_within
from visavis import boxes, images
from visavis.checkpoint import SHIPPED
from visavis.commands import evaluate
from visavis.commands.network import Network
from visavis.data.split import Shares
from visavis.detectors import Detector
from visavis.errors import InputError
from visavis.evaluation import groups
from visavis.evaluation.contest import Contestant, figures
from visavis.evaluation.detecting import detect_all
from visavis.evaluation.scoreboard import DETECTION, table, with_false


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("data"))


def test_figures_by_hand(folder: Path):
    contestant, labelled = known(folder)
    assert labelled.ids == ["P/0", "P/1", "P/2", "P/3"]
    assert labelled.unreadable == [{"image_id": "P/9", "reason": "not_image"}]
    assert len(contestant.milliseconds) == 4
    result = {"name": "known"} | figures(contestant, labelled, (0, 1, 3))
    # 0.95 false, 0.9 right, 0.8 right, 0.6 false, 0.3 false; three faces
    assert result["ap50"] == pytest.approx(67 / 101 * 2 / 3)
    assert (result["precision"], result["recall"]) == (2 / 4, pytest.approx(2 / 3))
    assert result["best_f1"] == pytest.approx(4 / 6)
    assert result["best_threshold"] == pytest.approx(0.7)
    assert (result["recall_at_tenth"], result["recall_at_one"]) == (0, pytest.approx(2 / 3))
    recalls = [result[f"recall_with_{count}_false"] for count in (0, 1, 3)]
    assert recalls == [0, pytest.approx(2 / 3), pytest.approx(2 / 3)]
    assert table(with_false((0, 1)), [result]).endswith("recall with 1 false in all, aligned           0.667")
    assert (result["photos"], result["faces"]) == (4, 3)
    # each score is alone in its range: how far it lies from 1 where it is right, from 0 where not
    assert result["ece"] == result["ece_raw"] == pytest.approx((0.95 + 0.1 + 0.2 + 0.6 + 0.3) / 5)
    assert result["ece_counted"] == pytest.approx((0.95 + 0.1 + 0.2 + 0.6) / 4)
    assert result["temperature"] == 1
    assert result["precision_interval"] == (pytest.approx(0.1500, abs=5e-5), pytest.approx(0.8500, abs=5e-5))
    assert result["recall_interval"] == (pytest.approx(0.2077, abs=5e-5), pytest.approx(0.9385, abs=5e-5))
    lines = table(DETECTION, [result, result | {"name": "a_longer_name", "ap": None}]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "-" in lines[1]


def test_each_group_of_photos_has_figures_of_its_own(folder: Path):
    contestant, labelled = known(folder)
    labelled.ids = ["near/0", "near/1", "far/2", "none/3"]
    contestant.milliseconds = [1.0, 3.0, 4.0, 6.0]
    far, near, none = groups.by_group([contestant], labelled)
    groups_of = ("far", "near", "none")
    assert [row["ms_median"] for row in (far, near, none)] == [4.0, 2.0, 6.0]
    assert [(row["group"], row["photos"], row["faces"]) for row in (far, near, none)] == [
        ("far", 1, 1),
        ("near", 2, 2),
        ("none", 1, 0),
    ]
    # near: 0.9 right, 0.95 false and a missed face; far: 0.8 right (0.3 is below the threshold); none: 0.6 false
    assert (near["precision"], near["recall"], near["f1"], near["false_per_photo"]) == (0.5, 0.5, 0.5, 0.5)
    assert (far["precision"], far["recall"], far["ap50"], far["false_per_photo"]) == (1, 1, 1, 0)
    assert none["ap50"] is None and none["false_per_photo"] == 1
    shown = groups.table([far, near, none]).splitlines()
    assert [line.split()[:2] for line in shown] == [["group", "detector"], *([name, "known"] for name in groups_of)]
    assert len({len(line) for line in shown}) == 1
    none_at_all = ["none", "known", "1", "0", "-", "-", "-", "-", "0.500", "0.000", "-", "-", "-", "1.000", "6.0"]
    assert shown[3].split() == none_at_all
    groups.check([f"{number}/1" for number in range(100)])
    with pytest.raises(InputError, match=r"have 101 groups \(0, 1, 10, \.\.\.\)"):
        groups.check([f"{number}/1" for number in range(101)])


def test_photos_of_the_history_come_in_groups_and_in_grey(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    asked = history.Options(folder, tmp_path / "history", ("P",), "P", shares=Shares(1.0, 0.0))
    assert history.run(asked) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path}/history: 8 photos, 6 faces\n" and "left out" in said.err  # P/9, which is no photo
    photos = {photo.image_id: photo for photo in evaluate.load_photos(tmp_path / "history")}
    assert sorted(photos) == ["P/0", "P/1", "P/2", "P/3", *sorted(name for name in photos if name.startswith("grey/"))]
    in_grey = [photo for name, photo in photos.items() if name.startswith("grey/")]
    assert sorted(photo.boxes[:, 0].tolist() for photo in in_grey) == [[], [75.0], [115.0], [175.0]]
    for photo in in_grey:
        assert np.ptp(images.read(photo.path).astype(int), axis=2).max() == 0
    with pytest.raises(InputError, match="exists already; give another --out"):
        history.run(asked)
    with pytest.raises(InputError, match=r"has no validation photos web/\.\.\."):
        history.run(history.Options(folder, tmp_path / "other", shares=Shares(1.0, 0.0)))


def test_labels_are_clipped_and_what_is_hardly_visible_is_ignored():
    stored = [[-20, 10, 40, 60], [-90, 10, 10, 60], [5, 5, 7, 30], [300, 300, 400, 400]]
    photo = Photo("A/1", "A", Path("x"), boxes.as_boxes(stored), boxes.as_boxes([[90, 90, 120, 120]]))
    truth, ignore = labels_within(photo, (100, 100))
    assert truth.boxes.tolist() == [[0, 10, 40, 60]]
    assert ignore.tolist() == [[0, 10, 10, 60], [5, 5, 7, 30], [90, 90, 100, 100]]
    nobody = labels_within(Photo("A/1", "A", Path("x"), boxes.as_boxes([])), (5, 5))
    assert (len(nobody[0]), nobody[1].shape) == (0, (0, 4))


def counting_loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the detectors that are loaded from now on."""
    loads, load = [], visavis.load_detector

    def counted(name: str, *more: str, **how: Any) -> Detector:
        loads.append(name)
        return load(name, *more, **how)

    monkeypatch.setattr(visavis, "load_detector", counted)
    return loads


def test_two_detectors_on_the_same_photos(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    copy = tmp_path / "copy.safetensors"
    for of_shipped, of_copy in ((SHIPPED, copy), (SHIPPED.with_suffix(".onnx"), copy.with_suffix(".onnx"))):
        of_copy.write_bytes(of_shipped.read_bytes())
    out = tmp_path / "out"
    options = evaluate.Options(("shipped", str(copy)), folder, "all", out=out, network=Network("cpu"), threshold=0.6)
    loads = counting_loads(monkeypatch)
    assert evaluate.evaluate(options) == 3
    assert loads == ["shipped", str(copy)]  # each once, though it was asked for its threshold and then for more
    assert {path.name for path in out.iterdir()} == {
        "evaluation.json",
        "pr.png",
        "reliability.png",
        "mistakes-shipped.jpg",
        "mistakes-copy.jpg",
        "mistakes-shipped.html",
        "mistakes-copy.html",
    }
    record = json.loads((out / "evaluation.json").read_text())
    assert (record["photos"], record["faces"]) == (4, 3)
    assert record["unreadable"] == [{"image_id": "P/9", "reason": "not_image"}]
    first, second = record["detectors"]
    (between,) = record["differences"]  # the same detector twice: no difference, and known not to be one
    assert (between["ap50_aligned"], between["interval"], between["known"]) == (0, [0, 0], False)
    low, high = first["ap50_interval"]
    assert 0 <= low <= first["ap50"] <= high <= 1
    assert first["ap50"] == second["ap50"] > 0
    assert first["threshold"] == 0.6
    assert 0 < first["ms_median"] <= first["ms_p95"]
    assert 50 < first["memory_loaded_mb"] < first["memory_mb"] < 20_000
    assert first["cuda_mb"] is None
    assert sum(one["finds"] for one in first["reliability"]) >= record["faces"] - 1
    assert 0 <= first["ece"] <= 1
    assert images.read(out / "pr.png").std() > 0
    assert images.read(out / "reliability.png").std() > 0
    said = capsys.readouterr()
    assert "copy" in said.out.splitlines()[0]
    assert f"{first['ap50']:.3f}" in said.out
    assert "9.jpg" in said.err
    assert "1 of 5 photos could not be read" in said.err
    assert "3 faces cannot say much: one face found or missed by chance changes recall by 0.333" in said.err
    assert first["recall_interval"] == [pytest.approx(0.4385, abs=5e-5), 1]  # Wilson's of 3 of 3
    assert first["ap50_interval"][0] < 1
    before = (out / "evaluation.json").read_bytes()
    with pytest.raises(InputError, match=r"already holds an evaluation; give another --out, or --overwrite"):
        evaluate.evaluate(options)
    assert (out / "evaluation.json").read_bytes() == before


def test_a_detector_that_stays_on_the_cpu_says_so_once(capsys: pytest.CaptureFixture):
    contestant = evaluate._contestant("hog", "dlib_hog", "cuda", 0.05, None, {})
    assert capsys.readouterr().err.count("dlib_hog runs on the CPU only") == 1
    assert (contestant.threshold, contestant.detector.threshold) == (0.5, 0.05)
    assert evaluate._contestant("hog", "dlib_hog", "cpu", 0.05, 0.7, {}).threshold == 0.7


def test_the_first_batch_is_shown_once_before_it_is_timed(folder: Path):
    detector = Slow()
    detect_all([Contestant("slow", "slow", detector, 0.5)], evaluate.load_photos(folder)[:3], 2)
    assert detector.shown == [[(512, 512), (492, 452)], [(512, 512), (492, 452)], [(472, 412)]]
