"""The tables of a data folder, joined: one `Row` a photo. Where a table is wrong, a message with file and row."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from visavis.data import tables
from visavis.data.split import Shares, sides
from visavis.errors import InputError
from visavis.images import SUFFIXES
from visavis.messages import counted, say

Box = tuple[float, float, float, float]


@dataclass
class Labels:
    """The boxes of one photo in one table, and the rows that they are from."""

    boxes: list[Box] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    ignore: list[Box] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """What the tables say of one photo. table, lines: where its boxes are from. size: height, width, or (0, 0)."""

    image_id: str
    identity: str
    path: Path
    boxes: list[Box]
    ignore: list[Box]
    table: str
    lines: list[int]
    side: str
    size: tuple[int, int]


def read(folder: Path, shares: Shares, dropped: bool = False) -> list[Row]:
    """A row for each photo that is there and is kept, by image_id. dropped: also for those that are not kept.

    side: `` for a photo that the split leaves out, and for one that is dropped.
    Raises InputError with file and row.
    """
    if not folder.is_dir():
        raise InputError(f"no data folder at {folder}; make one with `python -m download lists` or give `data`")
    labels, identities = _labels(folder / "labels.csv")
    paths, sizes, named = _paths(folder, identities)
    known = identities.keys() | named
    faces = _faces(folder / "faces.csv", known)
    not_kept = _dropped(folder / "clean.csv", known)
    kept = {image_id: identities.get(image_id, "") for image_id in paths.keys() - not_kept}
    groups = {row["image_id"]: row["group"] for _, row in _if_there(folder / "groups.csv")}
    side_of = sides(kept, groups, shares)
    rows = []
    for image_id in sorted(paths if dropped else kept):
        table = "faces.csv" if image_id in faces else "labels.csv"
        found = faces.get(image_id) or labels.get(image_id) or Labels()
        side = side_of.get(image_id, "")
        identity, size = identities.get(image_id, ""), sizes.get(image_id, (0, 0))
        rows.append(Row(image_id, identity, paths[image_id], found.boxes, found.ignore, table, found.lines, side, size))
    return rows


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Height and width of each photo of which downloads.csv, if it is there, says them."""
    return _paths(folder, {})[1] if (folder / "downloads.csv").exists() else {}


def _labels(path: Path) -> tuple[dict[str, Labels], dict[str, str]]:
    """Boxes, and the identity, of each image_id in labels.csv."""
    labels: dict[str, Labels] = {}
    identities: dict[str, str] = {}
    repeated: list[int] = []
    for line, row in enumerate(tables.rows(path), start=2):
        one, box = labels.setdefault(row["image_id"], Labels()), tables.box(row, path, line)
        if box in one.boxes:
            repeated.append(line)
        else:
            one.boxes.append(box)
            one.lines.append(line)
        identity = identities.setdefault(row["image_id"], row["identity"])
        if identity != row["identity"]:
            raise InputError(
                f"labels.csv row {line}: {row['image_id']} is {row['identity']!r}, and {identity!r} above; two photos "
                "cannot share an image_id, nor one have two identities: correct or remove the row"
            )
    _say_repeated(path, repeated)
    return labels, identities


def _say_repeated(path: Path, lines: list[int]) -> None:
    if lines:
        more = f" and {len(lines) - 10} more" if len(lines) > 10 else ""
        some = ", ".join(map(str, lines[:10]))
        say(
            f"{path.name}: {counted(len(lines), 'row repeats', 'rows repeat')} the box of a row above, which counts "
            f"once: row {some}{more}"
        )


def _faces(path: Path, known: set[str]) -> dict[str, Labels]:
    """Boxes to learn from and boxes to leave out, by image_id, from faces.csv if it is there."""
    faces: dict[str, Labels] = {}
    repeated: list[int] = []
    for line, row in _if_there(path):
        if row["image_id"] not in known:
            raise InputError(
                f"faces.csv row {line}: labels.csv has no {row['image_id']!r}; run `python -m clean` again"
            )
        if row["use"] not in ("train", "ignore"):
            raise InputError(f"faces.csv row {line}: use is {row['use']!r}; it must be train or ignore")
        one = faces.setdefault(row["image_id"], Labels())
        box = tables.box(row, path, line)
        if box in (one.ignore if row["use"] == "ignore" else one.boxes):
            repeated.append(line)
        elif row["use"] == "ignore":
            one.ignore.append(box)
        else:
            one.boxes.append(box)
            one.lines.append(line)
    _say_repeated(path, repeated)
    return faces


def _paths(folder: Path, identities: dict[str, str]) -> tuple[dict[str, Path], dict[str, tuple[int, int]], set[str]]:
    """Where each photo lies, how large it is as far as known, and all that downloads.csv names.

    downloads.csv may name photos without any label: pictures with no face.
    """
    if not (folder / "downloads.csv").exists():
        return _found(folder, identities), {}, set()
    paths: dict[str, Path] = {}
    sizes: dict[str, tuple[int, int]] = {}
    named: set[str] = set()
    for line, row in _if_there(folder / "downloads.csv"):
        image_id = row["image_id"]
        named.add(image_id)
        if row["status"] != "ok":
            continue
        path = folder / row["path"]
        if not row["path"]:
            raise InputError(f"downloads.csv row {line}: {image_id} is ok and has no path; drop the row")
        if paths.setdefault(image_id, path) != path:
            raise InputError(
                f"downloads.csv row {line}: two photos for {image_id}: {row['path']}, and "
                f"{paths[image_id].relative_to(folder).as_posix()} above; drop one of the rows"
            )
        if row["width"] and row["height"]:
            table = folder / "downloads.csv"
            sizes[image_id] = tuple(int(tables.number(row, side, table, line)) for side in ("height", "width"))  # type: ignore[bad-assignment]
    return paths, sizes, named


def _found(folder: Path, identities: dict[str, str]) -> dict[str, Path]:
    """The labelled photos below images/."""
    images = folder / "images"
    if not images.is_dir():
        raise InputError(f"{folder} has neither downloads.csv nor images/; run `python -m download images` first")
    found: dict[str, Path] = {}
    for path in sorted(images.rglob("*")):
        image_id = path.relative_to(images).with_suffix("").as_posix()
        if path.suffix.lower() not in SUFFIXES or image_id not in identities:
            continue
        if image_id in found:
            raise InputError(
                f"{folder / 'labels.csv'}: two photos for {image_id}: {found[image_id].name} and {path.name} in "
                f"{path.parent}; remove one"
            )
        found[image_id] = path
    return found


def _dropped(path: Path, known: set[str]) -> set[str]:
    """The image_ids that clean.csv does not keep, if it is there."""
    dropped = set()
    for line, row in _if_there(path):
        if row["image_id"] not in known:
            raise InputError(
                f"clean.csv row {line}: neither labels.csv nor downloads.csv has {row['image_id']!r}; "
                "run `python -m clean` again"
            )
        if row["keep"] not in ("0", "1"):
            raise InputError(f"clean.csv row {line}: keep is {row['keep']!r}; it must be 0 or 1")
        if row["keep"] == "0":
            dropped.add(row["image_id"])
    return dropped


def _if_there(path: Path) -> Iterator[tuple[int, tables.Row]]:
    return enumerate(tables.rows(path), start=2) if path.exists() else iter(())
