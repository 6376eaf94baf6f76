"""Things drawn on faces by their points, parts of faces as masks, and faces cut out with level eyes. Real photos."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage import data

import visavis
from visavis.analysers.alignment import TEMPLATE, aligned, level_frame
from visavis.analysers.crops import GREY, cut
from visavis.analysers.dlib_points import DlibPoints
from visavis.effects import face_parts
from visavis.effects.filters import FILTERS, Filters
from visavis.effects.sketch import Place, Sketch, curve, oval
from visavis.faces import Faces
from visavis.keypoints import converted

BOX = np.array([[179, 61, 269, 179]], np.float32)
"""Of the astronaut's face."""


@pytest.fixture(scope="module")
def astronaut() -> tuple[np.ndarray, Faces]:
    """The photo, and its face with the 68 points that dlib finds."""
    picture = np.asarray(data.astronaut())
    return picture, DlibPoints().analyse(picture, Faces(BOX))


def changed(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float, float]:
    """The box of what is not the same any more."""
    rows, columns = np.nonzero((before != after).any(axis=2))
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("glasses", (179, 88, 274, 124)),
        ("moustache", (193, 125, 257, 144)),
        ("hat", (150, 2, 307, 72)),
        ("ears", (168, 21, 289, 77)),
        ("nose", (213, 116, 238, 140)),
    ],
)
def test_each_filter_is_drawn_where_it_belongs(
    astronaut: tuple[np.ndarray, Faces], name: str, place: tuple[float, ...]
) -> None:
    picture, faces = astronaut
    drawn = Filters((name,))(picture, faces)
    assert drawn.shape == picture.shape and drawn.dtype == np.uint8
    assert changed(picture, drawn) == pytest.approx(place, abs=4)


def test_a_hat_stays_on_a_head_whose_face_turns_aside(astronaut: tuple[np.ndarray, Faces]) -> None:
    picture, faces = astronaut
    turned = np.array(faces.keypoints)
    turned[:, 17:, 0] += 15  # all but the jaw
    (left, _, right, _), (left2, _, right2, _) = (
        changed(picture, Filters(("hat",))(picture, Faces(BOX, keypoints=points)))
        for points in (faces.keypoints, turned)
    )
    assert -10 < (left2 + right2) / 2 - (left + right) / 2 < 0


def test_a_filter_turns_and_grows_with_the_head(astronaut: tuple[np.ndarray, Faces]) -> None:
    """The photo turned by a quarter, and three times as large: what is drawn is the same, turned and enlarged."""
    picture, faces = astronaut
    points = np.asarray(faces.keypoints)
    drawn = Filters(("glasses", "moustache"))(picture, faces)
    turned = np.ascontiguousarray(np.rot90(picture))  # counter-clockwise: (x, y) comes to (y, width - x)
    moved = np.stack([points[..., 1], 512 - points[..., 0]], axis=-1)
    again = Filters(("glasses", "moustache"))(turned, Faces(BOX, keypoints=moved))
    assert np.abs(np.rot90(drawn).astype(int) - again).mean() < 0.1
    large = np.asarray(Image.fromarray(picture).resize((1536, 1536)))
    enlarged = Filters(("glasses",))(large, Faces(BOX * 3, keypoints=points * 3))
    small = changed(picture, Filters(("glasses",))(picture, faces))
    assert changed(large, enlarged) == pytest.approx(tuple(3 * side for side in small), abs=4)


def test_what_is_on_a_face_behind_goes_behind_the_one_in_front(astronaut: tuple[np.ndarray, Faces]) -> None:
    picture, faces = astronaut
    points = np.asarray(faces.keypoints)
    middle = points[0, 27]
    behind = (points[0] - middle) * 0.5 + middle + [0, 40]  # smaller, and in the larger face's place
    both = Faces(np.concatenate([BOX, BOX]), keypoints=np.stack([points[0], behind]))
    one = Filters(("glasses",))(picture, faces)
    assert (Filters(("glasses",))(picture, both) == one).all()


def test_shapes_are_what_is_drawn_for_others_to_paint(astronaut: tuple[np.ndarray, Faces]) -> None:
    picture, faces = astronaut
    points = np.asarray(faces.keypoints)
    apart = Faces(np.concatenate([BOX, BOX]), keypoints=np.concatenate([points, points * 0.5 + 10]))
    behind, front = Filters(("nose", "glasses")).shapes(apart)
    assert [shape["erased"] for shape in behind if "erased" in shape] == [True]  # where the face in front is
    assert not any("erased" in shape for shape in front)
    paths = np.concatenate([np.array(shape["path"]).reshape(-1, 2) for shape in front])
    low, high = paths.min(axis=0), paths.max(axis=0)
    x1, y1, x2, y2 = changed(picture, Filters(("nose", "glasses"))(picture, faces))
    assert (*low, *high) == pytest.approx((x1, y1, x2, y2), abs=5)
    rim = next(shape for shape in front if "width" in shape)
    assert rim["colour"] == (24, 22, 26) and rim["alpha"] == 1 and rim["width"] > 1
    assert json.loads(json.dumps(front))[0]["path"] == front[0]["path"]
    assert Filters(("hat",)).shapes(faces[:0]) == []


def test_no_face_small_faces_and_unknown_points_change_nothing(astronaut: tuple[np.ndarray, Faces]) -> None:
    picture, faces = astronaut
    points = np.asarray(faces.keypoints)
    for some in (points[:0], points * 0.01, np.full_like(points, np.nan)):
        assert (Filters(("hat",))(picture, Faces(BOX[: len(some)], keypoints=some)) == picture).all()
    beyond = points + [900, 0]  # outside the picture
    assert (Filters(("hat",))(picture, Faces(BOX, keypoints=beyond)) == picture).all()


def test_points_at_a_thousand_million_pixels_take_no_time(astronaut: tuple[np.ndarray, Faces]) -> None:
    """A face there, one that is as large, and the ears of one there: what lies in the picture is drawn, and no more."""
    picture, faces = astronaut
    points = np.asarray(faces.keypoints)
    middle = points.mean(axis=1, keepdims=True)
    for far in (points + 1e9, points - 1e9, (points - middle) * 1e8 + middle):
        assert (np.asarray(visavis.decorate(picture, Faces(BOX, keypoints=far), *FILTERS)) == picture).all()
        (crop,) = visavis.align(picture, Faces(BOX, keypoints=far))
        assert (np.asarray(crop) == GREY).all()
    eared = points.copy()
    eared[0, [0, 16], 0] = -1e9, 1e9
    drawn = Filters(("glasses",))(picture, Faces(BOX, keypoints=eared))
    x1, _, x2, y2 = changed(picture, drawn)
    assert (x1, x2, y2) == pytest.approx((106, 347, 124), abs=4)  # their arms end where things on such a face may end
    around = (points - middle) * 1e8 + middle
    assert face_parts.mask((512, 512), Faces(BOX, keypoints=around), "face").min() == 1
    both = Faces(np.concatenate([BOX, BOX]), keypoints=np.concatenate([points, around]))
    assert (Filters(("nose",))(picture, both) == picture).all()  # it is in front of the nose


def test_a_crop_that_is_much_larger_than_the_picture_has_it_in_grey() -> None:
    picture = np.asarray(data.astronaut())
    large = Image.new("RGB", (1800, 1800), GREY)
    large.paste(Image.fromarray(picture), (1000, 300))
    expected = np.asarray(large.resize((112, 112), Image.Resampling.BILINEAR)).astype(int)
    crop = cut(picture, (-1000, -300, 800, 1500), 112)
    assert np.abs(crop - expected).mean() < 0.3 and np.abs(crop - expected).max() < 40
    assert (cut(picture, (-1e12, -1e12, 1e12, 1e12), 112) == GREY).all()
    assert (cut(picture, (1e9, 0, 1e9 + 90, 90), 112) == GREY).all()


def test_unknown_filters_and_other_points_are_refused(astronaut: tuple[np.ndarray, Faces]) -> None:
    picture, faces = astronaut
    with pytest.raises(ValueError, match="there is no filter 'beard'; there are glasses, moustache, hat, ears, nose"):
        Filters(("beard",))
    five = converted(np.asarray(faces.keypoints), 5)
    for other in (Faces(BOX), Faces(BOX, keypoints=five)):
        with pytest.raises(ValueError, match="filters need the 68 points"):
            Filters(tuple(FILTERS))(picture, other)


def test_a_picture_is_decorated_from_python(astronaut: tuple[np.ndarray, Faces]) -> None:
    picture, faces = astronaut
    shown = visavis.decorate(picture, faces, "nose")
    red = np.asarray(shown)[130, 227]
    assert shown.size == (512, 512) and red[0] > 150 and red[1] < 80 and red[2] < 80


def test_masks_of_parts_lie_on_these_parts(astronaut: tuple[np.ndarray, Faces]) -> None:
    _, faces = astronaut
    points = np.asarray(faces.keypoints)[0]
    eyes, mouth, face = (face_parts.mask((512, 512), faces, part) for part in face_parts.NAMES)
    for middle in (points[36:42].mean(axis=0), points[42:48].mean(axis=0)):
        x, y = middle.round().astype(int)
        assert eyes[y, x] == 1 and face[y, x] == 1 and mouth[y, x] == 0
    x, y = points[48:60].mean(axis=0).round().astype(int)
    assert mouth[y, x] == 1 and eyes[y, x] == 0 and face[y, x] == 1
    assert 0 < mouth.sum() < face.sum() / 8 and 5000 < face.sum() < 12000
    assert face[:40].sum() == 0 and face[250:].sum() == 0
    assert face_parts.mask((512, 512), Faces(keypoints=np.zeros((0, 68, 2), np.float32)), "face").sum() == 0
    with pytest.raises(ValueError, match="there is no part 'ear' of a face; there are eyes, mouth, face"):
        face_parts.mask((512, 512), faces, "ear")


@pytest.mark.parametrize("degrees", [0, 30, 90, 180])
def test_the_outline_of_an_eye_turns_with_the_head(degrees: int) -> None:
    # An eye of 20 x 8 pixels. Its outline is 27 pixels long and 15.2 high, along and across the eye.
    corners = np.array([[-10, 0], [-4, -4], [4, -4], [10, 0], [4, 4], [-4, 4]], np.float64)
    turn = np.deg2rad(degrees)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    points = np.zeros((68, 2))
    points[36:42] = corners @ np.stack([along, across]) + 50
    path = face_parts.outline(points, "left_eye") - 50
    assert np.ptp(path @ along) == pytest.approx(27.0, abs=0.1)
    assert 15.2 - 0.1 <= np.ptp(path @ across) <= 17.5  # the curve swings a little beyond the points


def test_a_sketch_covers_what_it_draws_and_nothing_else() -> None:
    white = np.full((40, 60, 3), 255, np.uint8)
    sketch = Sketch((40, 60), (-10, -10, 80, 80))
    sketch.fill(np.array([[10, 5], [30, 5], [30, 25], [10, 25]]), (200, 0, 0))
    drawn = sketch.onto(white)
    assert drawn[15, 20].tolist() == [200, 0, 0] and drawn[30, 20].tolist() == [255, 255, 255]
    sketch.erase(np.array([[15, 0], [25, 0], [25, 40], [15, 40]]))
    assert sketch.onto(white)[15, 20].tolist() == [255, 255, 255]
    assert (white == 255).all()
    place = Place((20.0, 10.0), (3.0, 4.0))
    assert place.unit == 5
    assert place.outside([[1, 0], [0, 1]]).tolist() == [[23, 14], [16, 13]]
    assert np.allclose(place.inside(place.outside([[0.3, -2.0]])), [[0.3, -2.0]])
    assert np.allclose(curve([[0, 0], [1, 0], [1, 1], [0, 1]])[::12], [[0, 0], [1, 0], [1, 1], [0, 1]])
    assert np.allclose(np.ptp(oval(5, 5, 2, 1), axis=0), [4, 2], atol=0.01)


@pytest.mark.parametrize("degrees", [0, 25, -140])
def test_aligned_faces_have_level_eyes(astronaut: tuple[np.ndarray, Faces], degrees: int) -> None:
    picture, faces = astronaut
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # counter-clockwise, y down
    turned = np.asarray(Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC))
    points = (np.asarray(faces.keypoints) - 256) @ turn.T + 256
    frame = level_frame(points[0])
    five = frame.inside(converted(points, 5)[0])
    assert five[0, 1] == pytest.approx(five[1, 1], abs=1e-4)
    assert np.abs(five - TEMPLATE).max() < 0.06
    (crop,) = aligned(turned, points, 96)
    (upright,) = aligned(picture, np.asarray(faces.keypoints), 96)
    assert np.abs(crop.astype(int) - upright).mean() < 6


def test_faces_are_aligned_from_python(astronaut: tuple[np.ndarray, Faces]) -> None:
    picture, faces = astronaut
    crops = visavis.align(picture, faces, size=160)
    assert [crop.size for crop in crops] == [(160, 160)]
    assert visavis.align(picture, Faces(keypoints=np.zeros((0, 68, 2), np.float32))) == []
    with pytest.raises(ValueError, match="a face whose points are not known cannot be aligned"):
        visavis.align(picture, Faces(BOX, keypoints=np.full((1, 68, 2), np.nan)))
    with pytest.raises(ValueError, match="`size` must be 1 or more, and is 0"):
        visavis.align(picture, faces, size=0)
