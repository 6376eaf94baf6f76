"""Data folders for the cleaner, and runs of it."""

import hashlib
import os
import subprocess
from pathlib import Path

import numpy as np
import skimage.data
from typed import Done, started, typed

from dataset import tables
from visavis import images

ASTRONAUT = skimage.data.astronaut()
FACE = (181.0, 70.0, 271.0, 180.0)
"""Where the astronaut's face is, hairline to chin."""


class Folder:
    """A data folder in the making."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.labels: list[dict] = []
        self.downloads: list[dict] = []

    def add(self, image_id: str, data: bytes | None, face: tuple[float, ...] | None = FACE, curated: int = 0) -> None:
        """One image: data is its file's bytes, None for a file that is gone; face its label, None for no label."""
        path = f"images/{image_id}.jpg"
        identity = image_id.split("/")[0]
        if data is not None:
            (self.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self.path / path).write_bytes(data)
        if face is not None:
            corners = dict(zip(("x1", "y1", "x2", "y2"), face, strict=True))
            self.labels.append({"image_id": image_id, "identity": identity, "url": "", "curated": curated} | corners)
        digest = hashlib.sha256(data or b"").hexdigest()
        self.downloads.append({"image_id": image_id, "status": "ok", "path": path, "sha256": digest})

    def write(self) -> Path:
        tables.write(self.path / "labels.csv", self.labels)
        tables.write(self.path / "downloads.csv", self.downloads)
        return self.path


def clean(*arguments: str | Path) -> Done:
    """A run of the cleaner in this process."""
    return typed("-m", "clean", *arguments)


def apart(*arguments: str | Path, **more: str) -> Done:
    """The same in a process of its own, whose workers' words are seen too. more: for its environment."""
    running = started("-m", "clean", *arguments, stdout=subprocess.PIPE, env=os.environ | more)
    out, errors = running.communicate(timeout=1000)
    return Done(running.returncode, out, errors)


def verdicts(folder: Path) -> dict[str, tuple[str, str]]:
    """image_id -> whether it is kept, and why not."""
    return {row["image_id"]: (row["keep"], row["reason"]) for row in tables.rows(folder / "clean.csv")}


def jpeg(picture: np.ndarray, quality: int = 90) -> bytes:
    return images.encode(picture, quality=quality)
