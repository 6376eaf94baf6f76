"""What evaluate.py says and leaves: intervals, mistakes, results without a face, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from contestants import FACE, Known, Slow, known, make_photos

from dataset import tables
from visavis import Faces, boxes, images
from visavis.commands import evaluate
from visavis.commands.network import Network
from visavis.errors import InputError
from visavis.evaluation import mistakes
from visavis.evaluation.contest import Contestant, LabelledPhotos, differences
from visavis.evaluation.reservations import reservations
from visavis.evaluation.scoreboard import table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("data"))


def test_the_worst_mistakes_come_first_and_are_drawn(folder: Path, tmp_path: Path):
    contestant, labelled = known(folder)

    def from_score(threshold: float) -> list[Faces]:
        return [faces.above(threshold) for faces in contestant.found]

    assert mistakes.worst(labelled.truth, from_score(0.5), labelled.ignore) == [1, 3]
    given = labelled.paths, labelled.ids, labelled.truth
    sheet = mistakes.sheet(*given, from_score(0.5), labelled.ignore)
    assert sheet.shape[1] == 2 * (mistakes.CELL + mistakes.CELL // 20) + mistakes.CELL // 20
    assert sorted(mistakes.worst(labelled.truth, from_score(0.96), labelled.ignore)) == [0, 1, 2]
    assert mistakes.worst(labelled.truth, labelled.truth, labelled.ignore) == []
    assert mistakes.sheet(*given, labelled.truth, labelled.ignore).shape[2] == 3
    mistakes.page(*given, from_score(0.5), labelled.ignore, tmp_path / "page.html", "the worst")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    shown = json.loads(text.split('id="photos">')[1].split("</script>")[0])
    assert [(photo["n"], photo["r"]["rank"]) for photo in shown] == [("P/1", "1"), ("P/3", "2")]
    assert {box[4] for box in shown[0]["b"]} == {"missed", "false"}


def test_what_the_figures_cannot_bear_is_said(folder: Path):
    def said(*contestants: Contestant) -> list[str]:
        return list(reservations(list(contestants), labelled, Path("out")))

    contestant, labelled = known(folder)
    little, doubtful = said(contestant)
    assert little.startswith("4 photos with 3 faces cannot say much") and "recall by 0.333" in little
    # The true positives have 0.9 and 0.8, so 0.95 alone is higher than half of them.
    assert doubtful.startswith("known: 1 false positive scores higher than half of the true positives")
    labelled.truth = labelled.truth * 34
    assert len(list(reservations([], labelled, Path("out")))) == 0  # 102 faces
    labelled.truth = labelled.truth[:4]
    torch, onnx = (Contestant(name, name, Slow(name), 0.5, found=[Faces()] * 4) for name in ("torch", "onnx"))
    assert [line for line in said(torch, torch) if "times" in line] == []
    assert [line for line in said(torch, onnx, contestant) if "times" in line] == [
        "the times are of different back ends (torch: torch; onnx: onnx); --backend torch runs all of our networks in "
        "the same one"
    ]


def test_an_interval_is_not_shown_as_one_figure():
    rows = (("recall", "recall_interval", ".3f"),)
    for interval, shown in (((0.9997, 1.0), "0.999700 to 1.000000"), ((0.5, 0.75), "0.500 to 0.750"), (None, "-")):
        assert table(rows, [{"name": "x", "recall_interval": interval}]).endswith(shown)


def test_fewer_than_six_photos_do_not_tell_which_is_better():
    for photos, enough in ((5, False), (6, True)):
        truth = [Faces([FACE])] * photos
        labelled = LabelledPhotos(truth=truth, ignore=[boxes.as_boxes([])] * photos)
        pair = [Contestant("all", "", Known({}), 0.5, aligned=[Faces([FACE], [0.9])] * photos),
                Contestant("none", "", Known({}), 0.5, aligned=[Faces()] * photos)]  # fmt: skip
        (row,) = differences(pair, labelled)
        assert (row["ap50_aligned"], row["known"]) == (1, enough)


def test_one_detector_leaves_mistakes_jpg(folder: Path, tmp_path: Path):
    options = evaluate.Options(data=folder, split="all", out=tmp_path / "out", network=Network("cpu"), batch_size=4)
    evaluate.evaluate(options)
    assert np.prod(images.read(tmp_path / "out/mistakes.jpg").shape) > 0
    assert not (tmp_path / "out/mistakes-shipped.jpg").exists()


def test_photos_without_any_face_give_no_ap_but_a_result(folder: Path, tmp_path: Path):
    tables.write(tmp_path / "data/labels.csv", [])
    row = {"image_id": "C/1", "status": "ok", "path": "images/C/1.jpg"}
    tables.write(tmp_path / "data/downloads.csv", [row])
    (tmp_path / "data/images/C").mkdir(parents=True)
    (tmp_path / "data/images/C/1.jpg").write_bytes((folder / "images/P/3.jpg").read_bytes())
    options = evaluate.Options(data=tmp_path / "data", split="all", out=tmp_path / "out", network=Network("cpu"))
    assert evaluate.evaluate(options) == 0
    record = json.loads((tmp_path / "out/evaluation.json").read_text())["detectors"][0]
    assert (record["ap"], record["faces"], record["photos"]) == (None, 0, 1)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"data": Path("nowhere")}, "no data folder at nowhere"),
        ({"detector": ("nowhere.safetensors",)}, "no weights at"),
        ({"detector": (__file__,)}, "is not a checkpoint"),
        ({"detector": ("shipped", "shipped")}, "is given twice"),
        ({"detector": ()}, "at least one"),
        ({"detector": ("haar",)}, "no detector 'haar'; give one of shipped, single_face"),
        ({"protocol": "wider"}, "--split: --protocol wider determines the photos"),
        ({"protocol": "wider", "split": "val"}, "WIDER_val.zip"),
        ({"protocol": "fddb", "split": "val"}, "FDDB-folds"),
        ({"detector": ("dlib_hog",), "calibrate": True}, "dlib_hog has no checkpoint"),
        ({"protocol": "fddb", "split": "val", "false_positives": (10,)}, "--false-positives: --protocol fddb"),
        ({"out": Path(__file__)}, "is a file"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_written(
    more: dict, message: str, folder: Path, tmp_path: Path
):
    usual = {"data": folder, "split": "all", "out": tmp_path / "out", "network": Network("cpu")}
    with pytest.raises(InputError, match=message):
        evaluate.evaluate(evaluate.Options(**usual | more))
    assert not (tmp_path / "out").exists()


def test_none_of_the_photos_can_be_read(tmp_path: Path):
    (tmp_path / "images/A").mkdir(parents=True)
    (tmp_path / "images/A/1.jpg").write_text("no photo")
    box = {"x1": 1, "y1": 1, "x2": 9, "y2": 9}
    tables.write(tmp_path / "labels.csv", [{"image_id": "A/1", "identity": "A"} | box])
    with pytest.raises(InputError, match="of 1 photo, none can be read"):
        evaluate.evaluate(evaluate.Options(data=tmp_path, split="all", out=tmp_path / "out", network=Network("cpu")))
    assert not (tmp_path / "out").exists()


def test_names_of_detectors_are_short_and_differ():
    def names(*paths: str) -> list[str]:
        return evaluate.check(evaluate.Options(paths))

    assert names("runs/a/best.safetensors") == ["best"]
    assert names("runs/a/best.safetensors", "runs/a/last.safetensors") == ["best", "last"]
    assert names("runs/a/best.safetensors", "runs/b/best.safetensors") == ["a/best", "b/best"]
    assert names("shipped", "dlib_hog", "runs/a/best.safetensors") == ["shipped", "dlib_hog", "best"]
    assert names("1/a/best.safetensors", "2/a/best.safetensors") == ["1/a/best", "2/a/best"]
