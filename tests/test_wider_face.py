"""The rules of WIDER FACE on cases worked out by hand, and from the files that it is published as."""

import json
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy.io import savemat

from visavis import Faces
from visavis.boxes import as_boxes
from visavis.commands import evaluate
from visavis.commands.network import Network
from visavis.errors import InputError
from visavis.evaluation.protocols import PROTOCOLS, wider

A, B, C = [10, 10, 49, 49], [100, 10, 139, 49], [200, 10, 239, 49]
NOWHERE = [300, 300, 339, 339]
FACE = [175, 70, 280, 205]  # of skimage's astronaut


def shifted(box: list[float], across: float) -> list[float]:
    return [box[0] + across, box[1], box[2] + across, box[3]]


def test_wider_a_face_that_does_not_count_makes_a_find_neither():
    truth, counted = as_boxes([A, B]), np.array([True, False])
    hits, takes_part = wider.judge(truth, counted, as_boxes([A, shifted(A, 2), B, shifted(B, 2), NOWHERE]))
    assert hits.tolist() == [True, False, False, False, False]
    assert takes_part.tolist() == [True, True, False, False, True]  # a second find of a face is a false one


def test_wider_a_find_belongs_to_the_face_that_it_overlaps_most_though_that_is_taken():
    near = shifted(A, 12)
    truth = as_boxes([A, near])
    found = as_boxes(
        [shifted(A, 1), shifted(A, 2)]
    )  # the second has IoU 0.6 with the free face, and 0.9 with the taken
    assert wider.judge(truth, np.array([True, True]), found)[0].tolist() == [True, False]


def test_wider_boxes_hold_both_their_edges():
    truth, counted = as_boxes([[0, 0, 10, 10]]), np.array([True])
    # 11 x 5.6 of 11 x 11 pixels is 0.509; as areas it would be 0.46
    assert wider.judge(truth, counted, as_boxes([[0, 0, 10, 4.6]]))[0].tolist() == [True]
    assert wider.judge(truth, counted, as_boxes([[0, 0, 10, 4.4]]))[0].tolist() == [False]  # 0.4909


def precisions(photos: list[tuple[list, list, list, list]]) -> tuple[np.ndarray, np.ndarray]:
    """Of photos given as faces, which count, finds, scores."""
    truth = [as_boxes(one[0]) for one in photos]
    counted = [np.array(one[1], bool) for one in photos]
    found = [Faces(as_boxes(one[2]), np.array(one[3], np.float32)) for one in photos]
    return wider.curve(truth, counted, [faces.boxes for faces in found], wider.normalised(found))


def test_wider_curve_and_ap_by_hand():
    photos = [
        ([A, B], [1, 1], [A, NOWHERE, B], [1.0, 0.75, 0.5]),
        ([A, B], [1, 0], [B, shifted(A, 1)], [0.95, 0.0]),
    ]
    # In the order of scores: right, neither, false, right, right; three faces count.
    precision, recall = precisions(photos)
    assert len(precision) == 1000
    at = {threshold: round((1 - threshold) * 1000) - 1 for threshold in (0.999, 0.751, 0.75, 0.5, 0.001, 0.0)}
    assert [precision[at[one]] for one in at] == pytest.approx([1, 1, 1 / 2, 2 / 3, 2 / 3, 3 / 4])
    assert [recall[at[one]] for one in at] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1])
    # From 0 to 1/3 the best precision is 1; to 2/3 and to 1 it is the 3/4 at the end.
    assert wider.average_precision(precision, recall) == pytest.approx(1 / 3 + 2 / 3 * 3 / 4)


def test_wider_scores_are_spread_over_all_photos():
    found = [Faces([A, B], [-3.0, 5.0]), Faces(), Faces([C], [1.0])]
    assert [one.tolist() for one in wider.normalised(found)] == [[0, 1], [], [0.5]]
    assert [one.tolist() for one in wider.normalised([Faces([A], [0.4])])] == [[0]]
    assert wider.normalised([]) == []


def test_wider_where_there_is_nothing():
    precision, recall = precisions([([A], [1], [], [])])
    assert wider.average_precision(precision, recall) == 0
    precision, recall = precisions([([A], [0], [A], [0.5])])
    assert isnan(wider.average_precision(precision, recall))
    # Without an annotated face a photo takes no part, whatever is found in it.
    alone, _ = precisions([([A], [1], [A, B], [0.9, 0.1])])
    together, _ = precisions([([A], [1], [A, B], [0.9, 0.1]), ([], [], [A, B], [0.9, 0.1])])
    assert alone.tolist() == together.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_wider_is_what_its_rules_say_word_by_word(seed: int):
    """Against the rules written down as slowly as they can be: each threshold, each photo, each find."""
    random = np.random.default_rng(seed)
    photos = []
    for _ in range(12):
        corners = random.integers(0, 200, (random.integers(0, 6), 2))
        faces = np.hstack([corners, corners + random.integers(8, 80, corners.shape)])
        near = np.repeat(faces, 2, axis=0) + random.integers(-6, 7, (2 * len(faces), 4))
        far = random.integers(0, 200, (3, 2))
        finds = np.vstack([near, np.hstack([far, far + 40])])
        photos.append((faces, random.random(len(faces)) < 0.6, finds, random.permutation(len(finds)) / len(finds)))
    precision, recall = precisions(photos)
    every = np.concatenate([photo[3].astype(np.float32) for photo in photos]).astype(float)
    for step in (1, 100, 400, 777, 1000):
        threshold = 1 - step / 1000
        right = proposals = 0
        for faces, counted, finds, scores in photos:
            spread = (scores.astype(np.float32).astype(float) - every.min()) / (every.max() - every.min())
            seen = set()
            for find in np.argsort(-spread):
                if spread[find] < threshold or not len(faces):
                    continue
                shares = [slow_iou(finds[find], face) for face in faces]
                face = int(np.argmax(shares))
                if shares[face] >= 0.5 and not counted[face]:
                    continue
                proposals += 1
                if shares[face] >= 0.5 and face not in seen:
                    seen.add(face)
                    right += 1
        assert recall[step - 1] == pytest.approx(right / sum(photo[1].sum() for photo in photos))
        assert precision[step - 1] == pytest.approx(right / proposals if proposals else 0)


def slow_iou(first: np.ndarray, second: np.ndarray) -> float:
    across = min(first[2], second[2]) - max(first[0], second[0]) + 1
    down = min(first[3], second[3]) - max(first[1], second[1]) + 1
    shared = max(across, 0) * max(down, 0)
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (first, second)]
    return shared / (sum(areas) - shared)


def cells(values: list) -> np.ndarray:
    """A column of MATLAB cells."""
    column = np.empty((len(values), 1), object)
    for number, value in enumerate(values):
        column[number, 0] = value
    return column


@pytest.fixture
def wider_folder(tmp_path: Path) -> Path:
    """Two photos of the astronaut, in two events, as WIDER FACE and its evaluation are unpacked."""
    names = {"0--Parade": ["0_Parade_1"], "1--Handshaking": ["1_Handshaking_2"]}
    for event, files in names.items():
        (tmp_path / "WIDER_val/images" / event).mkdir(parents=True)
        for file in files:
            Image.fromarray(skimage.data.astronaut()).save(tmp_path / f"WIDER_val/images/{event}/{file}.jpg")
    x1, y1, x2, y2 = FACE
    rectangles = np.array([[x1, y1, x2 - x1, y2 - y1], [400, 400, 20, 20]], np.float64)
    truth = tmp_path / "ground_truth"
    truth.mkdir()
    known = {
        "event_list": cells(list(names)),
        "file_list": cells([cells(files) for files in names.values()]),
        "face_bbx_list": cells([cells([rectangles]) for _ in names]),
    }
    savemat(truth / "wider_face_val.mat", known)
    counted = {"easy": [[1], []], "medium": [[1], [1]], "hard": [[1, 2], [1]]}
    for setting, listed in counted.items():
        cell = cells([cells([np.array(numbers, np.uint16).reshape(-1, 1)]) for numbers in listed])
        savemat(truth / f"wider_{setting}_val.mat", {"gt_list": cell})
    return tmp_path


def test_wider_from_its_files(wider_folder: Path):
    first, second = wider.read(wider_folder)
    assert (first.name, second.path.name) == ("0--Parade/0_Parade_1", "1_Handshaking_2.jpg")
    assert first.boxes.tolist() == [FACE, [400, 400, 420, 420]]
    assert {name: one.tolist() for name, one in first.counted.items()} == {
        "easy": [True, False],
        "medium": [True, False],
        "hard": [True, True],
    }
    assert second.counted["easy"].tolist() == [False, False]
    found = [Faces([FACE], [0.9]), Faces([FACE, NOWHERE], [0.8, 0.95])]
    values = wider.figures([first, second], [(512, 512)] * 2, found)
    assert [values[f"faces_{setting}"] for setting in wider.SETTINGS] == [1, 2, 3]
    # easy: false (0.95), right (0.9), neither (0.8); medium: false, right, right; hard: one of three is never found
    assert [values[setting] for setting in wider.SETTINGS] == pytest.approx([1 / 2, 2 / 3, 2 / 3 * 2 / 3])


def test_wider_evaluated_by_the_command(wider_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (wider_folder / "WIDER_val/images/1--Handshaking/1_Handshaking_2.jpg").write_text("no photo")
    options = evaluate.Options(
        ("dlib_hog",), wider_folder, protocol="wider", out=tmp_path / "out", network=Network("cpu")
    )
    assert evaluate.evaluate(options) == 3
    record = json.loads((tmp_path / "out/evaluation.json").read_text())
    result = record["detectors"][0]
    assert (result["faces_easy"], result["faces_hard"]) == (1, 2)
    assert 0 < result["hard"] <= 0.5 < result["easy"] <= 1  # it draws the face otherwise, but not so far off
    assert len(result["curve_easy"]["recall"]) == 1000
    assert "AP, medium" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json",
        "mistakes.html",
        "mistakes.jpg",
        "wider.png",
    }


def test_wider_files_that_are_not_there_or_not_as_published(wider_folder: Path):
    truth = wider_folder / "ground_truth"
    savemat(truth / "wider_easy_val.mat", {"gt_list": cells([cells([np.array([[7]])]), cells([np.array([[1]])])])})
    with pytest.raises(InputError, match="0--Parade/0_Parade_1: its ground truth counts face 7 of 2"):
        wider.read(wider_folder)
    savemat(truth / "wider_easy_val.mat", {"other": np.zeros(3)})
    with pytest.raises(InputError, match="as published"):
        wider.read(wider_folder)
    (truth / "wider_easy_val.mat").write_text("no matrix, but words of some length " * 9)
    with pytest.raises(InputError, match=r"wider_easy_val.mat is not a MATLAB file"):
        wider.read(wider_folder)
    (truth / "wider_easy_val.mat").unlink()
    with pytest.raises(InputError, match=r"wider_easy_val.mat is not there"):
        wider.read(wider_folder)


def test_every_protocol_has_its_place_in_the_options():
    choices = evaluate.Options.__annotations__["protocol"].__args__
    assert choices == ("labels", *PROTOCOLS, "lfw")
