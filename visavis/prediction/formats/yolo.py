"""YOLO's folder, yolo/, as its trainers read it."""

from pathlib import Path

from visavis.files import replaced
from visavis.formats import yolo
from visavis.prediction.formats.links import link, remove_links
from visavis.prediction.formats.protocol import Records
from visavis.prediction.shots import shots

WRITES = "yolo"
OF_PICTURES = True


def write(out: Path, records: Records) -> None:
    """Write yolo/: data.yaml, labels/, and links to the photos in images/. Labels of photos that lie in a folder
    images/ of their own are where YOLO looks for them."""
    folder = out / WRITES
    remove_links(folder / "images", yolo.labels_of)
    for shot in shots(records(), out):
        labels = yolo.labels_of(folder / "images" / f"{shot.place}.txt")
        link(shot, folder / "images")
        with replaced(labels, durable=False) as file:
            file.writelines(yolo.label(box, shot.size) for box in shot.boxes)
    with replaced(folder / "data.yaml") as file:
        file.write(yolo.settings({"train": "images", "val": "images"}))
