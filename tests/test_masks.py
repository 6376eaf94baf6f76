"""What a run says of masks: its summary, and of videos the tables by look and by minute, and their chart."""

import csv
from pathlib import Path

import numpy as np
import pytest

from visavis.images import read
from visavis.prediction import masks
from visavis.prediction.records import Record
from visavis.prediction.results import Report
from visavis.sources import Input


def face(mask: str, frame: int, time: float) -> dict[str, object]:
    return {"x1": 1, "y1": 1, "x2": 9, "y2": 9, "score": 0.9, "mask": mask, "frame": frame, "time": time}


PHOTO = Record("a.jpg", "ok", width=9, height=9, faces=[{"score": 0.9, "mask": "none"}, {"score": 0.9, "mask": ""}])
VIDEO = Record(
    "street/b.mp4",
    "ok",
    width=9,
    height=9,
    faces=[
        face("worn", 0, 0.0),
        face("none", 0, 0.0),
        face("worn", 5, 59.96),
        face("worn", 10, 130.0),
        face("wrong", 10, 130.0),
        face("", 15, 179.9),
    ],
    frames=40,
    every=5,
)
EMPTY = Record("c.mp4", "ok", width=9, height=9, frames=3, every=5)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    inputs = [Input("a.jpg", "a"), Input("street/b.mp4", "street/b.mp4"), Input("c.mp4", "c.mp4")]
    masks.write(tmp_path, lambda: zip(inputs, [PHOTO, VIDEO, EMPTY], strict=True))
    return tmp_path


def test_a_row_a_look(out: Path) -> None:
    assert rows(out / "masks.csv") == [
        ["path", "frame", "time", "faces", "worn", "wrong", "none", "unknown"],
        ["street/b.mp4", "0", "0.0", "2", "1", "0", "1", "0"],
        ["street/b.mp4", "5", "59.96", "1", "1", "0", "0", "0"],
        ["street/b.mp4", "10", "130.0", "2", "1", "1", "0", "0"],
        ["street/b.mp4", "15", "179.9", "1", "0", "0", "0", "1"],
    ]


def test_a_row_a_minute(out: Path) -> None:
    assert rows(out / "masks_by_minute.csv") == [
        ["path", "minute", "looks", "faces", "worn", "wrong", "none", "unknown"],
        ["street/b.mp4", "0", "2", "3", "2", "0", "1", "0"],
        ["street/b.mp4", "2", "2", "3", "1", "1", "0", "1"],
    ]


def test_the_chart_has_the_colours_of_the_boxes(out: Path) -> None:
    assert [path.name for path in (out / "masks").rglob("*")] == ["street", "b.mp4.png"]
    picture = read(out / "masks/street/b.mp4.png")
    for colour in ((90, 205, 95), (255, 95, 85), (255, 176, 0), (150, 150, 150)):
        assert (np.abs(picture.astype(int) - colour).max(axis=-1) < 3).sum() > 500


def test_the_summary_counts_masks_of_photos_and_videos() -> None:
    report = Report(None)
    for record in (PHOTO, VIDEO, EMPTY):
        report.add(record)
    assert report.summary() == (
        "1 photo, 2 faces; 2 videos, 6 faces in 43 frames searched (mask: 3 worn, 1 wrong, 2 none, 2 unknown)"
    )


def test_where_masks_are_not_asked_for_the_summary_is_silent() -> None:
    report = Report(None)
    report.add(Record("a.jpg", "ok", width=9, height=9, faces=[{"score": 0.9}]))
    assert report.summary() == "1 photo, 1 face"
