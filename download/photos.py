"""The photos on disk: each gets its name only once it is complete, and no other file remains."""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from visavis import images

_PARTIAL = ".partial"  # the folder in images/ for what is being written


class Photos:
    """The folder images/ of a data folder. Several processes may save at once; one of them, the run, enters it."""

    def __init__(self, data: Path) -> None:
        self.folder = data / "images"
        self._partial = self.folder / _PARTIAL
        self._old: set[str] = set()
        self._made: set[Path] = set()

    def __enter__(self) -> "Photos":
        if self.folder.is_dir():  # only there may a killed run have left a photo without its row
            self._old = {path.name for path in self.folder.iterdir()}
        shutil.rmtree(self._partial, ignore_errors=True)  # a killed run's
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)

    def save(self, image_id: str, extension: str, data: bytes) -> str:
        """Write the photo; returns its path in the data folder."""
        name = f"{image_id}{extension}"
        path, temporary = self.folder / name, self._partial / str(os.getpid())
        for folder in (self._partial, path.parent):
            if folder not in self._made:
                folder.mkdir(parents=True, exist_ok=True)
                self._made.add(folder)
        temporary.write_bytes(data)
        os.replace(temporary, path)
        return f"{self.folder.name}/{name}"

    def kept(self, image_ids: Iterable[str]) -> bytes:
        """The photo of one of these images that a killed run saved, but did not record; otherwise no bytes."""
        for image_id in image_ids:
            if image_id.partition("/")[0] in self._old:
                for extension in images.EXTENSIONS.values():
                    with contextlib.suppress(FileNotFoundError):
                        return (self.folder / f"{image_id}{extension}").read_bytes()
        return b""

    def remove(self, image_id: str) -> None:
        """Remove the image's photo, whatever its format."""
        for extension in images.EXTENSIONS.values():
            (self.folder / f"{image_id}{extension}").unlink(missing_ok=True)
