"""`evaluate.py --protocol lfw` on real portraits, and what it reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from demo import portraits
from visavis import images
from visavis.boxes import as_boxes
from visavis.commands import evaluate
from visavis.commands.network import Network
from visavis.errors import InputError
from visavis.evaluation import lfw

FACES = {"Barack_Obama_0001": ("obama.jpg", 493, 260), "Barack_Obama_0002": ("obama2.jpg", 317, 438),
         "Barack_Obama_0003": ("obama3.jpg", 790, 437), "Joe_Biden_0001": ("biden.jpg", 570, 384)}  # fmt: skip
"""The file of each portrait and the middle of its face, pixels."""
OBAMA, BIDEN, NOBODY = "Barack_Obama_000{}.jpg", "Joe_Biden_0001.jpg", "Nobody_0001.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four portraits with the face in the middle, and a photo without a face."""
    given = portraits.fetch()
    (tmp_path / "lfw/images").mkdir(parents=True)
    for name, (file, x, y) in FACES.items():
        picture = images.decode(given[file])
        half = min(x, y, picture.shape[1] - x, picture.shape[0] - y)
        square = images.fit(picture[y - half : y + half, x - half : x + half], 250)[0]
        (tmp_path / "lfw/images" / f"{name}.jpg").write_bytes(images.encode(square))
    (tmp_path / "lfw/images" / NOBODY).write_bytes(images.encode(np.full((250, 250, 3), 90, np.uint8)))
    return tmp_path / "lfw"


def write(folder: Path, *pairs: tuple[str, str, int, int]) -> None:
    rows = ["one,other,same,fold", *(",".join(map(str, pair)) for pair in pairs)]
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")


def test_people_are_recognised_behind_a_detector_and_a_face_not_found_is_an_error(folder: Path, tmp_path: Path, capsys):
    write(
        folder,
        (OBAMA.format(1), OBAMA.format(2), 1, 0),
        (OBAMA.format(1), BIDEN, 0, 0),
        (OBAMA.format(2), OBAMA.format(3), 1, 1),
        (OBAMA.format(3), BIDEN, 0, 1),
        (OBAMA.format(3), NOBODY, 0, 1),
    )
    options = evaluate.Options(data=folder, protocol="lfw", out=tmp_path / "out", network=Network("cpu"))
    assert evaluate.evaluate(options) == 0
    printed = capsys.readouterr()
    assert "1 pair counts as an error, since a face is not found in 1 photo " in printed.err
    record = json.loads((tmp_path / "out/evaluation.json").read_text())
    (found,) = record["contenders"]
    assert found["accuracies"] == [1.0, pytest.approx(2 / 3)] and found["accuracy"] == pytest.approx(5 / 6)
    assert found["unfound"] == 1 and found["unfound_photos"] == [NOBODY]
    assert 0.4 < found["threshold"] < 0.8
    assert found["false_matches"] == {"4": 0.0}
    assert found["bcubed_f1"] is None and found["grouped_faces"] == 0  # nobody has four photos
    shares = [(point["false"], point["right"]) for point in found["roc"]]
    assert shares[0] == (pytest.approx(1 / 3, abs=1e-6), 1.0) and shares[-1] == (1.0, 1.0)
    assert (tmp_path / "out/roc.png").stat().st_size > 5000
    assert (
        "shipped: of a thousand faces, how many have a stranger's within the threshold: 0.0 in 4 faces" in printed.out
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ("one,same\n", "no column other"),
        ("one,other,same\n", "has no pair"),
        ("one,other,same\nJoe_Biden_0001.jpg,Joe_Biden_0001.jpg,yes\n", "row 2: same is 'yes'"),
        ("one,other,same\nJoe_Biden_0001.jpg,,1\n", "row 2: there is no photo"),
        ("one,other,same,fold\nJoe_Biden_0001.jpg,Nobody_0001.jpg,0,a\n", "a whole number in each row"),
        ("one,other,same\nJoe_Biden_0001.jpg,Nobody_0001.jpg,0\n", "no pair of one person"),
    ],
)
def test_pairs_that_cannot_be_used_are_refused_with_the_row(folder: Path, text: str, message: str):
    (folder / "pairs.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        lfw.read_pairs(folder)


def test_the_person_is_the_face_in_the_middle():
    boxes = as_boxes([[0, 0, 40, 40], [60, 60, 150, 150], [90, 80, 130, 130]])
    assert lfw.in_the_middle(boxes, (200, 200)) == 1  # its middle is 105, 105; that of the third 110, 105
    assert lfw.in_the_middle(boxes[[2, 0]], (200, 200)) == 0
    assert lfw.in_the_middle(boxes[:1], (200, 200)) is None
    assert lfw.in_the_middle(as_boxes([]), (200, 200)) is None


def test_names_say_who_it_is():
    assert lfw.person("George_W_Bush_0012.jpg") == "George_W_Bush"
    assert lfw.person("Ann/Ann_0001.jpg") == "Ann" and lfw.person("Ann.jpg") == "Ann"
    some = lfw.people(["A_1.jpg", "B_1.jpg", "A_2.jpg"], 2)
    assert some == {"A": ["A_1.jpg", "A_2.jpg"]}


def test_options_of_other_protocols_are_refused(folder: Path, tmp_path: Path):
    options = {"data": folder, "out": tmp_path / "out"}
    with pytest.raises(InputError, match="takes no --batch-size"):
        evaluate.evaluate(evaluate.Options(protocol="lfw", batch_size=2, **options))
    with pytest.raises(InputError, match="is for --protocol lfw"):
        evaluate.evaluate(evaluate.Options(detector=("face_recognition",), **options))
    with pytest.raises(InputError, match=r"pairs\.csv is not there"):
        evaluate.evaluate(evaluate.Options(protocol="lfw", **options))
