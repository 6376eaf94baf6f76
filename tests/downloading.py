"""Runs of python -m download images for tests: the labels, the options, and what is there afterwards."""

import io
import zlib
from pathlib import Path

from PIL import Image
from skimage import data as photos

from dataset import tables
from download import images


def encoded(format: str, mode: str = "RGB") -> bytes:
    """A photo of 96 x 80 pixels in this format."""
    stream = io.BytesIO()
    Image.fromarray(photos.astronaut()).resize((96, 80)).convert(mode).save(stream, format)
    return stream.getvalue()


PHOTO = encoded("JPEG")
HUGE = bytearray(encoded("PNG"))
HUGE[16:24] = (60000).to_bytes(4, "big") * 2  # a header that says 60,000 x 60,000
HUGE[29:33] = zlib.crc32(HUGE[12:29]).to_bytes(4, "big")


def labels(data: Path, urls: dict[str, str]) -> Path:
    """A data folder with a labels.csv: image_id -> address."""
    tables.write(
        data / "labels.csv",
        (
            {"image_id": image_id, "identity": image_id.partition("/")[0], "url": url}
            | {"x1": 1, "y1": 1, "x2": 9, "y2": 9, "pose": 3, "score": 1, "curated": 1}
            for image_id, url in urls.items()
        ),
    )
    return data


def options(data: Path, **changes) -> images.Options:
    """Options of a run that waits for nothing, and may connect to this machine."""
    quick = {"timeout": 90.0, "deadline": 90.0, "backoff": 0.05, "allow_private": True, "connections": 8}
    return images.Options(data=data, **quick | changes)


def downloads(data: Path) -> dict[str, dict[str, str]]:
    """image_id -> its row of downloads.csv."""
    rows = list(tables.rows(data / "downloads.csv"))
    assert len({row["image_id"] for row in rows}) == len(rows), "one row an image"
    return {row["image_id"]: row for row in rows}


def files(data: Path) -> dict[str, bytes]:
    """Every file in the folder of photos."""
    found = (path for path in (data / "images").rglob("*") if path.is_file())
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in found}
