"""Sliding windows: where they lie, what they show, what could be found with them, and how those on a face are fused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data
from training import make_folder

from benchmarks.fusions import by_mean, by_nms
from dataset.photos import Photos
from dataset.windows.photos import WindowDataset, class_weights
from dataset.windows.search import Reach, compared, finding, table
from visavis.boxes import as_boxes, iou
from visavis.detectors.sliding_window.design import Design
from visavis.detectors.sliding_window.detector import SlidingWindow, by_evidence
from visavis.detectors.sliding_window.windows import SIDE, Layer, layers, sizes_of, step_of, strides_of
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import read, resize

ROOT = Path(__file__).resolve().parents[1]


def test_windows_lead_from_edge_to_edge_in_whole_steps() -> None:
    (layer,) = layers((300, 240), [(100, 80)], step_of(30))
    assert layer.step == 10 and layer.scaled == (92, 92) and layer.shape == (7, 7)
    boxes = layer.boxes()
    assert boxes.shape == (49, 4)
    np.testing.assert_allclose(boxes[0], [0, 0, 83.478, 104.348], atol=1e-3)
    np.testing.assert_allclose(boxes[1], [26.087, 0, 109.565, 104.348], atol=1e-3)
    np.testing.assert_allclose(boxes[-1], [156.522, 195.652, 240, 300], atol=1e-3)


def test_a_window_that_does_not_fit_is_left_out_and_one_that_nearly_does_is_not() -> None:
    assert layers((90, 200), [(107, 80)], 8) == []
    (layer,) = layers((100, 200), [(107, 80)], 8)
    assert layer.shape == (1, 7) and layer.edges()[0].tolist() == [[0, 100]]


def test_views_are_the_scaled_pictures_own_pixels() -> None:
    astronaut = data.astronaut()
    layer = Layer((512, 512), (48, 64), 8)
    views = layer.views(astronaut)
    scaled = resize(astronaut, (48, 64))
    assert views.shape == (3, 5, SIDE, SIDE, 3)
    np.testing.assert_array_equal(views[2, 4], scaled[16:48, 32:64])
    assert not views.flags.owndata


@pytest.mark.parametrize("text", ["100", "100x", "0x80", "100x85;200x170", ""])
def test_bad_sizes_are_named(text: str) -> None:
    with pytest.raises(InputError, match="HEIGHTxWIDTH"):
        sizes_of(text)


@pytest.mark.parametrize("text", ["", "0", "101", "30;40", "nan"])
def test_bad_strides_are_named(text: str) -> None:
    with pytest.raises(InputError, match="percentage from 1 to 100"):
        strides_of(text)


def test_windows_that_can_find_a_face_are_counted_as_by_iou() -> None:
    layer = layers((300, 240), [(100, 80)], 10)[0]
    faces = as_boxes([[80, 90, 170, 190], [10, 10, 60, 60], [200, 260, 260, 330]])
    expected = (iou(layer.boxes(), faces) >= 0.5).sum(axis=0)
    assert finding(layer, faces).tolist() == expected.tolist() == [3, 0, 0]


def test_the_best_sizes_are_sought_beyond_the_first_choice() -> None:
    """The size that reaches the most faces alone is in no best pair."""
    hits = np.array([[0, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]])
    reached = Reach(hits, np.array([10, 20, 40, 30]))
    assert reached.best(1) == [0]
    assert reached.best(2) == [1, 3]
    assert reached.of([1, 3]).recall == 1 and reached.of([1, 3]).windows == 50


def test_search_of_a_folder(tmp_path: Path) -> None:
    photos = Photos.load(make_folder(tmp_path / "data", people=4, side=192), "all")
    given, sought = compared(photos, [sizes_of("60x40,108x84")], [30], find=1)
    assert given.figures.recall == 1 and given.figures.windows == 4 * (8 * 13 + 3 * 5)
    assert sought.figures.recall == 1 and sought.figures.windows < given.figures.windows
    assert [line.split()[2] for line in table([given, sought])][1:] == ["1.000", "1.000"]


def test_sizes_are_sought_among_those_of_the_faces_whether_or_not_a_table_says_how_large_photos_are(
    tmp_path: Path,
) -> None:
    photos = Photos.load(make_folder(tmp_path / "data", people=2, side=192), "all")
    assert photos[0].size == (0, 0) and photos[0].known_size() == (192, 192)
    given, sought = compared(photos, [sizes_of("20x20")], [30], find=1)
    assert (given.figures.recall, sought.figures.recall) == (0, 1)


def test_search_from_the_command_line(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", people=4, side=192)
    command = [sys.executable, "-m", "dataset", "windows", "search", "--data", str(folder), "--sizes", "108x84"]
    command += ["--strides", "30,50", "--find", "0", "--picture", str(tmp_path / "chart.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["stride", "30", "50"]
    chart = read(tmp_path / "chart.png").astype(int)
    for panel in np.array_split(chart, 3, axis=1):  # the line is in sight in each, whatever its figures
        assert (np.abs(panel - (31, 119, 180)).max(axis=-1) < 30).sum() > 500


def test_weights_of_classes() -> None:
    """(1 - alpha) (n1 + n0) / n0 and alpha (n0 + n1) / n1."""
    np.testing.assert_allclose(class_weights(48, 16, 0.35), [0.65 * 64 / 48, 0.35 * 64 / 16], rtol=1e-6)


def test_training_shows_windows_of_use_with_faces_from_an_iou_of_four_tenths(tmp_path: Path) -> None:
    photos = Photos.load(make_folder(tmp_path / "data", people=2, side=192), "all")
    design = Design("108x84,60x40", 25)
    images, target = WindowDataset(photos, design)[0]
    labels = target["labels"].numpy()
    assert images.shape == (len(labels), 3, SIDE, SIDE) and set(labels) == {0, 1}
    picture = read(photos[0].path)
    windows = {}
    for layer in design.layers((192, 192)):
        overlap = iou(layer.boxes(), photos[0].boxes)[:, 0]
        cut = layer.views(picture).reshape(-1, SIDE, SIDE, 3)
        windows |= {one.tobytes(): bool(face) for one, face in zip(cut, overlap >= 0.4, strict=True)}
    shown = [image.permute(1, 2, 0).contiguous().numpy().tobytes() for image in images]
    assert [windows[one] for one in shown] == (labels > 0).tolist()


def test_windows_on_a_face_are_fused() -> None:
    windows = Faces(
        as_boxes([[0, 0, 10, 10], [2, 0, 12, 10], [100, 0, 110, 10]]), np.array([0.6, 0.9, 0.7], np.float32)
    )
    mean = by_mean(windows)
    np.testing.assert_allclose(mean.boxes, [[1.2, 0, 11.2, 10], [100, 0, 110, 10]], atol=1e-5)
    sizes = Faces(as_boxes([[0, 0, 10, 10], [0, 0, 10, 20], [0, 0, 10, 40]]), np.array([0.5, 0.6, 0.9], np.float32))
    np.testing.assert_allclose(by_mean(sizes, smallest_first=True).boxes[:, 3], [15.4545, 40], rtol=1e-4)
    np.testing.assert_allclose(by_mean(sizes).boxes[:, 3], [32, 10], rtol=1e-4)
    assert by_nms(windows).boxes.tolist() == [[2, 0, 12, 10], [100, 0, 110, 10]]
    together = by_evidence(windows)
    weights = np.log(np.array([0.6 / 0.4, 0.9 / 0.1]))
    left = 2 * weights[1] / weights.sum()
    np.testing.assert_allclose(together.boxes, [[left, 0, left + 10, 10], [100, 0, 110, 10]], rtol=1e-6)
    odds = np.log(np.array([0.6 / 0.4 * 0.9 / 0.1, 0.7 / 0.3]))  # of two windows that agree, and of one alone
    np.testing.assert_allclose(together.scores, odds / (1 + odds), rtol=1e-6)
    certain = by_evidence(Faces(windows.boxes[:1], np.array([1.0], np.float32)))
    np.testing.assert_allclose(certain.scores, [13.8155 / 14.8155], rtol=1e-4)
    assert len(by_evidence(Faces())) == len(by_mean(Faces())) == len(by_nms(Faces())) == 0


def bright(pictures: np.ndarray) -> np.ndarray:
    """A judge for which white windows are faces."""
    return pictures.mean(axis=(1, 2, 3), dtype=np.float32)[:, None, None] / 255


def test_a_face_is_found_where_windows_say_so() -> None:
    picture = np.zeros((400, 600, 3), np.uint8)
    picture[100:200, 320:400] = 255
    detector = SlidingWindow(bright, Design("100x80", 25, longest=300), 0.5)
    (found,) = detector.detect([picture])
    assert len(found) == 0, "in the reduced picture the window is larger than the spot"
    detector = SlidingWindow(bright, Design("50x40", 25, longest=300), 0.5)
    found, none = detector.detect([picture, picture[:40, :40]])
    assert len(found) == 1 and len(none) == 0
    assert iou(found.boxes, as_boxes([[320, 100, 400, 200]]))[0, 0] > 0.85
    assert detector.detect([]) == []
