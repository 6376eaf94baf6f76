"""YOLO: data.yaml, and a text file per photo with one line per box: class, centre, width and height as shares.

It cannot store boxes to ignore or identities: an export leaves out both, and says so.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from dataset.formats import imported
from dataset.formats.imported import ImportedPhoto, Wanted
from dataset.formats.names import moved, resolved, texts_in
from dataset.photos import Photos
from visavis.errors import InputError
from visavis.formats import yolo
from visavis.formats.yolo import PARTS
from visavis.images import find, header
from visavis.messages import counted, say
from visavis.texts import read_text

LARGEST_SHARE = 1.5
"""A box may extend beyond the photo, but a number larger than this must be in pixels."""


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of all splits that a data.yaml names, or of a folder with classes.txt (Label Studio) or obj.data
    (CVAT's YOLO 1.1). A photo without a label file, or with an empty one, has no face.

    image_ids are paths below the splits' common folder, without its images/; our own split decides where a photo
    belongs.
    """
    source, held = _described(source)
    names, points = _names(held["names"], source), _points(held, source)
    root = _plain(source.parent / str(held.get("path") or "."))
    if not root.is_dir():
        root = _plain(source.parent)
    photos = []
    for image, (path, labels) in _images(held, root, wanted, source).items():
        photos.append((ImportedPhoto(image, path, str(path), of_shares=True), _rows(labels, names, points, source)))
    used = Counter(number for _, rows in photos for number, _, _ in rows)
    classes = imported.face_classes(used, names, wanted.category, str(source))
    left_out: list[str] = []
    for one, rows in photos:
        size = header(one.path) if rows else None  # None if it cannot be read, which downloads.csv will say
        for number, (x, y, width, height), where in rows if size else ():
            high, wide = size or (0, 0)
            box = ((x - width / 2) * wide, (y - height / 2) * high, (x + width / 2) * wide, (y + height / 2) * high)
            if number in classes and imported.usable(box, where, left_out):
                one.boxes.append(box)
        yield one
    imported.say_left_out(left_out)


def _rows(labels: Path, names: dict[float, str], points: int, source: Path) -> list[tuple[float, list[float], str]]:
    """For each box of a photo: its class, the shares x y width height, and its file and row. Raises InputError."""
    rows = []
    for line, text in enumerate(_text(labels).splitlines() if labels.exists() else (), start=1):
        fields, where = text.split(), f"{labels} row {line}"
        if not fields:
            continue
        number, *values = imported.numbers(fields, where)
        if number not in names:
            raise InputError(f"{where}: {source} names no class {fields[0]}; correct the row or the names")
        rows.append((number, _shares(values, where, points), where))
    return rows


def write(photos: Photos, out: Path) -> None:
    """Write data.yaml, images/, labels/, and train.txt, val.txt and test.txt, which name the photos of each split."""
    listed: dict[str, list[str]] = {part: [] for part in PARTS}
    for photo in photos:
        picture = out / "images" / imported.exported(photo)
        imported.linked(photo.path, picture)
        size = imported.size_of(photo)
        lines = [yolo.label(box, size) for box in photo.boxes.astype(float).tolist()]
        path = yolo.labels_of(picture)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8")
        listed[photo.side or "train"].append(f"./images/{imported.exported(photo)}\n")
    for part, names in listed.items():
        (out / f"{part}.txt").write_text("".join(names), encoding="utf-8")
    (out / "data.yaml").write_text(yolo.settings({part: f"{part}.txt" for part in PARTS}), encoding="utf-8")
    ignored, known = sum(len(photo.ignore) for photo in photos), sum(bool(photo.identity) for photo in photos)
    if ignored or known:
        say(
            f"YOLO cannot store {counted(ignored, 'box', 'boxes')} to ignore and the identities of "
            f"{counted(known, 'photo')}: they are left out"
        )


def _images(held: dict[str, Any], root: Path, wanted: Wanted, source: Path) -> dict[str, tuple[Path, Path]]:
    """Name (below images/) -> path and label file of all photos of all splits.

    An export may name its photos without containing them, or have only label files: then photos are looked for in
    `wanted.images`.
    """
    paths: dict[Path, None] = {}
    for part in PARTS:
        entries = held.get(part) or []
        entries = [entries] if isinstance(entries, str) else entries
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise InputError(f"{source}: {part} is {entries!r}; it must name a folder, a list of photos, or several")
        for entry in entries:
            place = _plain((wanted.images or root) / entry)
            if not place.exists():
                place = moved(entry, root)
            labels = place.parent / "labels"
            if place.is_dir() and (found := list(find(place))):
                paths |= dict.fromkeys(found)
            elif place.suffix == ".txt" and place.exists():
                lines = [line.strip() for line in _text(place).splitlines() if line.strip()]
                paths |= dict.fromkeys(_listed(place.parent, line) for line in lines)
            elif place.name == "images" and labels.is_dir() and wanted.images:
                names = sorted(path.relative_to(labels) for path in labels.rglob("*.txt"))
                paths |= dict.fromkeys(place / name.with_suffix("") for name in names)
            elif not place.is_dir():
                raise InputError(f"{source}: {part} is {entry!r}, and there is no folder or list at {place}")
    if not paths:
        raise InputError(f"{source} names no photo under train, val or test; give the photos' folder as `images`")
    images: dict[str, tuple[Path, Path]] = {}
    elsewhere, labelled_by = [], set()
    for path in paths:
        try:
            parts = path.relative_to(root).parts
        except ValueError:
            raise InputError(f"{source}: {path} lies outside {root}; set path: in it") from None
        name = PurePosixPath(
            *(part for number, part in enumerate(parts) if number != yolo.images_folder(parts))
        ).as_posix()
        usual, stem = yolo.labels_of(path), path.name  # the whole name: for one with a dot and without an ending
        labels = texts_in(usual.parent).get(usual.stem) or texts_in(usual.parent).get(stem) or usual
        labelled_by.add(labels)
        if not path.exists():
            image, place, other = resolved(path.name, [wanted.images or path.parent])
            if other:
                elsewhere.append(f"{name} is taken for {image}")
            name = image if wanted.images else PurePosixPath(name).with_name(place.name).as_posix()
            path = place
        images[name] = path, labels
    imported.say_some("photo has", "photos have", "another name than in its file:", elsewhere)
    _say_unpaired([labels for _, labels in images.values()], labelled_by, source)
    return images


def _say_unpaired(labels: list[Path], labelled_by: set[Path], source: Path) -> None:
    """Report photos without a label file, and label files without a photo. Raises InputError if no photo has one."""
    without = [str(path) for path in labels if not path.exists()]
    if len(without) == len(labels):
        raise InputError(f"{source}: no photo has a label file, such as {without[0]}; give a folder with both")
    imported.say_some("photo has", "photos have", "no label file, and so no face; missing:", without)
    folders = {path.parent for path in labelled_by if "labels" in path.parts}
    alone = {path for folder in folders for path in texts_in(folder).values()} - labelled_by
    imported.say_some(
        "label file belongs",
        "label files belong",
        "to no photo; left out:",
        sorted(str(one) for one in alone if one.name != "classes.txt"),
    )


def _listed(folder: Path, line: str) -> Path:
    """A photo in a list of names, perhaps of another machine; CVAT's begin with data/, also if its archive has no such
    folder."""
    path = _plain(folder / line)
    if path.exists():
        return path
    other = moved(line, folder)
    if other.exists():
        return other
    name = _plain(folder / line.replace("\\", "/").removeprefix("data/"))
    return name if yolo.labels_of(name).exists() else path


def _shares(values: list[float], where: str, points: int = 0) -> list[float]:
    """x y width height of a row, as shares of the photo's width and height: of a box, perhaps followed by keypoints
    (`points` numbers) or a score, or of the box around a polygon. Raises InputError for any other number of values, and
    for pixels."""
    if points and len(values) not in (4, 5, 4 + points, 5 + points):
        raise InputError(f"{where}: {1 + len(values)} fields, not class x y width height and {points} numbers of "
                         "keypoints, as kpt_shape says; correct or remove it")  # fmt: skip
    if points or len(values) in (4, 5) or _with_visibility(values):
        values = values[:4]
    if any(abs(value) > LARGEST_SHARE for value in values):
        raise InputError(f"{where}: {values} seem to be pixels; YOLO takes shares of the photo's sides, 0 to 1")
    if len(values) == 4:
        return values
    if len(values) < 6 or len(values) % 2:
        raise InputError(
            f"{where}: {1 + len(values)} fields, not class x y width height or a polygon; correct or remove it"
        )
    across, down = values[::2], values[1::2]
    (left, right), (top, bottom) = (min(across), max(across)), (min(down), max(down))
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def _with_visibility(values: list[float]) -> bool:
    """Whether a row has keypoints although its source names no kpt_shape: every third number after the box is a
    visibility, 0 to 2, and the numbers cannot be those of a polygon."""
    marks = values[6::3]
    pairs = len(values) % 2 == 0 and 2 not in marks
    return bool(marks) and (len(values) - 4) % 3 == 0 and set(marks) <= {0, 1, 2} and not pairs


def _points(held: dict[str, Any], source: Path) -> int:
    """The number of a row's values for keypoints according to kpt_shape (their count, and 2 or 3 numbers each); 0
    without one. Raises InputError."""
    shape = held.get("kpt_shape")
    if shape is None:
        return 0
    if not isinstance(shape, list) or len(shape) != 2 or type(shape[0]) is not int or shape[1] not in (2, 3):
        raise InputError(f"{source}: kpt_shape is {shape!r}; it must be the number of keypoints, and 2 or 3: [5, 3]")
    return shape[0] * shape[1]


def _names(names: list[Any] | dict[Any, Any], source: Path) -> dict[float, str]:
    """Number -> name of each class. Raises InputError."""
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if all(isinstance(name, int) for name in names.values()):  # some files map names to numbers
        return {number: str(name) for name, number in names.items()}
    try:
        return {int(number): str(name) for number, name in names.items()}
    except (TypeError, ValueError):
        raise InputError(
            f"{source}: names is {names!r}; it must be a list, or have number: name for each class"
        ) from None


def _described(source: Path) -> tuple[Path, dict[str, Any]]:
    """The content of a data.yaml, or of what another tool writes in its place; and the path of that file."""
    if source.name in ("classes.txt", "obj.data", "obj.names"):
        source = source.parent
    if not source.is_dir():
        return source, _parsed(source)
    described = described_in(source)
    if described and described.suffix in (".yaml", ".yml"):
        return described, _parsed(described)
    if (source / "obj.data").is_file():
        pairs = (line.partition("=") for line in _text(source / "obj.data").splitlines())
        held: dict[str, Any] = {key.strip(): value.strip().removeprefix("data/") for key, _, value in pairs}
        return source / "obj.data", held | {
            "names": _lines(source / held.get("names", "obj.names")),
            "val": held.get("valid"),
        }
    if described:
        source = source.parent if source.name == "labels" else source
        photos = "images" if (source / "images").is_dir() or (source / "labels").is_dir() else "."
        return source / "classes.txt", {"names": _lines(described), "train": photos}
    raise InputError(
        f"{source} has no data.yaml, classes.txt or obj.data; give a folder in one of YOLO's layouts, or write the "
        "names of the classes into classes.txt there, one a line"
    )


def described_in(folder: Path) -> Path | None:
    """The file in a folder that names the classes: Ultralytics' data.yaml or the only YAML file, CVAT's obj.data, or
    classes.txt by Label Studio, or by labelImg, which puts it beside the labels; None if there is none."""
    yamls = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml")) if folder.is_dir() else []
    usual = [path for path in yamls if path.stem in ("data", "dataset")]
    texts = [folder / name for name in ("obj.data", "classes.txt", "labels/classes.txt")]
    found = [*usual, *(yamls if len(yamls) == 1 else []), *(path for path in texts if path.is_file())]
    return found[0] if found else None


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in _text(path).splitlines() if line.strip()]


def _plain(path: Path) -> Path:
    """An absolute path without `.` and `..`; links in it stay."""
    return Path(os.path.abspath(path))


def _parsed(source: Path) -> dict[str, Any]:
    import yaml

    try:
        held = yaml.safe_load(_text(source))
    except yaml.YAMLError as error:
        raise InputError(f"{source} is not YAML: {error}") from None
    if isinstance(held, dict) and isinstance(held.get("names"), str):
        held["names"] = [held["names"]]
    if not isinstance(held, dict) or not isinstance(held.get("names"), dict | list):
        raise InputError(f"{source} is not YOLO's data.yaml: it has no names")
    return {"val": held.get("valid")} | held


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        raise InputError(f"{path} is not there; give YOLO's data.yaml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
