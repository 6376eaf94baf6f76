"""People followed through videos: the figures, the tracker on known paths, and what predict says of people."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from clips import clip
from PIL import Image, ImageFilter

from benchmarks.tracks import VIDEOS, followed, tracks
from visavis import Faces, images
from visavis.boxes import as_boxes
from visavis.commands import predict
from visavis.commands.network import Network
from visavis.evaluation.tracking import Look, idf1, switches
from visavis.prediction import pages, strips
from visavis.prediction.records import Record
from visavis.sources import Input
from visavis.video.tracking import NAMED, Identity, Tracker

LEFT, RIGHT = [0.0, 0, 10, 10], [50.0, 0, 60, 10]


def looks(*given: tuple[list[int], list[int]]) -> list[Look]:
    """People and tracks at each look, from left to right; 0 is a face that is not there, or was not found."""
    places = np.float32([LEFT, RIGHT])
    made = []
    for numbers in given:
        people, found = (np.array(one) for one in numbers)
        made.append(Look(places[people > 0], people[people > 0], places[found > 0], found[found > 0]))
    return made


@pytest.mark.parametrize(("given", "right", "changes"), [
    ([([1, 2], [7, 9])] * 4, 1.0, 0),
    ([([1, 0], [7, 0])] * 2 + [([1, 0], [9, 0])] * 2, 2 * 2 / (4 + 4), 1),  # the person is 7 or 9, not both
    ([([1, 2], [7, 9])] * 2 + [([1, 2], [9, 7])] * 2, 2 * 4 / (8 + 8), 2),  # they are taken for each other
    ([([1, 2], [7, 9])] * 3 + [([1, 2], [9, 7])], 2 * 6 / (8 + 8), 2),
    ([([1, 0], [7, 0])] * 3 + [([1, 0], [0, 0])], 2 * 3 / (4 + 3), 0),  # missed once
    ([([1, 0], [7, 8])] * 4, 2 * 4 / (4 + 8), 0),  # somebody who is not there
    ([([1, 2], [0, 0])] * 4, 0.0, 0),
])  # fmt: skip
def test_idf1_and_switches_by_hand(given: list[tuple[list[int], list[int]]], right: float, changes: int):
    assert idf1(looks(*given)) == pytest.approx(right)
    assert switches(looks(*given)) == changes


def test_figures_without_a_face():
    assert np.isnan(idf1([])) and np.isnan(idf1(looks(([0, 0], [0, 0])))) and switches([]) == 0
    far = Look(as_boxes([LEFT]), np.array([1]), as_boxes([RIGHT]), np.array([1]))
    assert idf1([far]) == 0 and switches([far]) == 0


@pytest.mark.parametrize("every", [1, 5, 10])
@pytest.mark.parametrize(("name", "right", "changes", "people"), [
    ("one alone", 1.0, 0, 1), ("side by side", 1.0, 0, 2), ("they cross", 1.0, 0, 2), ("three cross", 1.0, 0, 3),
    ("one walks past", 1.0, 0, 2), ("leaves and comes back at once", 1.0, 0, 2),
    ("leaves and comes back later", 0.857, 1, 3),  # after more than `KEPT`: who it is is not known
])  # fmt: skip
def test_people_are_followed_on_known_paths(name: str, right: float, changes: int, people: int, every: int):
    found, _ = followed(VIDEOS[name], lambda _, truth: Faces(truth.boxes), every, Tracker(), drawn=False)
    assert (round(idf1(found), 3), switches(found), tracks(found)) == (right, changes, people)


def test_who_comes_back_later_is_known_by_identity():
    def distance(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.linalg.norm(one - other))

    def find(_: np.ndarray, truth: Faces) -> Faces:
        return Faces(truth.boxes, attributes={"who": np.eye(3)[truth.attributes["person"]]})

    video = VIDEOS["leaves and comes back later"]
    found, _ = followed(video, find, 5, Tracker(identity=Identity("who", distance, 0.5)), drawn=False)
    assert (idf1(found), switches(found), tracks(found)) == (1.0, 0, 2)


def test_a_name_brings_a_number_back_at_any_time_and_keeps_a_lost_one_from_another():
    def named(x: float, name: str) -> Faces:
        return Faces([[x, 0, x + 40, 40]], attributes={"who": np.array([name])})

    tracker = Tracker(identity=NAMED)
    told = [tracker.follow(named(x, name), seconds).tolist() for x, name, seconds in (
        (0, "Ann", 0.0), (10, "", 0.2), (300, "Ben", 9.0), (100, "Ann", 60.0), (100, "Ben", 61.0), (110, "Ben", 61.2),
    )]  # fmt: skip
    assert told == [[1], [1], [2], [1], [1], [1]]  # who is seen without a break is one person, whatever the name
    tracker.follow(Faces(attributes={"who": np.array([], np.str_)}), 61.4)
    assert tracker.follow(named(110, "Cid"), 61.6).tolist() == [3]


def face(x: float, score: float = 0.9, side: float = 40) -> Faces:
    return Faces([[x, 100, x + side, 100 + side]], [score])


def test_an_unsure_face_goes_on_with_a_track_and_begins_none():
    tracker = Tracker()
    told = [tracker.follow(face(10 * n, score), n / 5, np.array([score > 0.5])).tolist()
            for n, score in enumerate([0.2, 0.9, 0.2, 0.2, 0.9])]  # fmt: skip
    assert told == [[0], [1], [1], [1], [1]]
    unsure = np.array([False])
    assert tracker.follow(Faces(), 1.0).tolist() == []
    assert tracker.follow(face(60, 0.2), 1.2, unsure).tolist() == [0]  # it was lost: only a sure face brings it back
    assert tracker.follow(face(70), 1.4).tolist() == [1]


def test_a_lost_face_is_waited_for_where_it_was_going_and_for_so_long():
    for away, number in ((2.9, 1), (3.2, 2)):
        tracker = Tracker()
        for look in range(3):
            assert tracker.follow(face(20.0 * look), look / 5).tolist() == [1]
        for look in range(3, 13):
            tracker.follow(Faces(), look / 5)
        assert tracker.follow(face(240), 0.4 + away).tolist() == [number]  # 100 pixels a second, for 2 seconds
    tracker = Tracker()
    for look in range(3):  # looks that are far apart: two of them are waited for, however long they take
        tracker.follow(face(100), 10.0 * look)
    tracker.follow(Faces(), 30.0)
    assert tracker.follow(face(100), 40.0).tolist() == [1]


def test_no_face_takes_the_track_of_one_that_is_nearer_to_it():
    tracker = Tracker()
    tracker.follow(face(100), 0.0)
    two = Faces([[105, 100, 145, 140], [150, 100, 190, 140]])
    assert tracker.follow(two, 0.2).tolist() == [1, 2]
    assert tracker.follow(two[::-1], 0.4).tolist() == [2, 1]


def test_a_lost_face_does_not_take_the_face_of_one_that_was_seen_just_now():
    """The longer a face is lost, the farther it may be, so that each face nearby seemed to be it."""
    tracker = Tracker()
    tracker.follow(Faces([[100, 100, 140, 140], [170, 100, 210, 140]]), 0.0)
    for look in range(1, 4):
        assert tracker.follow(face(170), look / 5).tolist() == [2]
    assert tracker.follow(face(150), 0.8).tolist() == [2]
    assert tracker.follow(Faces([[100, 100, 140, 140], [130, 100, 170, 140]]), 1.0).tolist() == [1, 2]


class TwoPeople:
    """A detector that finds one face at each side of a picture, the right one sharper from frame to frame."""

    threshold = 0.5

    def detect(self, pictures: list[np.ndarray]) -> list[Faces]:
        return [Faces([[20, 40, 80, 100], [220, 40, 280, 100]], [0.9, 0.8]) for _ in pictures]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_what_predict_says_of_the_people_of_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The best crop is the sharpest of faces of one size and score: that of frame 10."""
    noise = np.random.default_rng(0).integers(0, 255, (30, 38, 3), np.uint8)
    sharp = np.asarray(Image.fromarray(noise).resize((304, 240), Image.Resampling.NEAREST))
    blurred = [Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(abs(frame - 10))) for frame in range(20)]
    video = clip(tmp_path / "film.mp4", sound=None, pictures=[np.asarray(picture) for picture in blurred])
    monkeypatch.setattr("visavis.load_detector", lambda *_, **__: TwoPeople())
    out = tmp_path / "out"
    options = {"crops": "best", "look": True, "draw": False, "analyse": "sharpness", "format": "csv,json"}
    assert predict.predict(predict.Options((str(video),), out, network=Network("cpu"), workers=1, **options)) == 0
    faces = rows(out / "faces.csv")
    assert [(face["frame"], face["face"], face["track"]) for face in faces] == [
        (str(frame), str(face), str(face + 1)) for frame in (0, 5, 10, 15) for face in (0, 1)
    ]
    left, right = rows(out / "tracks.csv")
    sharpness = sorted(float(face["sharpness"]) for face in faces if face["track"] == "1")
    assert float(left.pop("sharpness")) == pytest.approx((sharpness[1] + sharpness[2]) / 2, abs=1e-4)
    assert left == {
        "path": str(video), "track": "1", "looks": "4", "first": "0.000", "last": "0.600", "seconds": "0.600",
        "frame": "0", "x1": "20.00", "y1": "40.00", "x2": "80.00", "y2": "100.00", "score": "0.9000",
    }  # fmt: skip
    assert (right["track"], right["x1"], right["score"]) == ("2", "220.00", "0.8000")
    crops = sorted(path.name for path in (out / "crops/film.mp4").iterdir())
    assert crops == ["1.jpg", "2.jpg"]
    cut = images.read(out / "crops/film.mp4/1.jpg")
    best = sharp[28:112, 8:92]
    assert cut.shape == best.shape and np.abs(cut.astype(int) - best).mean() < 30  # others are off by over 50
    (record,) = json.loads((out / "faces.json").read_text())
    assert [face["track"] for face in record["faces"]] == [1, 2] * 4
    head = json.loads(re.search(r'id="head">(.*?)</script>', (out / "look.html").read_text())[1])
    assert [(strip["n"], strip["p"], strip["f"]) for strip in head["strips"]] == [
        (str(video), number, "4 looks · 0.6 s (0.0–0.6 s)") for number in (1, 2)
    ]
    assert head["strips"][0]["w"] == 4 * head["strips"][0]["h"] and head["unshown"] == 0
    assert not (out / ".strips").exists()


def test_a_page_has_the_strips_of_those_who_were_seen_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "STRIPS", 1)
    kept = strips.Strips(tmp_path, "film.mp4")
    seen = {frame: [1, 2] if frame == 10 else [2] for frame in (0, 9, 10)}
    for frame, people in seen.items():
        boxes, numbers = np.float32([[5, 5, 25, 25]] * len(people)), np.array(people)
        kept.look(frame, np.full((40, 40, 3), frame, np.uint8), Faces(boxes, attributes={"track": numbers}))
    faces = [{"track": one, "time": frame / 5} for frame, people in seen.items() for one in people]
    record = Record("film.mp4", "ok", width=40, height=40, faces=faces, frames=11, every=1)
    (shown,), unshown = pages._strips(lambda: [(Input("film.mp4", "film.mp4"), record)], tmp_path)
    assert (shown.number, shown.facts, unshown) == (2, "3 looks \u00b7 2.0 s (0.0\u20132.0 s)", 1)
    assert shown.picture[48, [48, 144, 240], 0].tolist() == [0, 9, 10]  # in the order of time
