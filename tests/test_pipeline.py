"""visavis.prediction.pipeline: whatever fails on the way from an input to its record costs that input alone."""

import csv
import json
import os
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from visavis import Faces
from visavis.boxes import SIDES
from visavis.detectors.protocol import About
from visavis.prediction.copies import Copies
from visavis.prediction.formats import load_format
from visavis.prediction.pipeline import Pipeline, Task
from visavis.prediction.results import FaceFields, Tables
from visavis.reduced_photos import UsefulSize
from visavis.sources import listed
from visavis.workers import Workers


class Exhausted(UsefulSize):
    """A useful_size for which the memory never suffices."""

    def size(self, height: int, width: int) -> tuple[int, int]:
        raise MemoryError("so many pixels")


class Broken(Copies):
    """Copies that fail in a way that nobody foresaw."""

    def write(self, path: str, *more: object) -> None:
        raise RuntimeError("so\nmany words")


class Blind:
    """A detector that finds nothing."""

    threshold = 0.5

    def __init__(self, useful_size: UsefulSize) -> None:
        self.about = About(useful_size=useful_size)

    def detect(self, images) -> list[Faces]:
        return [Faces() for _ in images]


class Pair(Blind):
    """A detector that answers a call only once it is at two."""

    def __init__(self) -> None:
        super().__init__(UsefulSize())
        self.about = About(at_once=2)
        self.both = threading.Barrier(2)

    def detect(self, images) -> list[Faces]:
        self.both.wait(timeout=60)
        return [Faces(np.array([[0, 0, *image.shape[1::-1]]])) for image in images]


def test_as_many_batches_are_looked_at_as_the_detector_takes_and_the_records_keep_their_order(tmp_path: Path):
    for number in range(8):
        Image.new("RGB", (30 + number, 30)).save(tmp_path / f"{number}.png")
    with Workers(1, 60) as workers:
        records = list(Pipeline(Pair(), workers, Task()).records(listed([tmp_path])))
    assert [(Path(one.path).name, one.faces[0]["x2"]) for one in records] == [
        (f"{number}.png", 30 + number) for number in range(8)
    ]


@pytest.mark.parametrize("where", ["decoding", "copying"])
def test_what_nobody_foresaw_is_told_and_costs_its_photo_alone(where: str, tmp_path: Path, capfd):
    Image.fromarray(skimage.data.astronaut()).resize((64, 64)).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_text("no photo")
    detector = Blind(Exhausted() if where == "decoding" else UsefulSize())
    task = Task(copies=Broken(tmp_path) if where == "copying" else None)
    with Workers(1, 60) as workers:
        records = list(Pipeline(detector, workers, task).records(listed([tmp_path])))
    assert [(one.status, one.reason) for one in records] == [("unreadable", "crashed"), ("unreadable", "not_image")]
    said = capfd.readouterr().err.splitlines()
    why = "MemoryError: so many pixels" if where == "decoding" else "RuntimeError: so many words"
    assert said == [f"{tmp_path / '1.png'}: {why}"]


class Knowing(Blind):
    """A detector that tells the age and the mood of faces, and where their eyes are: two of them, or none."""

    def __init__(self, useful_size: UsefulSize) -> None:
        super().__init__(useful_size)
        self.about = About(useful_size=useful_size, attributes=("age", "mood"), keypoints=("left_eye", "right_eye"))

    def detect(self, images) -> list[Faces]:
        eyes = np.float32([[[12, 14], [18.126, 14]], [[32, 34], [38, 34]]])
        told = {"age": [31.5, np.nan], "mood": ["glad", "so, so"], "secret": [1, 2]}
        two = Faces([[10, 10, 20, 20], [30, 30, 40, 44]], [0.9, 0.8], eyes, told)
        return [two if image.max() > 0 else Faces() for image in images]


def test_attributes_and_keypoints_are_columns_and_in_every_format_that_has_room(tmp_path: Path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (64, 64), "white").save(tmp_path / "in/1.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "in/2.png")
    Image.new("RGB", (128, 128), "white").save(tmp_path / "in/3.png")
    detector, out = Knowing(UsefulSize(shortest=64)), tmp_path / "out"  # so 3.png is looked at in half its size
    out.mkdir()
    inputs = listed([tmp_path / "in"])
    with Workers(1, 60) as workers, closing(Tables(out, FaceFields.of(detector))) as tables:
        records = list(Pipeline(detector, workers, Task()).records(inputs))
        for record in records:
            tables.add(record)
    lines = list(csv.reader((out / "faces.csv").open()))
    names, *faces = ([Path(line[0]).stem, *line[7:]] for line in lines)
    assert names == ["path", "age", "mood", "left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y"]
    assert faces == [
        ["1", "31.5", "glad", "12.00", "14.00", "18.13", "14.00"],
        ["1", "", "so, so", "32.00", "34.00", "38.00", "34.00"],
        ["3", "31.5", "glad", "24.00", "28.00", "36.25", "28.00"],
        ["3", "", "so, so", "64.00", "68.00", "76.00", "68.00"],
    ]
    for format in ("json", "coco", "voc"):
        load_format(format).write(out, lambda: zip(inputs, records, strict=True))
    one, none, _ = json.loads((out / "faces.json").read_text())
    told = {"score": 0.8, "age": None, "mood": "so, so", "secret": 2, "keypoints": [[32.0, 34.0], [38.0, 34.0]]}
    assert one["faces"][1] == dict(zip(SIDES, (30.0, 30.0, 40.0, 44.0), strict=True)) | told
    assert none["faces"] == []
    first, *_ = json.loads((out / "coco.json").read_text())["annotations"]
    assert first["keypoints"] == [12.0, 14.0, 2, 18.13, 14.0, 2] and first["num_keypoints"] == 2
    assert (first["age"], first["mood"]) == (31.5, "glad")
    assert "<mood>so, so</mood>" in (out / "voc/Annotations/in/1.png.xml").read_text()


class Swapping(Blind):
    """A detector while which another photo takes the name of the one that is looked at: as large, and as old."""

    def __init__(self, useful_size: UsefulSize, path: Path, other: bytes) -> None:
        super().__init__(useful_size)
        self.path, self.other = path, other

    def detect(self, images) -> list[Faces]:
        before = self.path.stat()
        self.path.write_bytes(self.other)
        os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return super().detect(images)


def test_a_photo_that_another_has_replaced_is_not_copied_with_the_wrong_faces(tmp_path: Path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in/1.bmp"
    Image.new("RGB", (64, 64), "white").save(path)
    same = path.read_bytes()
    for other, verdict in ((same[:-3] + b"abc", ("unreadable", "changed")), (same, ("ok", ""))):
        path.write_bytes(same)
        with Workers(1, 60) as workers:
            pipeline = Pipeline(Swapping(UsefulSize(), path, other), workers, Task(copies=Copies(tmp_path / "out")))
            (record,) = pipeline.records(listed([tmp_path / "in"]))
        assert (record.status, record.reason) == verdict
        assert (tmp_path / "out/drawn/in/1.bmp.jpg").exists() == (record.status == "ok")
