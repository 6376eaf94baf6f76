"""Faces with labelled points into a data folder: 68 of 300-W by CSV and .pts, and Kaggle's 15. The photo is real."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from dataset.formats import import_labels
from dataset.formats.imported import Wanted
from dataset.photos import load_photos
from visavis.data import points
from visavis.errors import InputError
from visavis.images import read
from visavis.keypoints import FIFTEEN, FIVE, LAYOUTS, SIXTY_EIGHT, converted

FACE = (170, 70, 275, 205)
"""About where the astronaut's face is, from brow to chin."""


def grid(left: float = FACE[0], top: float = FACE[1] + 30) -> np.ndarray:
    """68 points over the lower part of the face: where they are is not learnt here."""
    return np.array([(left + number % 17 * 6, top + number // 17 * 30) for number in range(68)], np.float32)


def photo(folder: Path, name: str = "a_1.jpg") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(data.astronaut()).save(folder / name)
    return folder / name


def row(name: str, cells: list[object]) -> str:
    return ",".join(map(str, [name, *cells])) + "\n"


HEADER = row("image", [f"{axis}{number}" for number in range(68) for axis in "xy"])


def test_a_csv_becomes_points_and_our_detectors_box(tmp_path: Path) -> None:
    photo(tmp_path / "set", "images/a_1.jpg")
    photo(tmp_path / "set", "images/a_2.jpg")
    cells = grid().ravel().tolist()
    (tmp_path / "set/points.csv").write_text(HEADER + row("a_1.jpg", cells) + row("a_2.jpg", cells))
    out = tmp_path / "data"
    assert import_labels("points68", tmp_path / "set", out) == (2, 2, 0)
    (one,) = points.read(out)["set/a_1"]
    assert one.box == pytest.approx((179, 61, 269, 179), abs=25)
    assert one.points.tolist() == grid().tolist()
    assert {photo.identity for photo in load_photos(out)} == {"set/a"}  # two photos of one person stay together


def test_a_face_that_is_not_found_has_a_box_around_its_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(tmp_path / "set")
    elsewhere = grid(380, 300)  # the astronaut's shoulder
    (tmp_path / "set/points.csv").write_text(HEADER + row("a_1.jpg", elsewhere.ravel().tolist()))
    assert import_labels("points68", tmp_path / "set", tmp_path / "data") == (1, 1, 0)
    assert "1 face is not found by our detector; a box around the points is taken: " in capsys.readouterr().err
    (one,) = points.read(tmp_path / "data")["set/a_1"]
    assert one.box == pytest.approx((378.08, 273.9, 477.92, 390.9), abs=0.1)


def test_pts_files_count_from_the_middle_of_the_first_pixel(tmp_path: Path) -> None:
    photo(tmp_path / "set")
    lines = "\n".join(f"{x} {y}" for x, y in (grid() + 0.5).tolist())
    (tmp_path / "set/a_1.pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    assert import_labels("points68", tmp_path / "set", tmp_path / "data") == (1, 1, 0)
    (one,) = points.read(tmp_path / "data")["set/a_1"]
    assert one.points.tolist() == grid().tolist()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([1] * 135, r"points.csv row 2: 135 numbers after the photo's name, and 68 points have 136"),
        ([1] * 135 + ["left"], r"points.csv row 2: .* are not numbers"),
        ([7] * 136, r"points.csv row 2: the points are no face"),
    ],
)
def test_a_row_that_cannot_be_is_refused(tmp_path: Path, cells: list[object], message: str) -> None:
    photo(tmp_path / "set")
    (tmp_path / "set/points.csv").write_text(HEADER + row("a_1.jpg", cells))
    with pytest.raises(InputError, match=message):
        import_labels("points68", tmp_path / "set", tmp_path / "data")


def test_pts_files_that_cannot_be_are_refused(tmp_path: Path) -> None:
    photo(tmp_path / "set")
    (tmp_path / "set/b.pts").write_text("{\n1 2\n}")
    with pytest.raises(InputError, match=r"b.pts: no photo b .* lies beside it"):
        import_labels("points68", tmp_path / "set", tmp_path / "data")
    (tmp_path / "set/b.pts").rename(tmp_path / "set/a_1.pts")
    with pytest.raises(InputError, match=r"a_1.pts: it has 2 numbers, and 68 points have 136"):
        import_labels("points68", tmp_path / "set", tmp_path / "data")


_SIDES = ("left", "right")
KAGGLE = (
    [f"{side}_eye_center" for side in _SIDES]
    + [f"{side}_eye_{corner}_corner" for side in _SIDES for corner in ("inner", "outer")]
    + [f"{side}_eyebrow_{end}_end" for side in _SIDES for end in ("inner", "outer")]
    + ["nose_tip", "mouth_left_corner", "mouth_right_corner", "mouth_center_top_lip", "mouth_center_bottom_lip"]
)
KNOWN = ("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip")
"""The four points that most of Kaggle's incomplete rows have."""


def training_csv(path: Path, rows: list[dict[str, object]]) -> Path:
    """Kaggle's 31 columns; the picture is the astronaut's face in 96 x 96 grey pixels."""
    grey = np.asarray(Image.fromarray(data.astronaut()).crop((150, 50, 290, 210)).convert("L").resize((96, 96)))
    names = [f"{name}_{axis}" for name in KAGGLE for axis in "xy"] + ["Image"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for one in rows:
            writer.writerow({"Image": " ".join(map(str, grey.ravel().tolist()))} | one)
    return path


def whole() -> dict[str, object]:
    """A row with all points, of which number n is at (10 + n, 60 - n)."""
    return {
        f"{name}_{axis}": (10 + n if axis == "x" else 60 - n) for n, name in enumerate(KAGGLE) for axis in "xy"
    }  # fmt: skip


def partial() -> dict[str, object]:
    return {name: value for name, value in whole().items() if name.rpartition("_")[0] in KNOWN}


def test_kaggles_table_is_imported_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = training_csv(tmp_path / "training.csv", [whole(), partial()])
    assert import_labels("kaggle-keypoints", source, tmp_path / "data") == (1, 1, 0)
    assert "1 face has only some points; left out without --incomplete: row 3" in (capsys.readouterr().err)
    (one,) = points.read(tmp_path / "data")["kaggle/00002"]
    found = dict(zip(FIFTEEN.names, one.points.tolist(), strict=True))
    assert found["right_eye"] == [10.5, 60.5]  # the person's left eye; Kaggle counts from the middle of a pixel
    assert found["left_mouth"] == [22.5, 48.5]  # the person's right corner
    assert found["lower_lip"] == [24.5, 46.5]
    (shown,) = load_photos(tmp_path / "data")
    assert read(shown.path).shape == (96, 96, 3)


def test_incomplete_faces_keep_empty_cells(tmp_path: Path) -> None:
    source = training_csv(tmp_path / "training.csv", [whole(), partial(), {}])
    assert import_labels("kaggle-keypoints", source, tmp_path / "data", wanted=Wanted(incomplete=True)) == (2, 2, 0)
    (one,) = points.read(tmp_path / "data")["kaggle/00003"]
    known = {name for name, (x, _) in zip(FIFTEEN.names, one.points.tolist(), strict=True) if x == x}
    assert known == {"left_eye", "right_eye", "nose", "lower_lip"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Image": "1 2 3"}, r"training.csv row 2: Image has 3 numbers, not 9216"),
        ({"Image": " ".join(["256"] * 9216)}, r"row 2: Image has a number that is not between 0 and 255"),
        ({"nose_tip_y": ""}, r"row 2: nose_tip has one of x and y"),
        ({"nose_tip_y": "97"}, r"row 2: nose_tip \(20, 97\) lies outside the 96 x 96 pixels"),
        ({"nose_tip_y": "low"}, r"row 2: '20 low' are not numbers"),
    ],
)
def test_a_row_of_kaggles_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    source = training_csv(tmp_path / "training.csv", [whole() | change])
    with pytest.raises(InputError, match=message):
        import_labels("kaggle-keypoints", source, tmp_path / "data")


def test_a_folder_has_one_set_of_points(tmp_path: Path) -> None:
    photo(tmp_path / "set")
    (tmp_path / "set/points.csv").write_text(HEADER + row("a_1.jpg", grid().ravel().tolist()))
    import_labels("points68", tmp_path / "set", tmp_path / "data")
    with pytest.raises(InputError, match="sets of 15 and 68 points, and a data folder has one kind"):
        import_labels("kaggle-keypoints", training_csv(tmp_path / "training.csv", [whole()]), tmp_path / "data")


def test_a_table_of_points_that_cannot_be_is_refused(tmp_path: Path) -> None:
    names = points.columns(FIVE)
    cells = ["a", 1, 1, 9, 9, *range(10)]
    table = tmp_path / "points.csv"
    table.write_text(row(names[0], list(names[1:])) + row("a", cells[1:]))
    assert points.read(tmp_path)["a"][0].points.shape == (5, 2)
    table.write_text(row(names[0], list(names[1:])) + row("a", [*cells[1:-1], ""]))
    with pytest.raises(InputError, match=r"points.csv row 2: right_mouth has one of x and y"):
        points.read(tmp_path)
    table.write_text("image_id,x1,y1,x2,y2,nose_x,nose_y\na,1,1,9,9,3,3\n")
    with pytest.raises(InputError, match="the columns of no whole set of points are there"):
        points.read(tmp_path)


def test_the_sets_of_points_mirror_and_turn_into_smaller_ones() -> None:
    for count, layout in LAYOUTS.items():
        assert len(layout.names) == len(set(layout.names)) == count
        mirrored = np.array(layout.mirrored)
        assert (mirrored[mirrored] == np.arange(count)).all()
        left, right = layout.corners
        assert mirrored[left] == right
    sixty_eight = np.stack([np.arange(68), 100 - np.arange(68)], axis=1).astype(np.float32)
    five = converted(sixty_eight, 5)
    assert five.tolist() == [[38.5, 61.5], [44.5, 55.5], [30, 70], [48, 52], [54, 46]]
    assert converted(converted(sixty_eight, 15), 5).tolist() == five.tolist()
    assert SIXTY_EIGHT.names[8] == "jaw_9" and SIXTY_EIGHT.names[36] == "left_eye_1"
    with pytest.raises(ValueError, match="a set of 68 points cannot be computed from one of 5"):
        converted(five, 68)
