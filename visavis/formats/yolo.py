"""YOLO: a text file a photo with a line a box: class, centre, width and height as shares of the photo's."""

from collections.abc import Mapping

PARTS = ("train", "val", "test")


def label(box: list[float], size: tuple[int, int]) -> str:
    """The line of a face. box: x1 y1 x2 y2, pixels. size: height, width, pixels."""
    (x1, y1, x2, y2), (height, width) = box, size
    shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    return f"0 {' '.join(f'{share:.9f}' for share in shares)}\n"


def settings(parts: Mapping[str, str]) -> str:
    """data.yaml: where each part's photos are (a folder, or a list of names), and what class 0 is."""
    import yaml

    return yaml.safe_dump({"path": ".", **parts, "names": {0: "face"}}, sort_keys=False)
