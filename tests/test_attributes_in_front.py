"""evaluate --analyse --detect: figures of answers on faces that a detector finds first."""

from dataclasses import replace

import numpy as np
import pytest

from visavis.commands.evaluate import Options, evaluate
from visavis.data.attributes import KnownAttributes
from visavis.errors import InputError
from visavis.evaluation.attributes import Answers, figures
from visavis.evaluation.in_front import InFront, detected
from visavis.faces import Faces

BOXES = [[0, 0, 40, 40], [100, 0, 140, 40], [200, 0, 240, 40]]
PICTURE = np.zeros((300, 300, 3), np.uint8)


class Finds:
    """The first two faces, the second of which is not sure, and something that is no face."""

    threshold = 0.5

    def detect(self, images: list[np.ndarray]) -> list[Faces]:
        return [Faces([BOXES[0], BOXES[1], [0, 200, 50, 250]], [0.9, 0.3, 0.8]) for _ in images]


class SaysWorn:
    attributes, keypoints = ("mask", "mask_score", "age", "age_low", "age_high"), ()

    def analyse(self, picture: np.ndarray, faces: Faces) -> Faces:
        count = len(faces)
        columns = {"mask": np.array(["worn"] * count), "mask_score": np.full(count, 0.9, np.float32)}
        columns |= {name: np.full(count, 30, np.float32) for name in ("age", "age_low", "age_high")}
        return replace(faces, attributes=columns)


def test_what_the_detector_misses_counts() -> None:
    look = InFront(SaysWorn(), Finds(), 0.5)
    given = look.analyse(PICTURE, Faces(BOXES)).attributes
    assert given["mask"].tolist() == ["worn", "", ""]  # the second is found, but below the threshold
    assert given["age"][0] == 30 and np.isnan(given["age"][1:]).all()
    known = [KnownAttributes((0, 0, 9, 9), mask) for mask in ("worn", "worn", "none")]
    values = look.figures(known)
    assert (values["faces"], values["found"]) == (3, pytest.approx(1 / 3))
    classes = values["masks"]["classes"]
    # of `worn`, by falling score: right, false (no face), right: the precision is 1 up to a recall of 0.5, then 2 / 3
    assert classes["worn"] == {"faces": 2, "ap50": pytest.approx((51 + 50 * 2 / 3) / 101, abs=0.01)}
    assert classes["none"] == {"faces": 1, "ap50": 0} and classes["wrong"] == {"faces": 0, "ap50": None}
    assert figures(Answers(known, {name: [rows] for name, rows in given.items()}))["mask"]["said"] == pytest.approx(
        1 / 3
    )
    assert list(detected(values)) == [
        "detected: 33.3% (6.1% to 79.2%) of 3 labelled faces",
        f"AP50 by mask, in 1 photo: worn {classes['worn']['ap50']:.3f} (2 faces), wrong - (0 faces), "
        "none 0.000 (1 face)",
    ]


def test_photos_with_a_mask_that_nobody_knows_are_left_out_of_ap() -> None:
    look = InFront(SaysWorn(), Finds(), 0.5)
    look.analyse(PICTURE, Faces(BOXES))
    look.analyse(PICTURE, Faces())
    values = look.figures([KnownAttributes((0, 0, 9, 9), mask) for mask in ("worn", "", "none")])
    assert values["masks"]["photos"] == 0 and len(list(detected(values))) == 1


def test_detect_goes_with_analyse_and_one_detector() -> None:
    for more in ({"detect": True}, {"detect": True, "analyse": "mask", "detector": ("shipped", "dlib_hog")}):
        with pytest.raises(InputError, match="--detect needs --analyse and one --detector"):
            evaluate(Options(**more))
