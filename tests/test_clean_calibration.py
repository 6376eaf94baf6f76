import numpy as np
import pytest

from clean import calibration
from clean.finders import Finder
from clean.inspection import Inspection, ListedPhoto
from clean.search import CLOSER
from visavis.evaluation.conventions import Shift

MAIN, SECOND = (0.0, 0.0, 100.0, 100.0), (200.0, 0.0, 250.0, 50.0)
ELSEWHERE = (300.0, 300.0, 340.0, 340.0)


def finder(sure: float = 0.5) -> Finder:
    return Finder("hog-1", lambda: pytest.fail("nobody looks"), 0.3, 0.4, sure, "a book")


def look(number: int, *finds: tuple[float, ...], boxes=(MAIN, SECOND)) -> tuple[ListedPhoto, Inspection]:
    photo = ListedPhoto(f"A/{number}", None, boxes=boxes)  # type: ignore[arg-type]
    return photo, Inspection(photo.image_id, "", sha256=str(number), finds={"hog": [list(row) for row in finds]})


def test_finds_away_from_the_main_face_are_counted():
    inspections = [
        look(1, (*MAIN, 0.9), (*SECOND, 0.8), (*ELSEWHERE, 0.45)),
        look(2, (*SECOND, 0.4, CLOSER)),  # it was told where to look
        look(3, (*SECOND, 0.7), (202.0, 1.0, 251.0, 49.0, 0.6)),  # twice the same
        look(3, (*SECOND, 0.7)),  # the same photo again
        look(4, (*ELSEWHERE, 0.99), boxes=(MAIN,)),  # one label: nobody knows
    ]
    found = calibration.others(inspections, "hog", Shift())
    assert found.photos == 3
    assert found.scores.tolist() == pytest.approx([0.8, 0.45, 0.7])
    assert found.right.tolist() == [True, False, True]
    assert found.best.tolist() == pytest.approx([0.8, -1, 0.7])
    assert found.precision(0.4) == pytest.approx(2 / 3) and found.recall(0.75) == pytest.approx(1 / 3)
    assert np.isnan(found.precision(0.95))


def test_without_photos_nothing_is_measured():
    found = calibration.others([], "hog", Shift())
    assert (len(found.scores), len(found.best), found.photos, found.sure()) == (0, 0, 0, np.inf)
    same, told = calibration.calibrated(finder(), "hog", [], Shift())
    assert same.sure == 0.5 and "from 0.500 on (a book); these photos cannot show it, with 0 faces" in told


def test_the_threshold_is_the_lowest_with_that_precision_and_never_laxer():
    # Right from 0.7 on; from there down every second find is wrong.
    inspections = [look(number, (*SECOND, 0.7 + number / 1000)) for number in range(200)]
    inspections += [
        look(200 + number, (*(SECOND if number % 2 else ELSEWHERE), 0.69 - number / 1000)) for number in range(99)
    ]
    measured = calibration.others(inspections, "hog", Shift())
    found, told = calibration.calibrated(finder(0.4), "hog", inspections, Shift())
    assert found.sure == measured.sure()
    assert measured.precision(found.sure) >= 0.95
    assert measured.precision(found.sure - 0.002) < 0.95 or measured.precision(found.sure - 0.004) < 0.95
    assert f"sure from {found.sure:.3f} on: 95." in told and "in 299 photos" in told
    assert calibration.calibrated(finder(0.8), "hog", inspections, Shift())[0].sure == 0.8


def test_a_finder_that_is_mostly_wrong_is_never_sure():
    inspections = [look(number, (*ELSEWHERE, 0.9), (*SECOND, 0.8)) for number in range(120)]
    found, told = calibration.calibrated(finder(), "hog", inspections, Shift())
    assert found.sure == np.inf and "never sure" in told
