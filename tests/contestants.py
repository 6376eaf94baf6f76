"""A folder of labelled photos, and a detector whose answers are known."""

from pathlib import Path

import skimage.data
from PIL import Image

from dataset import tables
from visavis import Faces, images
from visavis.commands import evaluate
from visavis.detectors.protocol import About
from visavis.evaluation.contest import Contestant, LabelledPhotos
from visavis.evaluation.detecting import detect_all

FACE = [175, 70, 280, 205]
PLACES = [(0, 0), (60, 20), (100, 40)]
"""How much of the astronaut's left and upper part is cut off in each photo."""


def make_photos(folder: Path) -> Path:
    """Three photos with a face, one without, and one that is none."""
    labels, downloads = [], []
    contents = [Image.fromarray(skimage.data.astronaut()[down:, across:]) for across, down in PLACES]
    for number, picture in enumerate([*contents, Image.fromarray(skimage.data.coffee())]):
        path = folder / f"images/P/{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=95)
        downloads.append({"image_id": f"P/{number}", "status": "ok", "path": f"images/P/{number}.jpg"})
    for number, (across, down) in enumerate(PLACES):
        x1, y1, x2, y2 = FACE
        box = {"x1": x1 - across, "y1": y1 - down, "x2": x2 - across, "y2": y2 - down}
        labels.append({"image_id": f"P/{number}", "identity": f"P{number}"} | box)
    (folder / "images/P/9.jpg").write_text("no photo")
    downloads.append({"image_id": "P/9", "status": "ok", "path": "images/P/9.jpg"})
    tables.write(folder / "labels.csv", labels)
    tables.write(folder / "downloads.csv", downloads)
    return folder


class Known:
    """A detector that answers by the picture's size."""

    threshold = 0.5

    def __init__(self, answers: dict[tuple[int, int], Faces]) -> None:
        self.answers = answers

    def detect(self, images: list[images.Picture]) -> list[Faces]:
        return [self.answers.get(image.shape[:2], Faces()) for image in images]


class Slow(Known):
    """It says what runs it, and counts what it is shown."""

    def __init__(self, runs: str = "") -> None:
        super().__init__({})
        self.about, self.shown = About(runs=runs), []

    def detect(self, images: list[images.Picture]) -> list[Faces]:
        self.shown.append([image.shape[:2] for image in images])
        return super().detect(images)


def known(folder: Path) -> tuple[Contestant, LabelledPhotos]:
    """Right, missed and a false find, right with a false find; and a false find where no face is."""
    photos = evaluate.load_photos(folder)
    detector = Known(
        {
            (512, 512): Faces([FACE], [0.9]),
            (492, 452): Faces([[300, 300, 350, 360]], [0.95]),
            (472, 412): Faces([[75, 30, 180, 165], [10, 300, 60, 360]], [0.8, 0.3]),
            (400, 600): Faces([[10, 10, 60, 60]], [0.6]),
        }
    )
    contestant = Contestant("known", "known", detector, 0.5)
    return contestant, detect_all([contestant], photos, 2)
