"""Other people's labels into our tables. So far: a CSV of boxes."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from dataset import tables
from visavis.command import InputError
from visavis.images import EXTENSIONS, ImageError, find, inspect, read_bytes

CSV_COLUMNS = ("image", "x1", "y1", "x2", "y2")


def import_csv(source: Path, out: Path, negatives: Path | None = None) -> tuple[int, int, int]:
    """Make a data folder of photos and a CSV with the columns of `CSV_COLUMNS`, one row a face.

    source: the CSV; its `image` paths are relative to its folder or to images/ beside it. A row with
    empty coordinates stands for a photo without a face. An `identity` column is kept where there is one.
    negatives: a folder of photos without any face, all of them added.

    Photos are linked (copied where the file system cannot). Each is decoded first; one that cannot be
    is a row with its reason. Returns photos, faces, and photos that failed.
    Raises InputError for bad rows, missing photos, and where `out` holds a data folder already.
    """
    if (out / "labels.csv").exists():
        raise InputError(f"{out} holds labels already; give another --out")
    labels: list[dict[str, object]] = []
    photos: dict[str, Path] = {}
    for line, row in enumerate(tables.rows(source, CSV_COLUMNS), start=2):
        image_id = _image_id(row["image"], source, line)
        if photos.setdefault(image_id, Path(row["image"])) != Path(row["image"]):
            raise InputError(f"{source} row {line}: {row['image']} and {photos[image_id]} differ only in their ending")
        if any(row[side] for side in ("x1", "y1", "x2", "y2")):
            x1, y1, x2, y2 = tables.box(row, source, line)
            labels.append({"image_id": image_id, "identity": row.get("identity", "")} | _box(x1, y1, x2, y2))
    located = {image_id: _locate(source.parent, image) for image_id, image in photos.items()}
    for path in _photos_in(negatives):
        located[f"negatives/{path.relative_to(negatives or path).with_suffix('').as_posix()}"] = path
    results = [_take(image_id, path, out) for image_id, path in tqdm(located.items(), desc="import", unit="photo")]
    tables.write(out / "downloads.csv", results)
    tables.write(out / "labels.csv", labels)
    failed = sum(row["status"] != "ok" for row in results)
    return len(results), len(labels), failed


def _image_id(image: str, source: Path, line: int) -> str:
    path = PurePosixPath(image.replace("\\", "/"))
    if not image or path.is_absolute() or ".." in path.parts or "\0" in image:
        raise InputError(f"{source} row {line}: image is {image!r}; it must be a path inside {source.parent}")
    return path.with_suffix("").as_posix()


def _box(x1: float, y1: float, x2: float, y2: float) -> dict[str, object]:
    return {"url": "", "x1": x1, "y1": y1, "x2": x2, "y2": y2, "pose": "", "score": "", "curated": ""}


def _locate(folder: Path, image: Path) -> Path:
    beside, below = folder / image, folder / "images" / image
    return below if below.exists() and not beside.exists() else beside


def _photos_in(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        return
    if not folder.is_dir():
        raise InputError(f"--negatives {folder} is no folder")
    yield from find(folder)


def _take(image_id: str, path: Path, out: Path) -> dict[str, object]:
    """Link one photo into the data folder; its row of downloads.csv."""
    try:
        data = read_bytes(path)
        header = inspect(data)
    except ImageError as error:
        return {"image_id": image_id, "status": "failed", "reason": error.reason}
    goal = out / "images" / f"{image_id}{EXTENSIONS[header.format]}"
    goal.parent.mkdir(parents=True, exist_ok=True)
    goal.unlink(missing_ok=True)
    try:
        os.link(path, goal)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(path, goal)
    return {
        "image_id": image_id,
        "status": "ok",
        "path": goal.relative_to(out).as_posix(),
        "width": header.width,
        "height": header.height,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "attempts": 0,
    }
