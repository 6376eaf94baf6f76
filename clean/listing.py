"""Which photos there are to judge, from the tables of the data folder."""

from dataclasses import dataclass, field
from pathlib import Path

from clean.look import Box, Photo
from dataset import tables
from visavis.command import InputError
from visavis.images import find


@dataclass
class _Labels:
    """What labels.csv says of one image: all its faces."""

    identity: str
    boxes: list[Box] = field(default_factory=list)
    curated: bool = False
    score: float = 0.0
    url: str = ""


def photos(folder: Path) -> list[Photo]:
    """Every photo that downloads.csv calls ok or, with no such table, each labelled image that lies
    under images/; each once, by image_id. Raises InputError where there is none, and for bad tables.

    A photo in downloads.csv without a label is one that shows no face, on purpose.
    """
    if not folder.is_dir():
        raise InputError(f"no data folder at {folder}; make one with `python -m download lists` or give --data")
    labels = _labels(folder / "labels.csv")
    paths = _downloaded(folder) if (folder / "downloads.csv").exists() else _lying(folder, labels)
    unlabelled = _Labels("")
    found = []
    for image_id in sorted(paths):
        label = labels.get(image_id, unlabelled)
        known = label.identity, tuple(label.boxes), label.curated, label.score, label.url
        found.append(Photo(image_id, paths[image_id], *known))
    return found


def _labels(path: Path) -> dict[str, _Labels]:
    found: dict[str, _Labels] = {}
    for line, row in enumerate(tables.rows(path), start=2):
        label = found.setdefault(row["image_id"], _Labels(row["identity"]))
        label.boxes.append(tables.box(row, path, line))
        label.url = label.url or row["url"]
        label.curated |= row["curated"].strip() in ("1", "1.0")
        if row["score"]:
            label.score = max(label.score, tables.number(row, "score", path, line))
    return found


def _downloaded(folder: Path) -> dict[str, Path]:
    last = {row["image_id"]: row for row in tables.rows(folder / "downloads.csv")}  # a later attempt replaces a former
    paths = {image_id: folder / row["path"] for image_id, row in last.items() if row["status"] == "ok"}
    if not paths:
        raise InputError(
            f"{folder / 'downloads.csv'} calls none of its {len(last)} images ok; see its column reason, "
            "and run `python -m download images` again"
        )
    return paths


def _lying(folder: Path, labels: dict[str, _Labels]) -> dict[str, Path]:
    images = folder / "images"
    paths: dict[str, Path] = {}
    for path in find(images):
        image_id = path.relative_to(images).with_suffix("").as_posix()
        if image_id in labels:
            paths.setdefault(image_id, path)
    if not paths:
        raise InputError(
            f"{folder} has no downloads.csv, and none of the {len(labels)} images of labels.csv lies in {images}; "
            "run `python -m download images` first"
        )
    return paths
