"""Points and filters of predict.py, end to end, with dlib's points: tables, JSON, COCO, drawn and filtered copies."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from clips import FACE, clip

from visavis import images
from visavis.commands import predict
from visavis.commands.network import Network
from visavis.errors import InputError
from visavis.keypoints import SIXTY_EIGHT
from visavis.video.recording import Frame, Video


def run(photos: Path, out: Path, **options: object) -> int:
    given = {"network": Network("cpu"), "workers": 1, "analyse": "dlib_points"} | options
    return predict.predict(predict.Options((str(photos),), out, **given))  # type: ignore[bad-argument-type]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("holiday")
    (folder / "a.png").write_bytes(images.encode(FACE, "PNG"))
    out = folder / "out"
    assert run(folder / "a.png", out, format="csv,json,coco", filter="nose,hat") == 0
    return out


def test_points_are_in_all_that_is_written(results: Path) -> None:
    with (results / "faces.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    table = [[float(row[f"{name}_{axis}"]) for axis in "xy"] for name in SIXTY_EIGHT.names]
    (record,) = json.loads((results / "faces.json").read_text())
    (face,) = record["faces"]
    assert face["keypoints"] == table
    (left, right), chin = np.mean([table[36:42], table[42:48]], axis=1), table[8]
    assert face["x1"] < left[0] < right[0] < face["x2"] and left[1] < chin[1]
    coco = json.loads((results / "coco.json").read_text())
    (annotation,) = coco["annotations"]
    assert annotation["num_keypoints"] == 68
    (category,) = coco["categories"]
    assert category["keypoints"] == list(SIXTY_EIGHT.names)
    assert category["skeleton"][0] == [1, 2] and [42, 37] in category["skeleton"]  # an eye is closed
    assert annotation["keypoints"] == [value for x, y in table for value in (x, y, 2)]


def test_points_are_drawn_and_filters_in_a_copy_of_their_own(results: Path) -> None:
    with (results / "faces.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    x, y = round(float(row["nose_bridge_4_x"])), round(float(row["nose_bridge_4_y"]))
    drawn, filtered = (images.read(results / name / "a.png.jpg") for name in ("drawn", "filtered"))
    assert drawn.shape == filtered.shape == FACE.shape
    red, green, blue = filtered[y, x].astype(int)
    assert red > 150 and green < 110 and blue < 110
    assert np.abs(drawn[y - 3 : y + 4, x - 3 : x + 4].astype(int) - FACE[y - 3 : y + 4, x - 3 : x + 4]).max() > 60
    assert np.abs(filtered[-20:].astype(int) - FACE[-20:]).mean() < 4  # the rest of the photo is what it was


def test_a_video_has_filters_in_every_frame_and_its_points_are_steadied(tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4")
    assert run(tmp_path / "a.mp4", tmp_path / "out", every=4, filter="glasses", draw=False) == 0
    with Video(tmp_path / "out/filtered/a.mp4") as video:
        shown = [part.picture for part in video.parts() if isinstance(part, Frame)]
    with Video(tmp_path / "a.mp4") as video:
        before = [part.picture for part in video.parts() if isinstance(part, Frame)]
    assert len(shown) == len(before) > 8
    changed = [np.abs(one.astype(int) - other).mean() for one, other in zip(shown, before, strict=True)]
    assert min(changed) > 0.3  # glasses in each frame, those between two looks of the detector, too


def test_filters_that_are_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.encode(FACE, "PNG"))
    with pytest.raises(InputError, match="--filter beard: choose from glasses, moustache, hat, ears, nose"):
        run(tmp_path / "a.png", tmp_path / "out", filter="beard")
    with pytest.raises(InputError, match="--filter, --crops"):
        run(tmp_path / "a.png", None, filter="hat", stdout="jsonl")  # type: ignore[bad-argument-type]
    assert not (tmp_path / "out").exists()
