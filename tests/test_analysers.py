"""Analysers: what they say of faces, with none, tiny and cut ones. The example of docs has a test of its own."""

import shutil
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data
from skimage.measure import blur_effect

from visavis.analysers import ANALYSERS, AnalyserOptions, check, load_analyser, named
from visavis.analysers.attributes.analyser import SHIPPED
from visavis.analysers.protocol import About, Analysers, Origin, about
from visavis.analysers.sharpness import blur
from visavis.drawing import boxes_on
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.prediction.analysis import Analysis, captions, colours

ASTRONAUT = data.astronaut()
FACE = Faces([[178, 60, 271, 181]], [0.99])


def sharpness(picture: np.ndarray, faces: Faces = FACE) -> list[float]:
    return load_analyser("sharpness").analyse(picture, faces).attributes["sharpness"].tolist()


@pytest.mark.parametrize("name", ["camera", "coins", "moon", "text"])
def test_the_blur_metric_is_scikit_images(name: str):
    picture = getattr(data, name)().astype(np.float64)[:200, :160]
    assert blur(picture) == pytest.approx(blur_effect(picture), abs=1e-9)


def test_a_blurred_face_is_less_sharp_the_more_it_is_blurred():
    values = [sharpness(ASTRONAUT)[0]]
    for radius in (1, 2, 4, 8):
        blurred = np.asarray(Image.fromarray(ASTRONAUT).filter(ImageFilter.GaussianBlur(radius)))
        values += sharpness(blurred)
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.5 > 0.3 > values[-1]


def test_a_large_soft_photo_is_as_sharp_as_it_looks():
    """Four times as many pixels a side, none of which is sharp: at the size of a look it is the same face."""
    large = np.asarray(Image.fromarray(ASTRONAUT).resize((2048, 2048), Image.Resampling.BICUBIC))
    assert sharpness(large, replace(FACE, boxes=FACE.boxes * 4))[0] == pytest.approx(sharpness(ASTRONAUT)[0], abs=0.08)


def test_faces_that_cannot_be_judged_have_no_value():
    tiny = Faces([[10, 10, 20, 20], [-50, -50, 10, 400], [600, 600, 700, 700], [178, 60, 271, 181]])
    values = sharpness(ASTRONAUT, tiny)
    assert np.isnan(values[:3]).all() and values[3] == sharpness(ASTRONAUT)[0]
    assert np.isnan(sharpness(np.full((300, 300, 3), 90, np.uint8))).all()
    assert sharpness(ASTRONAUT, Faces()) == []


def test_what_was_known_of_a_face_stays():
    faces = replace(FACE, attributes={"age": np.array([31])}, keypoints=np.zeros((1, 5, 2)))
    told = load_analyser("sharpness").analyse(ASTRONAUT, faces)
    assert told.attributes["age"].tolist() == [31] and told.keypoints is not None
    assert (told.boxes == FACE.boxes).all() and (told.scores == FACE.scores).all()


def test_several_are_one_and_must_give_back_their_faces():
    class Loses:
        attributes, keypoints = ("mood",), ()

        def analyse(self, picture: np.ndarray, faces: Faces) -> Faces:
            return Faces()

    assert Analysers([load_analyser("sharpness")]).attributes == ("sharpness",)
    with pytest.raises(ValueError, match="Loses must give back 1 face, as it got, with its attributes"):
        Analysers([Loses()]).analyse(ASTRONAUT, FACE)


def test_points_are_there_for_the_others_whatever_the_order_of_names():
    class Seen:
        attributes, keypoints = ("seen",), ()

        def analyse(self, picture: np.ndarray, faces: Faces) -> Faces:
            return replace(faces, attributes={"seen": [0 if faces.keypoints is None else faces.keypoints.shape[1]]})

    for several in ([Seen(), load_analyser("points")], [load_analyser("points"), Seen()]):
        analysers = Analysers(several)
        assert analysers.analyse(ASTRONAUT, FACE).attributes["seen"].tolist() == [68]
        assert analysers.attributes == tuple(name for one in several for name in one.attributes)


def test_an_option_is_none_by_default_so_that_only_one_that_was_given_is_refused():
    assert {option.default for option in fields(AnalyserOptions)} == {None}
    check(["sharpness"], AnalyserOptions())
    with pytest.raises(InputError, match="`people` is for identity; name that in `analyse`, or leave `people` out"):
        check(["sharpness"], AnalyserOptions(Path("family")))


def test_an_analyser_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(InputError, match=f"no analyser 'mood'; there are {', '.join(ANALYSERS)}"):
        load_analyser("mood")


def test_captions_say_less_where_there_is_less_room():
    faces = replace(FACE, attributes={"age": np.array([31.25]), "mood": np.array(["glad"]), "sharpness": [np.nan]})
    assert captions(faces) == [("0.99 age 31 glad", "0.99 age 31", "0.99")]
    assert captions(FACE) == [("0.99",)] and captions(Faces()) == []
    told = [captions(replace(FACE, attributes={"age": np.array([age])}))[0][0] for age in (7.04, 99.4, 99.6, 100.0)]
    assert told == ["0.99 age 7", "0.99 age 99", "0.99 age 100", "0.99 age 100"]


def test_a_name_and_how_probable_it_is_stand_in_place_of_the_score():
    told = {"age": np.array([31.0, 40.0]), "who": np.array(["Ann", ""]), "who_score": np.array([0.9999, 0.9])}
    faces = Faces([[0, 0, 9, 9]] * 2, [0.9, 0.8], attributes=told)
    assert captions(faces) == [("Ann 99 % age 31", "Ann 99 %"), ("0.80 age 40", "0.80")]


def test_a_box_has_the_colour_of_the_mask_and_captions_leave_out_how_sure_it_is():
    told = {"mask": np.array(["worn", "none", "wrong", ""]), "mask_score": np.array([0.9, 0.8, 0.7, np.nan])}
    faces = Faces([[20 + 120 * n, 100, 100 + 120 * n, 200] for n in range(4)], [0.9] * 4, attributes=told)
    drawn = boxes_on(np.zeros((300, 512, 3), np.uint8), faces, texts=captions(faces), own=colours(faces))
    edges = [{tuple(pixel) for pixel in drawn[150, 10 + 120 * n : 30 + 120 * n].tolist()} for n in range(4)]
    right = [(90, 205, 95), (255, 95, 85), (255, 176, 0), (255, 196, 0)]  # green, red, amber, as all finds
    assert [one & set(right) for one in edges] == [{one} for one in right]
    assert [words[0] for words in captions(faces)] == ["0.90 mask worn", "0.90 no mask", "0.90 mask wrong", "0.90"]
    assert colours(FACE) == [None]


def test_names_have_commas_between_and_none_is_empty():
    assert named(" mask, age ") == ["mask", "age"] and named("") == named(" ") == []
    for text in ("mask,,age", ",mask", "mask,", ","):
        with pytest.raises(InputError, match="there is nothing between two commas, or at an end"):
            named(text)


def test_a_run_goes_on_with_the_same_weights_alone(tmp_path: Path):
    for ending in (".safetensors", ".onnx"):
        shutil.copy(SHIPPED.with_suffix(ending), tmp_path)
    weights = tmp_path / SHIPPED.name
    before = sha256(weights.read_bytes()).hexdigest()
    several = Analysis(("sharpness", str(weights)))
    assert several.identified() == ["sharpness", f"{weights} ({before})"]
    weights.write_bytes(b"others")
    assert several.identified() == ["sharpness", f"{weights} ({sha256(b'others').hexdigest()})"]


def test_an_analyser_declares_what_else_it_can_do(tmp_path: Path):
    calls: list[Origin | None] = []

    class Keeps:
        attributes, keypoints = ("kept",), ()

        def __init__(self) -> None:
            self.about = About(lambda: "v1", analyse_photo=self.of_photo, keeps="kept.db")

        def analyse(self, picture: np.ndarray, faces: Faces) -> Faces:
            calls.append(None)
            return replace(faces, attributes={"kept": [0]})

        def of_photo(self, picture: np.ndarray, faces: Faces, origin: Origin) -> Faces:
            calls.append(origin)
            return replace(faces, attributes={"kept": [1]})

    origin = Origin(b"digest", tmp_path)
    several = Analysers([Keeps()])
    assert several.analyse(ASTRONAUT, FACE).attributes["kept"].tolist() == [0]
    assert several.analyse(ASTRONAUT, FACE, origin).attributes["kept"].tolist() == [1]
    assert calls == [None, origin]
    plain = about(load_analyser("sharpness"))
    assert (plain.fingerprint(), plain.joined(Keeps()), plain.analyse_photo, plain.keeps) == ("", None, None, "")


def test_one_network_gives_what_several_names_ask_of_it():
    joined = Analysers([load_analyser("mask"), load_analyser("sharpness"), load_analyser("age")])
    assert joined.attributes == ("mask", "mask_score", "age", "age_low", "age_high", "sharpness")
