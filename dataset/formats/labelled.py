"""What every format is turned into on its way in, `Labelled`, and the way from there into a data folder and out."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from dataset import tables
from dataset.photos import Photo
from visavis.errors import ImageError, InputError
from visavis.images import EXTENSIONS, find, header, inspect, read_bytes
from visavis.messages import say

Box = tuple[float, float, float, float]


@dataclass
class Labelled:
    """A photo as a format has it.

    image: its path as the format says it, with /; without its ending it is the image_id. path: where it lies.
    where: file and row, for messages. flags: what the format says of each of `boxes`, or "".
    """

    image: str
    path: Path
    where: str
    identity: str = ""
    boxes: list[Box] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    ignore: list[Box] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """What to take of a source.

    images: the folder that image names start from; None looks where the format usually has them.
    category: the name of the class that is a face; None: the one called face, or the only one.
    ignore_heavy: whether heavily blurred and occluded faces (WIDER FACE) are ignored instead of learnt.
    """

    images: Path | None = None
    category: str | None = None
    ignore_heavy: bool = False


def take_in(read: Callable[[], Iterable[Labelled]], out: Path, negatives: Path | None) -> tuple[int, int, int]:
    """Make the data folder `out` of what `read` gives. Returns photos, faces to learn, and photos that failed.

    Photos are linked (copied where the file system cannot). Each is decoded first; one that cannot be
    is a row with its reason. Raises InputError for bad rows, missing photos, and where `out` holds a data folder.
    """
    if (out / "labels.csv").exists():
        raise InputError(f"{out} holds labels already; give another --out")
    taken: dict[str, Labelled] = {}
    for one in read():
        image_id = image_id_of(one.image, one.where)
        if image_id in taken and taken[image_id].image != one.image:  # 1.jpg and 1.png: the second keeps its ending
            image_id = PurePosixPath(one.image).as_posix()
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
        taken[image_id] = Labelled(image, path, "")
    if not taken:
        raise InputError("the source names no photo")
    rows = [_take(image_id, one.path, out) for image_id, one in tqdm(taken.items(), desc="import", unit="photo")]
    tables.write(out / "downloads.csv", rows)
    if any(one.ignore or any(one.flags) for one in taken.values()):
        tables.write(out / "faces.csv", _face_rows(taken))
    tables.write(out / "labels.csv", _label_rows(taken))
    count = sum(len(one.boxes) for one in taken.values())
    return len(rows), count, sum(row["status"] != "ok" for row in rows)


def image_id_of(image: str, where: str) -> str:
    """A path as an image_id: without its ending. Raises InputError for one that leads elsewhere."""
    path = PurePosixPath(image.replace("\\", "/"))
    if not image or path.is_absolute() or ".." in path.parts or "\0" in image or not path.name:
        raise InputError(f"{where}: image is {image!r}; it must be a path inside the folder of photos")
    return path.with_suffix("").as_posix()


def located(image: str, folders: Iterable[Path]) -> Path:
    """The photo in the first of `folders` that has it; else in the first, where it will be told as missing."""
    places = [folder / image for folder in folders]
    return next((place for place in places if place.exists()), places[0])


def face_category(names: dict[int, str], wanted: str | None, where: str) -> int:
    """The number of the class that is a face, of number -> name. Raises InputError where that is not clear."""
    by_name = {name.lower(): number for number, name in names.items()}
    asked = (wanted or "face").lower()
    if asked in by_name:
        return by_name[asked]
    if wanted is None and len(names) == 1:
        return next(iter(names))
    raise InputError(f"{where}: no class {asked!r} among {', '.join(names.values()) or 'none'}; name it by --category")


def usable(box: Box, where: str, left_out: list[str]) -> bool:
    """Whether a box has an area; if not, `left_out` gets its row. Raises InputError where it is not finite."""
    if any(value != value or abs(value) == float("inf") for value in box):
        raise InputError(f"{where}: the box {box} has a side that is no finite number; mend or drop it")
    if box[2] > box[0] and box[3] > box[1]:
        return True
    left_out.append(where)
    return False


def tell_left_out(left_out: list[str]) -> None:
    """Say how many boxes had no area, and the rows of the first ones."""
    if left_out:
        more = f" and {len(left_out) - 10} more" if len(left_out) > 10 else ""
        say(f"{len(left_out)} boxes of no size are left out: {'; '.join(left_out[:10])}{more}")


def numbers(texts: Iterable[str], where: str) -> list[float]:
    """Texts as numbers. Raises InputError."""
    values = list(texts)
    try:
        return [float(text) for text in values]
    except ValueError:
        raise InputError(f"{where}: {' '.join(values)!r} are no numbers; mend or drop the row") from None


def size_of(photo: Photo) -> tuple[int, int]:
    """Height and width as displayed; from its file if no table says it. Raises InputError where neither does."""
    size = photo.size if min(photo.size) > 0 else header(photo.path)
    if size is None:
        raise InputError(f"{photo.path} cannot be read, and its size is needed; run `python -m clean` first")
    return size


def linked(path: Path, goal: Path) -> None:
    """The same file under another name; a copy where there are no hard links. What was there is replaced."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    goal.unlink(missing_ok=True)
    try:
        os.link(path, goal)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(path, goal)


def exported(photo: Photo) -> str:
    """The name of an exported photo: its image_id with the ending of its file."""
    return photo.image_id + photo.path.suffix


def _photos_in(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        return
    if not folder.is_dir():
        raise InputError(f"--negatives {folder} is no folder")
    yield from find(folder)


def _sides(box: Box) -> dict[str, object]:
    """Rounded to a thousandth: exact to 0.01 pixel, and short in the table."""
    return {side: round(value, 3) for side, value in zip(("x1", "y1", "x2", "y2"), box, strict=True)}


def _label_rows(taken: dict[str, Labelled]) -> Iterator[dict[str, object]]:
    """labels.csv: the boxes to learn from. Where there are none, those to ignore stand there for the identity's sake:
    of such a photo faces.csv says all."""
    for image_id, one in taken.items():
        for box in one.boxes or (one.ignore if one.identity else []):
            yield {"image_id": image_id, "identity": one.identity, **_sides(box)}


def _face_rows(taken: dict[str, Labelled]) -> Iterator[dict[str, object]]:
    """faces.csv: every box of the photos that have something to ignore, or flags."""
    for image_id, one in taken.items():
        if not one.ignore and not any(one.flags):
            continue
        for box, flag in zip(one.boxes, one.flags or [""] * len(one.boxes), strict=True):
            yield {"image_id": image_id, **_sides(box), "source": f"import {flag}".strip(), "use": "train"}
        for box in one.ignore:
            yield {"image_id": image_id, **_sides(box), "source": "import", "use": "ignore"}


def _take(image_id: str, path: Path, out: Path) -> dict[str, object]:
    """Link one photo into the data folder; its row of downloads.csv."""
    try:
        data = read_bytes(path)
        seen = inspect(data)
    except ImageError as error:
        return {"image_id": image_id, "status": "failed", "reason": error.reason}
    goal = out / "images" / f"{image_id}{EXTENSIONS[seen.format]}"
    linked(path, goal)
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
