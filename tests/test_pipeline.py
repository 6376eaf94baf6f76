"""visavis.prediction.pipeline: whatever fails on the way from an input to its record costs that input alone."""

from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from visavis import Faces
from visavis.prediction.copies import Copies
from visavis.prediction.pipeline import Pipeline, Task
from visavis.sight import Sight
from visavis.sources import listed
from visavis.workers import Workers


class Exhausted(Sight):
    """A sight for which the memory never suffices."""

    def size(self, height: int, width: int) -> tuple[int, int]:
        raise MemoryError("so many pixels")


class Broken(Copies):
    """Copies that fail in a way that nobody foresaw."""

    def write(self, path: str, *more: object) -> None:
        raise RuntimeError("so\nmany words")


class Blind:
    """A detector that finds nothing."""

    threshold = 0.5

    def __init__(self, sight: Sight) -> None:
        self.sight = sight

    def detect(self, images) -> list[Faces]:
        return [Faces() for _ in images]


@pytest.mark.parametrize("where", ["decoding", "copying"])
def test_what_nobody_foresaw_is_told_and_costs_its_photo_alone(where: str, tmp_path: Path, capfd):
    Image.fromarray(skimage.data.astronaut()).resize((64, 64)).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_text("no photo")
    detector = Blind(Exhausted() if where == "decoding" else Sight())
    task = Task(copies=Broken(tmp_path) if where == "copying" else None)
    with Workers(1, 60) as workers:
        records = list(Pipeline(detector, workers, task).records(listed([tmp_path])))
    assert [(one.status, one.reason) for one in records] == [("unreadable", "crashed"), ("unreadable", "not_image")]
    said = capfd.readouterr().err.splitlines()
    why = "MemoryError: so many pixels" if where == "decoding" else "RuntimeError: so many words"
    assert said == [f"{tmp_path / '1.png'}: {why}"]
