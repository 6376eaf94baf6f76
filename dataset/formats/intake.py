"""Makes a data folder of the photos and labels that any format's reader gives."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from dataset import tables
from dataset.formats.imported import Box, Exif, ImportedPhoto, linked, say_some
from dataset.formats.names import forget_folders, image_id_of
from dataset.formats.sizes import Fitting
from visavis.boxes import area, as_boxes, clip, iou
from visavis.data import points as points_table
from visavis.errors import ImageError, InputError
from visavis.images import EXTENSIONS, find, inspect, read_bytes
from visavis.keypoints import LAYOUTS, Points
from visavis.sources import shown

SAME = 0.95
"""From this IoU on, two boxes of a photo are one face that is labelled twice; two faces never overlap as much."""


def take_in(
    read: Callable[[], Iterable[ImportedPhoto]],
    out: Path,
    negatives: Path | None,
    exif: Exif = "auto",
    add: bool = False,
) -> tuple[int, int, int]:
    """Make the data folder `out` of what `read` gives. Returns the number of photos, faces to learn and failed photos.

    exif: as in `Wanted`. Photos are linked (copied where the file system cannot). Each is decoded first; one that
    cannot be is a row with its reason. add: where `out` holds attributes of other photos already, these join them.
    Raises InputError for bad rows, missing photos, and where `out` holds a data folder that they may not join.
    """
    before = _before(out, add)
    taken: dict[str, ImportedPhoto] = {}
    by_path: dict[str, ImportedPhoto] = {}
    listed = []
    forget_folders()
    for one in read():
        if first := by_path.get(path := os.path.abspath(one.path)):
            first.join(one)
            listed.append(f"{one.where} ({one.image})")
            continue
        by_path[path] = one
        image_id = image_id_of(one.image, one.where)
        if image_id in taken and taken[image_id].image != one.image:  # 1.jpg and 1.png: the second keeps its ending
            image_id = shown(PurePosixPath(one.image).as_posix())
        if image_id in taken:
            raise InputError(f"{one.where}: {one.image} and {taken[image_id].image} ({taken[image_id].where}) are two "
                             "photos with one name; rename one")  # fmt: skip
        taken[image_id] = one
    for path in _photos_in(negatives):
        image = f"negatives/{path.relative_to(negatives or path).as_posix()}"
        image_id = image_id_of(image, f"--negatives {negatives}")
        if image_id in taken:
            raise InputError(f"--negatives {negatives}: {path.name} and {taken[image_id].path} are two photos with "
                             "one name, but for their ending; rename one")  # fmt: skip
        taken[image_id] = ImportedPhoto(image, path, "")
    if not taken:
        raise InputError("the source names no photo")
    if there := taken.keys() & {row["image_id"] for row in before.get("downloads.csv", [])}:
        raise InputError(f"{out} holds {min(there)} already; give another --out, or remove {out} and import all again")
    say_some("photo is", "photos are", "listed more than once (the labels are merged):", listed)
    twice, fitting = [], Fitting(exif)
    for one in taken.values():
        if count := drop_repeated(one):
            twice.append(f"{one.image} ({count})")
    rows = []
    for image_id, one in tqdm(taken.items(), desc="import", unit="photo"):
        rows.append(_take(image_id, one, out, fitting))
    fitting.finish()
    say_some("photo has", "photos have", "faces that are labelled twice and count once:", twice)
    say_some("photo has", "photos have", "boxes outside the picture:", _outside(taken, rows))
    failed = [row for row in rows if row["status"] != "ok"]
    say_some(
        "photo", "photos", "cannot be used:", [f"{taken[str(row['image_id'])].path}: {row['reason']}" for row in failed]
    )
    new = {"downloads.csv": rows, "faces.csv": _face_rows(taken), "attributes.csv": _attribute_rows(taken)}
    new |= {"points.csv": _point_rows(taken)}
    for name, some in (new | {"labels.csv": _label_rows(taken)}).items():  # labels.csv last: with it, all is there
        whole: list[dict[str, object]] = [*map(dict, before.get(name, [])), *some]
        if whole or name == "labels.csv":
            tables.write(out / name, whole, _columns(name, whole))
    count = sum(len(taken[str(row["image_id"])].boxes) for row in rows if row["status"] == "ok")
    return len(rows), count, len(failed)


def _before(out: Path, add: bool) -> dict[str, list[tables.Row]]:
    """The rows that the tables of `out` hold already. Raises InputError where they may not be added to."""
    if not (out / "labels.csv").exists():
        return {}
    if not (add and any((out / name).exists() for name in ("attributes.csv", "points.csv"))):
        raise InputError(f"{out} already holds labels; give another --out")
    names = ("downloads.csv", "faces.csv", "attributes.csv", "points.csv", "labels.csv")
    return {name: list(tables.rows(out / name)) for name in names if (out / name).exists()}


def _outside(taken: dict[str, ImportedPhoto], rows: list[dict[str, object]]) -> list[str]:
    """For each photo with boxes that lie outside it: its source, the first of these boxes, and its size."""
    found = []
    for row in rows:
        one, size = taken[str(row["image_id"])], (row.get("height"), row.get("width"))
        beside = [box for box in one.boxes if row["status"] == "ok" and not area(clip(as_boxes([box]), size))[0]]  # type: ignore[bad-argument-type]
        if beside:
            shown = ", ".join(f"{side:g}" for side in beside[0])
            found.append(f"{one.where or one.image}: ({shown}), the photo is {size[1]} x {size[0]}")
    return found


def drop_repeated(one: ImportedPhoto) -> int:
    """Keep one of the boxes at the same place (`SAME`); returns how many are left out. A box to learn from wins over
    one to ignore."""
    flags = one.flags or [""] * len(one.boxes)
    attributes_of = one.attributes or [{} for _ in one.boxes]
    points = one.points or [None] * len(one.boxes)
    before = len(one.boxes) + len(one.ignore)
    kept: list[tuple[Box, str, dict[str, str], Points | None]] = []
    for box, flag, attributes, some in zip(one.boxes, flags, attributes_of, points, strict=True):
        if not any(_same_spot(box, other) for other, *_ in kept):
            kept.append((box, flag, attributes, some))
    ignored: list[Box] = []
    for box in one.ignore:
        if not any(_same_spot(box, other) for other in [*ignored, *(other for other, *_ in kept)]):
            ignored.append(box)
    one.boxes = [box for box, *_ in kept]
    one.flags = [flag for _, flag, _, _ in kept] if one.flags else []
    one.attributes = [attributes for _, _, attributes, _ in kept] if one.attributes else []
    one.points = [some for *_, some in kept if some is not None]
    one.ignore = ignored
    return before - len(one.boxes) - len(ignored)


def _same_spot(one: Box, other: Box) -> bool:
    """Whether two boxes are the same except for rounding: within half a pixel, or with an IoU of `SAME`."""
    if max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 0.5:
        return True
    return bool(iou(as_boxes([one]), as_boxes([other]))[0, 0] >= SAME)


def _photos_in(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        return
    if not folder.is_dir():
        raise InputError(f"--negatives {folder} is not a folder")
    yield from find(folder)


def _sides(box: Box) -> dict[str, object]:
    """Rounded to a thousandth of a pixel, which is short in the table."""
    return {side: round(value, 3) for side, value in zip(("x1", "y1", "x2", "y2"), box, strict=True)}


def _label_rows(taken: dict[str, ImportedPhoto]) -> Iterator[dict[str, object]]:
    """Rows of labels.csv: the boxes to learn from. A photo with only boxes to ignore has these, to record its identity:
    faces.csv, which then lists all its boxes, takes precedence."""
    for image_id, one in taken.items():
        for box in one.boxes or (one.ignore if one.identity else []):
            yield {"image_id": image_id, "identity": one.identity, **_sides(box)}


def _face_rows(taken: dict[str, ImportedPhoto]) -> Iterator[dict[str, object]]:
    """Rows of faces.csv: every box of the photos that have boxes to ignore, or flags."""
    for image_id, one in taken.items():
        if not one.ignore and not any(one.flags):
            continue
        for box, flag in zip(one.boxes, one.flags or [""] * len(one.boxes), strict=True):
            yield {"image_id": image_id, **_sides(box), "source": f"import {flag}".strip(), "use": "train"}
        for box in one.ignore:
            yield {"image_id": image_id, **_sides(box), "source": "import", "use": "ignore"}


def _attribute_rows(taken: dict[str, ImportedPhoto]) -> Iterator[dict[str, object]]:
    """attributes.csv: the faces of which an attribute is known."""
    for image_id, one in taken.items():
        for box, attributes in zip(one.boxes, one.attributes, strict=True) if one.attributes else ():
            yield {"image_id": image_id, **_sides(box), **attributes}


def _point_rows(taken: dict[str, ImportedPhoto]) -> Iterator[dict[str, object]]:
    """points.csv: the faces whose points are known, to a thousandth of a pixel, empty where nobody said."""
    for image_id, one in taken.items():
        for box, points in zip(one.boxes, one.points, strict=True) if one.points else ():
            names = points_table.columns(LAYOUTS[len(points)])[5:]
            values = ["" if value != value else round(value, 3) for value in points.ravel().tolist()]
            yield {"image_id": image_id, **_sides(box), **dict(zip(names, values, strict=True))}


def _columns(name: str, whole: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Those of a table; of points.csv they depend on the set of points, of which a folder has one."""
    if name != "points.csv":
        return ()
    sets = {tuple(row) for row in whole}
    if len(sets) > 1:
        counts = " and ".join(sorted(str((len(one) - 5) // 2) for one in sets))
        raise InputError(f"the faces have sets of {counts} points, and a data folder has one kind; give another --out")
    return sets.pop()


def _take(image_id: str, one: ImportedPhoto, out: Path, fitting: Fitting) -> dict[str, object]:
    """Link one photo into the data folder, and fit its boxes to it; returns its row of downloads.csv."""
    path = one.path
    try:
        data = one.content or read_bytes(path)
        seen = inspect(data)
    except ImageError as error:
        return {"image_id": image_id, "status": "failed", "reason": error.reason}
    fitting.take(one, (seen.height, seen.width), seen.orientation)
    goal = out / "images" / f"{image_id}{EXTENSIONS[seen.format]}"
    if one.content is None:
        linked(path, goal)
    else:
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.write_bytes(one.content)
    return {
        "image_id": image_id,
        "status": "ok",
        "path": goal.relative_to(out).as_posix(),
        "width": seen.width,
        "height": seen.height,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "attempts": 0,
    }
