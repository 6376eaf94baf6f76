"""The rules of FDDB on cases worked out by hand, and from the files that it is published as."""

import json
from math import pi
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from visavis import Faces
from visavis.boxes import Boxes, as_boxes
from visavis.commands import evaluate
from visavis.commands.network import Network
from visavis.errors import InputError
from visavis.evaluation.protocols import fddb

CIRCLE = [10, 10, 0, 50, 50]
IN_CIRCLE = 317
"""Points with whole coordinates in a circle of radius 10 (Gauss's circle problem)."""


def test_fddb_overlap_is_counted_in_pixels_of_the_photo():
    ellipses = np.array([CIRCLE, [10, 10, 0, 0, 50]], np.float64)  # the second lies half outside
    found = as_boxes([[40, 40, 60, 60], [-10, 40, 10, 60], [80, 80, 90, 90]])
    overlaps = fddb.overlaps(ellipses, found, (100, 100))
    right_half = (IN_CIRCLE + 21) / 2
    assert overlaps[0, 0] == pytest.approx(IN_CIRCLE / 21**2)
    assert overlaps[1, 1] == pytest.approx(right_half / (11 * 21))
    assert overlaps[2].tolist() == [0, 0]
    assert fddb.overlaps(np.zeros((0, 5)), found, (100, 100)).shape == (3, 0)
    assert fddb.overlaps(ellipses, as_boxes([]), (100, 100)).shape == (0, 2)


def test_fddb_ellipses_stand_upright_and_lean():
    tall = fddb.mask(np.array([20, 10, pi / 2, 50, 50]), (100, 100))
    assert (tall[:, 50].sum(), tall[50].sum()) == (41, 21)
    leaning = fddb.mask(np.array([20, 5, pi / 4, 50, 50]), (100, 100))
    assert leaning[60, 60] and not leaning[40, 60]  # down to the right: y grows downwards
    boxes = fddb.Annotated("x", Path("x"), np.array([[20, 10, pi / 2, 50, 50], CIRCLE])).boxes
    assert boxes == pytest.approx(np.array([[40, 30, 60, 70], [40, 40, 60, 60]]))


def test_fddb_masks_are_opencvs():
    cv2 = pytest.importorskip("cv2")
    random = np.random.default_rng(0)
    for _ in range(20):
        long, short = random.uniform(20, 60), random.uniform(10, 20)
        ellipse = np.array([long, short, random.uniform(0, pi), random.uniform(0, 120), random.uniform(0, 90)])
        drawn = np.zeros((90, 120), np.uint8)
        centre = tuple(int(value) for value in np.rint(ellipse[3:]))
        cv2.ellipse(drawn, centre, (int(long), int(short)), np.degrees(ellipse[2]), 0, 360, 1, -1)
        ours = fddb.mask(ellipse, (90, 120))
        assert (drawn > 0).sum() == pytest.approx(ours.sum(), rel=0.08)
        assert (ours & (drawn > 0)).sum() / (ours | (drawn > 0)).sum() > 0.92


def test_fddb_pairs_are_the_best_in_sum_at_each_threshold():
    overlap = np.array([[0.7, 0.65], [0.6, 0.0], [0.0, 0.0]])
    steps = fddb.changes(overlap, np.array([0.9, 0.8, 0.8], np.float32))
    # At 0.9 the first find takes 0.7. At 0.8 it leaves that face to the second: 0.65 + 0.6; the third is false.
    assert [step[1:3] for step in steps] == [(0, 1), (1, 1)]
    assert [step[0] for step in steps] == pytest.approx([0.9, 0.8])
    assert [step[3] for step in steps] == pytest.approx([0.7, 1.25 - 0.7])
    half = fddb.changes(np.array([[0.5]]), np.array([0.9], np.float32))
    assert half[0][1:] == (1, 0, 0.5)  # not above 0.5: false by the one score, half a face by the other
    assert fddb.changes(np.zeros((0, 2)), np.zeros(0, np.float32)) == []
    assert fddb.changes(np.zeros((2, 0)), np.array([0.9, 0.8], np.float32))[1][1:] == (1, 0, 0)


def annotated(*ellipses: list[float]) -> fddb.Annotated:
    return fddb.Annotated("x", Path("x"), np.array(ellipses, np.float64).reshape(-1, 5))


def test_fddb_scores_by_hand():
    square = [40, 40, 60, 60]  # around the circle
    share = IN_CIRCLE / 21**2
    photos = [annotated(CIRCLE), annotated(CIRCLE, [10, 10, 0, 20, 80]), annotated()]
    found = [Faces([square], [0.8]), Faces([[0, 0, 5, 5], square], [0.9, 0.7]), Faces([square], [0.6])]
    values = fddb.figures(photos, [(100, 100)] * 3, found)
    assert values["faces"] == 3
    # 0.9 false, 0.8 right, 0.7 right, 0.6 false
    assert values["curve_discrete"][:4] == pytest.approx([0, 2 / 3, 2 / 3, 2 / 3], abs=1e-4)
    assert values["curve_continuous"][:3] == pytest.approx([0, 2 / 3 * share, 2 / 3 * share], abs=1e-4)
    assert values["discrete_at_100"] == pytest.approx(2 / 3)
    nothing = fddb.figures([annotated(CIRCLE)], [(100, 100)], [Faces()])
    assert (nothing["discrete_at_1000"], nothing["continuous_at_100"]) == (0, 0)
    assert fddb.figures([annotated()], [(100, 100)], [Faces()])["discrete_at_100"] is None


@pytest.fixture
def fddb_folder(tmp_path: Path) -> Path:
    """Two photos of the astronaut in two folds, as FDDB is unpacked."""
    (tmp_path / "FDDB-folds").mkdir()
    for fold in (1, 2):
        name = f"2002/08/11/big/img_{fold}"
        path = tmp_path / f"originalPics/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(skimage.data.astronaut()).save(path)
        text = f"{name}\n1\n70.5 50.25 1.5708 227.5 137.5  1\n"
        (tmp_path / f"FDDB-folds/FDDB-fold-0{fold}-ellipseList.txt").write_text(text)
        (tmp_path / f"FDDB-folds/FDDB-fold-0{fold}.txt").write_text(f"{name}\n")
    return tmp_path


def test_fddb_evaluated_by_the_command(fddb_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    photos = fddb.read(fddb_folder)
    assert [photo.name for photo in photos] == ["2002/08/11/big/img_1", "2002/08/11/big/img_2"]
    assert photos[0].ellipses.tolist() == [[70.5, 50.25, 1.5708, 227.5, 137.5]]
    options = evaluate.Options(
        ("dlib_hog",), fddb_folder, protocol="fddb", out=tmp_path / "out", network=Network("cpu")
    )
    assert evaluate.evaluate(options) == 0
    result = json.loads((tmp_path / "out/evaluation.json").read_text())["detectors"][0]
    assert result["discrete_at_100"] == 1
    assert 0.5 < result["continuous_at_1000"] < 0.95
    assert "discrete score at 100 false positives" in capsys.readouterr().out
    assert (tmp_path / "out/fddb.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a/b\nmany\n1 1 1 1 1 1\n", "line 2"),
        ("a/b\n2\n1 1 1 1 1 1\n", "a/b must have 2 faces"),
        ("a/b\n1\n1 1 one 1 1 1\n", "line 2"),
        ("a/b\n1\n1 1 1\n", "five numbers"),
        ("a/b\n1\n1 1 nan 1 1 1\n", "five numbers"),
    ],
)
def test_fddb_lists_that_are_not_as_published(text: str, message: str, fddb_folder: Path):
    (fddb_folder / "FDDB-folds/FDDB-fold-02-ellipseList.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        fddb.read(fddb_folder)


def test_boxes_of_no_ellipse():
    boxes: Boxes = annotated().boxes
    assert boxes.shape == (0, 4)
