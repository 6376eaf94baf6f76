"""Label Studio's own JSON: a list of tasks, or JSON-MIN. Boxes are percents of the photo as displayed."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from dataset.formats import imported
from dataset.formats.imported import Box, ImportedPhoto, Wanted
from dataset.formats.json_file import parsed
from dataset.formats.names import resolved
from dataset.formats.sizes import same_shape
from visavis.errors import InputError
from visavis.images import SUFFIXES, header

LABELS = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
SHAPES = ("rectangle", "polygon", "ellipse")
LARGEST_PERCENT = 150
"""A shape may extend beyond the photo, but a number larger than this must be in pixels."""

Value = dict[str, Any]


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of an export. Of a task that several people labelled, the ground truth is taken, else the annotation
    that was changed last; one that nobody labelled, or that was skipped, is left out. Raises InputError."""
    tasks = _parsed(source)
    folders = [wanted.images] if wanted.images else [source.parent, source.parent / "images"]
    photos: list[tuple[ImportedPhoto, list[tuple[str, Value]]]] = []
    unlabelled, several, elsewhere, left_out = [], [], [], []  # type: list[str], list[str], list[str], list[str]
    others: Counter[str] = Counter()
    for where, held, annotations in tasks:
        name = _photo(held, where)
        done = [one for one in annotations if not one.get("was_cancelled")]
        if not done:
            unlabelled.append(name)
            continue
        if len(done) > 1:
            several.append(f"{name} ({len(done)})")
        last = max(done, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at", ""))))
        image, place, other = resolved(name, folders)
        if other:
            elsewhere.append(f"{name} is taken for {place.name}")
        photos.append(
            (ImportedPhoto(image, place, where, displayed=True, of_shares=True), list(_regions(last["result"], others)))
        )
    used = Counter(label for _, regions in photos for label, _ in regions)
    classes = imported.face_classes(used, {name: name for name in used}, wanted.category, str(source)) if used else ()
    for one, regions in photos:
        size = header(one.path) if regions else None  # without a size it cannot be read, which downloads.csv will say
        for number, (label, value) in enumerate(regions, start=1) if size else ():
            where = f"{one.where} region {number}"
            if label in classes and imported.usable(box := _box(value, size or (0, 0), where), where, left_out):
                one.boxes.append(box)
        yield one
    imported.say_some("task was", "tasks were", "not labelled, or skipped; left out:", unlabelled)
    imported.say_some(
        "task has", "tasks have", "several annotations; the ground truth or the last one is taken:", several
    )
    imported.say_some("photo has", "photos have", "another name than in its file:", elsewhere)
    imported.say_some(
        "kind of regions is",
        "kinds of regions are",
        "left out:",
        [f"{kind} ({count})" for kind, count in others.items()],
    )
    imported.say_left_out(left_out)


def _regions(results: list[Any], others: Counter[str]) -> Iterator[tuple[str, Value]]:
    """Label and value of each shape of an annotation; `others` counts regions of other kinds. A shape that was drawn
    without a label has its kind as its label."""
    flat: list[Value] = [one | (one.get("value") or {}) if isinstance(one, dict) else {} for one in results]
    have = {one.get("id") for one in flat if any(key in one for key in LABELS)}
    for one in flat:
        labels = next((one[key] for key in LABELS if key in one), None)
        kind = str(one.get("type", ""))
        if not {"width", "points", "radiusX"} & one.keys() or kind.startswith(("keypoint", "brush", "vector")):
            others[kind or "without a type"] += 1
        elif labels:
            yield " ".join(map(str, labels)).strip(), one
        elif kind in SHAPES and one.get("id") not in have:
            yield kind, one


def _box(value: Value, size: tuple[int, int], where: str) -> Box:
    """The upright box of a shape, in pixels of a photo of that size as displayed. Raises InputError.

    A rectangle is turned clockwise about its first corner, an ellipse about its centre."""
    height, width = size
    labelled = imported.size_in(value, where, "original_height", "original_width")
    if labelled and min(labelled) > 0:
        high, wide = labelled
        if not same_shape((high, wide), size) and not same_shape((wide, high), size):
            raise InputError(f"{where}: labels for {wide} x {high} pixels, and the photo has {width} x {height}; give "
                             "the photo that they were made for")  # fmt: skip
    if "points" in value:
        points = [imported.numbers(map(str, point), where) for point in value["points"]]
        if len(points) < 3 or any(len(point) != 2 for point in points):
            raise InputError(f"{where}: points is {value['points']}, not three or more of [x, y]; correct or remove it")
        return imported.around((x * width / 100, y * height / 100) for x, y in points)
    names = ("x", "y", "radiusX", "radiusY") if "radiusX" in value else ("x", "y", "width", "height")
    across, down, wide, high = imported.numbers([str(value.get(name)) for name in names], where)
    (degrees,) = imported.numbers([str(value.get("rotation") or 0)], where)
    if max(across, down, wide, high) > LARGEST_PERCENT:
        raise InputError(f"{where}: {across:g}, {down:g}, {wide:g}, {high:g} seem to be pixels; Label Studio has "
                         "percent of the photo's sides")  # fmt: skip
    x, y, wide, high = across * width / 100, down * height / 100, wide * width / 100, high * height / 100
    if "radiusX" in value:
        return imported.around_ellipse((x - wide, y - high, x + wide, y + high), degrees)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = x + (wide * cosine - high * sine) / 2, y + (wide * sine + high * cosine) / 2  # the centre
    return imported.around_ellipse((x - wide / 2, y - high / 2, x + wide / 2, y + high / 2), degrees)


def _photo(held: Value, where: str) -> str:
    """The photo's path in the task, which is a URL, or a path on the server. Raises InputError."""
    named = {key: text for key, text in held.items() if isinstance(text, str)}
    paths = {key: _path(text) for key, text in named.items()}
    likely = [key for key, path in paths.items() if Path(path).suffix.lower() in SUFFIXES]
    chosen = "image" if "image" in paths else likely[0] if len(likely) == 1 else None
    if chosen is None:
        listed = ", ".join(named) or "nothing"
        raise InputError(f"{where} does not say which of its data is the photo ({listed}); call it image")
    return paths[chosen]


def _path(text: str) -> str:
    """`/data/upload/1/a.jpg`, `/data/local-files/?d=mine/a.jpg`, `s3://bucket/a.jpg`, or a URL, as a path."""
    parts = urlsplit(text.replace("\\", "/"))
    inside = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    return inside.lstrip("/")


def _parsed(source: Path) -> list[tuple[str, Value, list[Value]]]:
    """For each task: where it is, its data, and its annotations. Raises InputError."""
    held = parsed(source, "Label Studio's JSON or JSON-MIN")
    if not isinstance(held, list) or not held:
        raise InputError(f"{source} is not an export of Label Studio: it has no list of tasks")
    tasks: dict[object, tuple[str, Value, list[Value]]] = {}
    for number, task in enumerate(held):
        where = f"{source} task {task['id'] if isinstance(task, dict) and 'id' in task else number}"
        if not isinstance(task, dict) or not isinstance(task.get("data", {}), dict):
            raise InputError(f"{where} is not a task of Label Studio; correct or remove it")
        if "data" in task:
            done = task.get("annotations", task.get("completions", []))
            if not isinstance(done, list) or not all(
                isinstance(one, dict) and isinstance(one.get("result"), list) for one in done
            ):
                raise InputError(f"{where}: annotations is not a list of annotations; correct or remove it")
            tasks[number] = where, task["data"], done
        else:  # JSON-MIN: one entry per annotation, with its regions under the name of the tag
            regions = [one for value in task.values() if isinstance(value, list) for one in value]
            annotation = {"result": regions, "updated_at": task.get("updated_at", "")}
            tasks.setdefault(("id", task.get("id", number)), (where, task, []))[2].append(annotation)
    return list(tasks.values())
