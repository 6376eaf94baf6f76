"""The weights that come with visavis find 68 points: held against dlib's, on a photo that neither was trained on."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

import visavis
from visavis.analysers.dlib_points import DlibPoints
from visavis.analysers.points.analyser import SHIPPED, FacePoints, roll
from visavis.faces import Faces
from visavis.keypoints import PARTS, SIXTY_EIGHT
from visavis.training.points import by_corners

LARGEST = 6_000_000
"""Bytes of the weights."""


@pytest.fixture(scope="module")
def astronaut() -> tuple[np.ndarray, Faces, np.ndarray]:
    """The photo, the face that our detector finds in it, and dlib's points."""
    picture = np.asarray(data.astronaut())
    (faces,) = visavis.load_detector().detect([picture])
    return picture, faces[:1], DlibPoints().locate(picture, faces.boxes[:1])


def test_the_points_are_where_dlib_has_them(astronaut: tuple[np.ndarray, Faces, np.ndarray]) -> None:
    picture, faces, truth = astronaut
    found = visavis.load_analyser("points").analyse(picture, faces)
    assert found.keypoints is not None and found.keypoints.shape == (1, 68, 2)
    assert by_corners(found.keypoints, truth)[0] < 0.06
    assert 0.3 < found.attributes["points_error"][0] < 4


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_on_its_side_and_upside_down(astronaut: tuple[np.ndarray, Faces, np.ndarray], quarters: int) -> None:
    """The photo turned counter-clockwise, behind the detector, which finds such faces."""
    picture, _, truth = astronaut
    turned = np.ascontiguousarray(np.rot90(picture, quarters))
    moved = truth
    for _ in range(quarters):
        moved = np.stack([moved[..., 1], 512 - moved[..., 0]], axis=-1)
    (faces,) = visavis.load_detector().detect([turned])
    found = visavis.load_analyser("points").analyse(turned, faces[:1])
    assert np.degrees(roll(np.asarray(found.keypoints)))[0] == pytest.approx(np.degrees(roll(moved))[0], abs=8)
    assert by_corners(np.asarray(found.keypoints), moved)[0] < 0.08


def test_a_small_face(astronaut: tuple[np.ndarray, Faces, np.ndarray]) -> None:
    picture, faces, truth = astronaut
    small = np.asarray(Image.fromarray(picture).resize((128, 128), Image.Resampling.BOX))  # the face has 30 pixels
    found = visavis.load_analyser("points").analyse(small, Faces(faces.boxes / 4))
    assert by_corners(np.asarray(found.keypoints), truth / 4)[0] < 0.08


def test_what_is_covered_is_less_sure(astronaut: tuple[np.ndarray, Faces, np.ndarray]) -> None:
    picture, faces, _ = astronaut
    x1, y1, x2, y2 = faces.boxes[0].round().astype(int)
    hidden = picture.copy()
    hidden[(y1 + y2) // 2 + 8 : y2 + 6, x1:x2] = (150, 190, 215)
    seen, covered = (visavis.load_analyser("points").analyse(one, faces).errors for one in (picture, hidden))
    assert seen is not None and covered is not None
    mouth = PARTS["mouth_outer"]
    assert covered[0, mouth].mean() > 1.5 * seen[0, mouth].mean()


def test_the_weights_are_small_and_complete() -> None:
    assert SHIPPED.stat().st_size < LARGEST and SHIPPED.with_suffix(".onnx").stat().st_size < LARGEST
    assert FacePoints().keypoints == SIXTY_EIGHT.names
