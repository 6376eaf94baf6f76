"""YOLO: a text file a photo with a line a box: class, centre, width and height as shares of the photo's."""

from collections.abc import Mapping
from pathlib import Path

PARTS = ("train", "val", "test")


def labels_of(path: Path) -> Path:
    """Where the labels of the photo at `path` are looked for, by YOLO's rule: the last folder images/ is labels/ there,
    and the ending is .txt."""
    place = images_folder(path.parts)
    parts = list(path.parts)
    if place >= 0:
        parts[place] = "labels"
    return Path(*parts).with_suffix(".txt")


def images_folder(parts: tuple[str, ...]) -> int:
    """Where the last folder called images is in a photo's path, or -1."""
    return max((number for number, part in enumerate(parts[:-1]) if part == "images"), default=-1)


def label(box: list[float], size: tuple[int, int]) -> str:
    """The line of a face. box: x1 y1 x2 y2, pixels. size: height, width, pixels."""
    (x1, y1, x2, y2), (height, width) = box, size
    shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    return f"0 {' '.join(f'{share:.9f}' for share in shares)}\n"


def settings(parts: Mapping[str, str]) -> str:
    """data.yaml: where each part's photos are (a folder, or a list of names), and what class 0 is."""
    import yaml

    return yaml.safe_dump({"path": ".", **parts, "names": {0: "face"}}, sort_keys=False)
