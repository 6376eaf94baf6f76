"""A CSV of boxes, image,x1,y1,x2,y2[,identity][,use], one row a face: the simplest format there is."""

from collections.abc import Iterator
from pathlib import Path

from dataset import tables
from dataset.formats.labelled import Labelled, Wanted, exported, image_id_of, linked, located
from dataset.photos import Photos
from visavis.errors import InputError

SIDES = ("x1", "y1", "x2", "y2")
COLUMNS = ("image", *SIDES)
"""Those that must be there."""


def read(source: Path, wanted: Wanted) -> Iterator[Labelled]:
    """The photos of a CSV. Its `image` paths are relative to its folder or to images/ beside it.

    A row with empty coordinates stands for a photo without a face. `identity` is kept where there is such a column;
    `use`, train or ignore, says whether a box is learnt from.
    """
    folders = [wanted.images] if wanted.images else [source.parent, source.parent / "images"]
    photos: dict[str, Labelled] = {}
    for line, row in enumerate(tables.rows(source, COLUMNS), start=2):
        where = f"{source} row {line}"
        image_id = image_id_of(row["image"], where)
        identity = row.get("identity", "")
        fresh = Labelled(row["image"].replace("\\", "/"), located(row["image"], folders), where, identity)
        one = photos.setdefault(image_id, fresh)
        if one.image != fresh.image:
            raise InputError(f"{where}: {fresh.image} and {one.image} differ only in their ending; rename one")
        if one.identity != identity:
            raise InputError(f"{where}: {fresh.image} is {identity!r}, and {one.identity!r} above; mend the row")
        if any(row[side] for side in SIDES):
            if row.get("use", "") not in ("", "train", "ignore"):
                raise InputError(f"{where}: use is {row['use']!r}; it must be train or ignore")
            (one.ignore if row.get("use") == "ignore" else one.boxes).append(tables.box(row, source, line))
    yield from photos.values()


def write(photos: Photos, out: Path) -> None:
    """boxes.csv and images/ in `out`. Everything is kept."""
    rows = []
    for photo in photos:
        linked(photo.path, out / "images" / exported(photo))
        start = {"image": exported(photo), "identity": photo.identity, "use": "train"}
        some = [start | _sides(box) for box in photo.boxes.tolist()]
        some += [start | {"use": "ignore"} | _sides(box) for box in photo.ignore.tolist()]
        rows += some or [start | {"use": ""}]
    tables.write(out / "boxes.csv", rows, (*COLUMNS, "identity", "use"))


def _sides(box: list[float]) -> dict[str, object]:
    return {side: round(value, 3) for side, value in zip(SIDES, box, strict=True)}
