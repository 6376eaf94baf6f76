"""`evaluate --analyse` with points: what is printed and written for labelled faces, behind a detector."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from dataset import tables
from visavis.analysers.dlib_points import DlibPoints
from visavis.commands.evaluate import Options, evaluate
from visavis.data import points
from visavis.errors import InputError
from visavis.evaluation.points import Contender, aside, figures, matching
from visavis.faces import Faces
from visavis.keypoints import SIXTY_EIGHT

BOX = np.array([[179, 61, 269, 179]], np.float32)
"""Of the astronaut's face."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut, whose points are dlib's moved by 2 pixels, and one where there is no face."""
    folder = tmp_path_factory.mktemp("points")
    picture = np.asarray(data.astronaut())
    truth = np.asarray(DlibPoints().analyse(picture, Faces(BOX)).keypoints)[0] + [2, 0]
    (folder / "images/a").mkdir(parents=True)
    Image.fromarray(picture).save(folder / "images/a/1.png")
    labels, rows = [], []
    for box, spots in ((BOX[0], truth), (BOX[0] + 190, truth + 190)):
        sides = dict(zip(("x1", "y1", "x2", "y2"), box.tolist(), strict=True))
        labels.append({"image_id": "a/1", "identity": "a"} | sides)
        values = ["a/1", *box.tolist(), *spots.ravel().tolist()]
        rows.append(dict(zip(points.columns(SIXTY_EIGHT), values, strict=True)))
    tables.write(folder / "labels.csv", labels)
    tables.write(folder / "points.csv", rows, points.columns(SIXTY_EIGHT))
    return folder


def test_points_are_scored_behind_a_detector(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """dlib is 2 pixels off, or a little more from the detector's own box; the second face is not found."""
    out = tmp_path / "out"
    assert evaluate(Options(data=folder, split="all", analyse="dlib_points", out=out)) == 0
    record = json.loads((out / "evaluation.json").read_text())
    (one,) = record["analysers"]
    assert (one["name"], one["faces"], one["not_found"], one["failed"]) == ("dlib_points", 2, 0.5, 0.5)
    assert 0.025 < one["nme"] < 0.05  # the eyes' outer corners are 61 pixels apart
    assert one["parts"].keys() >= {"jaw", "left_eye", "mouth_inner"} and len(one["points"]) == 68
    assert one["poses"]["turned 0 to 15°"]["faces"] == 1 and one["ms"] > 0
    assert (out / "curve.png").stat().st_size > 5000
    said = capsys.readouterr().out
    assert "NME by the eyes' outer corners" in said and "  jaw " in said and "not found" in said


def test_points_and_attributes_are_scored_apart(folder: Path, tmp_path: Path) -> None:
    for more, message in (
        ({"analyse": "dlib_points,sharpness"}, "sharpness gives no points; score points and attributes in two runs"),
        ({"calibrate": True}, "`calibrate` is of scores, and points have none"),
        ({"detect": True, "detector": ("shipped", "opencv_haar")}, "--detect needs --analyse and one --detector"),
    ):
        given = {"data": folder, "split": "all", "analyse": "dlib_points", "out": tmp_path} | more
        with pytest.raises(InputError, match=message):
            evaluate(Options(**given))


class Still:
    """An analyser that is not called here."""

    attributes: tuple[str, ...] = ()
    keypoints = SIXTY_EIGHT.names

    def analyse(self, picture: np.ndarray, faces: Faces) -> Faces:
        return faces


def test_the_figures_of_known_errors() -> None:
    truth = np.zeros((68, 2), np.float32)
    truth[:, 0] = np.arange(68)
    truth[36], truth[45] = (0, 0), (100, 0)
    truth[8] = (50, 100)
    off = [truth + np.float32([3, 4]), truth + np.float32([6, 8]), None]  # 5 %, 10 %, not found
    told = figures(Contender("it", Still(), off, [2.0, 4.0, 6.0]), [truth] * 3)
    assert told["nme"] == pytest.approx(0.075) and told["nme_median"] == pytest.approx(0.075)
    assert told["not_found"] == pytest.approx(1 / 3) and told["failed"] == pytest.approx(2 / 3)
    assert told["auc"] == pytest.approx((1 - 0.05 / 0.08) / 3)
    assert told["rmse_pixels"] == pytest.approx(np.sqrt((25 + 100) / 4))
    assert told["ms"] == 4 and told["points"] == pytest.approx([0.075] * 68)
    unlabelled = truth.copy()
    unlabelled[36] = np.nan  # without a corner of the eyes, there is nothing to measure by
    assert figures(Contender("it", Still(), off[:1], []), [unlabelled])["nme"] is None


def test_which_face_is_meant() -> None:
    spots = np.random.default_rng(0).uniform((0, 30), (100, 130), (68, 2)).astype(np.float32)
    spots[:2] = (0, 30), (100, 130)
    found = Faces(np.array([[300, 0, 400, 130], [5, 2, 97, 133]], np.float32))
    assert matching(found, spots) == 1
    assert matching(found[:1], spots) is None and matching(Faces(), spots) is None


def test_how_far_a_head_looks_aside() -> None:
    front = np.zeros((1, 68, 2), np.float32)
    front[0, 36:42], front[0, 42:48] = (30, 0), (70, 0)
    front[0, 0], front[0, 16], front[0, 30] = (0, 10), (100, 10), (50, 20)
    profile = front.copy()
    profile[0, 30] = (100, 20)
    assert aside(front).tolist() == [0] and aside(profile).tolist() == [pytest.approx(1)]
