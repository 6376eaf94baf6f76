"""evaluate --analyse: the figures of answers that are known, and the command on labelled faces."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from dataset import tables
from visavis import checkpoint
from visavis.analysers import load_analyser
from visavis.analysers.attributes import calibrating, network
from visavis.analysers.attributes.analyser import SHIPPED, answers, calibrated
from visavis.analysers.protocol import Analysers
from visavis.commands.evaluate import Options, evaluate
from visavis.commands.network import Network
from visavis.data.attributes import KnownAttributes
from visavis.data.split import Shares
from visavis.errors import InputError
from visavis.evaluation.attributes import Answers, of_ages, of_classes, report, said_of_classes, years_off
from visavis.training.attributes import Predictions

BOX = (178, 60, 271, 181)


def test_classes() -> None:
    truth = np.array(["worn", "worn", "none", "none", "none", "wrong", ""])
    said = np.array(["worn", "none", "none", "none", "", "worn", "worn"])
    found = of_classes(truth, said, np.full(7, 0.9, np.float32), ("worn", "wrong", "none"))
    assert (found["faces"], found["said"], found["right_of_said"]) == (6, pytest.approx(5 / 6), 0.6)
    worn = found["classes"]["worn"]
    assert (worn["precision"], worn["recall"], worn["f1"]) == (0.5, 0.5, 0.5)
    assert found["classes"]["none"]["recall"] == pytest.approx(2 / 3)
    assert found["classes"]["wrong"]["precision"] is None and found["classes"]["wrong"]["recall"] == 0
    assert found["confusion"]["none"] == {"worn": 0, "wrong": 0, "none": 2, "": 1}
    assert found["calibration_error"] == pytest.approx(0.3, abs=1e-6)  # sure by 0.9, right in 0.6


def test_ages() -> None:
    bounds = np.array([[10, 10], [30, 30], [20, 29], [20, 29], [np.nan, np.nan]])
    columns = {"age": [14, 28, 29.4, 31, 50], "age_low": [9, 29, 20, 20, 40], "age_high": [20, 40, 40, 40, 60]}
    told = Answers(
        [KnownAttributes((0, 0, 9, 9))] * 5, {name: [np.array(rows, np.float32)] for name, rows in columns.items()}
    )
    found = of_ages(bounds, told)
    assert (found["faces"], found["mae"], found["bias"]) == (2, 3, 1)
    assert found["rmse"] == pytest.approx(np.sqrt(10)) and found["r2"] == pytest.approx(1 - 20 / 200)
    assert found["within"] == {"1": 0, "3": 0.5, "5": 1, "10": 1}
    assert found["in_interval"] == 1  # of both
    assert (found["groups"]["3 to 12"]["mae"], found["groups"]["30 to 44"]["mae"]) == (4, 2)
    assert found["groups"]["0 to 2"] == {"faces": 0, "mae": None, "mae_interval": None, "rmse": None, "bias": None}
    assert (found["faces_of_a_group"], found["in_group"]) == (2, 0.5)
    assert any("3.00 years off in the mean" in line for line in report({"age": found}))


def test_what_the_charts_show() -> None:
    labels = (("male", (10, 10)), ("female", (30, 30)), ("", (20, 29)), ("male", None))
    known = [KnownAttributes((0, 0, 9, 9), gender=gender, ages=ages) for gender, ages in labels]
    columns = {
        "age": np.array([14, np.nan, 24, 50]),
        "gender": np.array(["male", "male", "male", ""]),
        "gender_score": np.array([0.9, 0.6, 0.8, np.nan]),
    }
    given = Answers(known, {name: [rows] for name, rows in columns.items()})
    assert years_off(given).tolist() == [4]
    (name, (scores, right)), *others = said_of_classes(given).items()
    assert (name, scores.tolist(), right.tolist(), others) == ("gender", [0.9, 0.6], [True, False], [])
    assert not len(years_off(Answers(known))) and not said_of_classes(Answers(known))


def test_training_counts_ages_of_a_group_as_evaluation_does() -> None:
    years = np.eye(101, dtype=np.float32)[[29, 29, 30]]
    years[1] = (years[1] + years[2] * 2) / 3  # 29.7, which is 30
    labels = np.array([[-1, 20, 29, -1]] * 3, np.float32)
    mask, gender = np.zeros((3, 3), np.float32), np.zeros((3, 2), np.float32)
    given = {"mask": mask, "age": years, "gender": gender}
    assert Predictions(given, labels).figures()["age_in_group"] == pytest.approx(1 / 3)


def test_without_a_label_there_are_no_figures() -> None:
    empty = np.zeros(0, np.str_)
    found = {
        "gender": of_classes(empty, empty, np.zeros(0, np.float32), ("female", "male")),
        "age": of_ages(np.zeros((0, 2)), Answers(columns={})),
    }
    assert found["gender"]["right_of_said"] is None and found["age"]["mae"] is None
    assert list(report(found)) == []


def test_an_answer_that_is_not_sure_is_not_given() -> None:
    told = answers("mask", np.array([[0.55, 0.4, 0.05], [0.1, 0.1, 0.8]], np.float32), limit=0.6)
    assert told["mask"].tolist() == ["", "none"]
    assert np.isnan(told["mask_score"][0]) and told["mask_score"][1] == pytest.approx(0.8)


def test_ages_are_told_with_the_years_between_which_eight_in_ten_lie() -> None:
    even = np.zeros((1, 101), np.float32)
    even[0, 20:30] = 0.1
    told = answers("age", even)
    assert [told[name][0] for name in ("age", "age_low", "age_high")] == [24.5, 20, 28]


def test_of_an_age_that_might_be_any_nothing_is_said() -> None:
    even = np.full((1, 101), 1 / 101, np.float32)  # 80 years apart
    told = answers("age", np.concatenate([even, np.eye(101, dtype=np.float32)[[30]]]), limit=45)
    assert [np.isnan(told[name]).tolist() for name in ("age", "age_low", "age_high")] == [[True, False]] * 3


def test_ages_that_are_numbers_have_bounds_once_they_are_calibrated() -> None:
    rows = np.array([[31.26], [-4.0]], np.float32)
    told = answers("age", rows)
    assert told["age"].tolist() == pytest.approx([31.3, 0]) and np.isnan([told["age_low"], told["age_high"]]).all()
    told = answers("age", rows, temperature=9.6)
    assert [told["age_low"].tolist(), told["age_high"].tolist()] == [[22, 0], [41, 10]]
    off = np.tile(np.arange(10.0), 20)  # 80 % are off by 7.2 or less
    assert calibrating.of_ages(np.full((200, 1), 30, np.float32), 30 - off) == pytest.approx(7.2)
    bounds, columns = np.array([[30, 30]] * 2), {"age": [31, 32], "age_low": [np.nan] * 2, "age_high": [np.nan] * 2}
    given = Answers(
        [KnownAttributes((0, 0, 9, 9))] * 2, {name: [np.array(one, np.float32)] for name, one in columns.items()}
    )
    found = of_ages(bounds, given)
    assert (found["mae"], found["in_interval"], found["interval_years"]) == (1.5, None, None)
    assert list(report({"age": found}))


def test_temperatures() -> None:
    probabilities = np.array([[0.9, 0.1]] * 100, np.float32)
    truth = np.array([0] * 60 + [1] * 40)
    temperature = calibrating.of_classes(probabilities, truth)
    assert calibrated(probabilities, temperature)[0, 0] == pytest.approx(0.63, abs=0.03)  # the limit of what is tried
    assert calibrating.of_classes(probabilities[:99], truth[:99]) is None  # too few
    assert calibrated(np.array([[0.8, 0.2]], np.float32), 2.0)[0] == pytest.approx([2 / 3, 1 / 3], abs=1e-6)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data folder with one labelled face, and a copy of the shipped network with its ONNX file."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "images").mkdir()
    Image.fromarray(data.astronaut()).save(folder / "images/a.png")
    box = dict(zip(("x1", "y1", "x2", "y2"), BOX, strict=True))
    tables.write(folder / "labels.csv", [{"image_id": "a"} | box])
    tables.write(folder / "attributes.csv", [{"image_id": "a", "mask": "none", "age": 41, "gender": "female"} | box])
    for file in (SHIPPED, SHIPPED.with_suffix(".onnx")):
        shutil.copy(file, folder)
    return folder, folder / SHIPPED.name


def test_the_command(people: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, path = people
    assert evaluate(Options(analyse=str(path), data=folder, split="all", out=tmp_path / "out", groups=True)) == 0
    said = capsys.readouterr()
    assert "mask: 1 face, of 100.0% something is said" in said.out and "age: 1 face of a known age" in said.out
    written = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert "of a/:" in said.out and written["groups"]["a"]["age"] == written["age"]
    assert written["faces"] == 1 and written["age"]["faces"] == 1 and written["unreadable"] == []
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"evaluation.json", "ages.png", "reliability.png"}


def test_two_that_give_the_same_are_scored_beside_each_other(
    people: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, path = people
    assert evaluate(Options(analyse=f"mask,{path},age", data=folder, split="all", out=tmp_path / "out")) == 0
    said = capsys.readouterr().out
    assert said.count("mask: 1 face,") == 2 and said.startswith("mask, age:\n") and f"\n{path}:\n" in said
    written = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert written["analyse"] == ["mask", "age"] and "gender" not in written
    (other,) = written["beside"]
    assert other["analyse"] == [str(path)] and other["gender"]["faces"] == 1 and other["age"] == written["age"]
    with pytest.raises(InputError, match="mask, mask_score: more than one analyser gives it; leave all"):
        Analysers([load_analyser("mask"), load_analyser(path)])


@pytest.mark.usefixtures("shared_cache")
def test_the_command_calibrates(people: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A small network that has learnt nothing, since a network whose calibration changed is exported again."""
    torch.manual_seed(0)
    model = network.build("gender_cnn", "none")
    path, metadata = tmp_path / "network.safetensors", {"kind": "face_attributes", "arch": "gender_cnn"}
    metadata |= {"heads": model.predicts, "side": model.side, "margin": model.margin, "norms": True}
    checkpoint.save(path, model.state_dict(), metadata)
    given = Options(analyse=str(path), data=people[0], split="all", out=tmp_path / "out", calibrate=True)
    assert evaluate(given) == 0
    assert "gender: too few labelled faces to calibrate it; it is unchanged" in capsys.readouterr().err
    assert checkpoint.metadata(path)["limits"] == {"gender": 0.6}


def test_a_calibration_is_stored_with_the_limits_of_what_the_network_tells(
    people: tuple[Path, Path], tmp_path: Path
) -> None:
    path = shutil.copy(people[1], tmp_path / "copy.safetensors")
    before = checkpoint.metadata(path)["temperatures"]
    calibrating.store(path, {"mask": 1.23456}, {"on": "here"})
    metadata = checkpoint.metadata(path)
    assert metadata["limits"] == {"mask": 0.6, "gender": 0.6, "age": 45}
    assert metadata["temperatures"] == before | {"mask": 1.2346} and metadata["calibrated"] == {"on": "here"}


def test_photos_that_cannot_be_read_calibrate_nothing(people: tuple[Path, Path], tmp_path: Path) -> None:
    torn = shutil.copytree(people[0], tmp_path / "torn")
    (torn / "images/a.png").write_bytes(b"torn")
    given = Options(analyse=str(people[1]), data=torn, split="all", out=tmp_path / "out", calibrate=True)
    with pytest.raises(InputError, match="of 1 photo, none can be read, so nothing can be calibrated"):
        evaluate(given)
    with pytest.raises(InputError, match="of 1 photo, none can be read; run `python -m clean`"):
        evaluate(replace(given, calibrate=False))


def test_what_the_command_refuses(people: tuple[Path, Path], tmp_path: Path) -> None:
    folder, path = people
    for more, words in (
        ({"analyse": "mask,,age"}, "there is nothing between two commas"),
        ({"analyse": "beauty"}, "no analyser 'beauty'; there are mask, age, gender"),
        ({"analyse": str(path), "network": Network(tiles=True)}, "--tiles is for detectors"),
        (
            {"analyse": str(path), "split": "val", "shares": Shares(val=0.0)},
            "has no labelled face in the split 'val'|no photo in",
        ),
        ({"analyse": "sharpness"}, "give no attribute that attributes.csv has"),
    ):
        with pytest.raises(InputError, match=words):
            evaluate(Options(**{"data": folder, "split": "all", "out": tmp_path / "out"} | more))
