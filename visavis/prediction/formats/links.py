"""Symbolic links to the pictures that a format refers to, in the folder where it expects them."""

import os
from collections.abc import Callable
from pathlib import Path

from visavis.errors import InputError
from visavis.prediction.shots import Shot


def link(shot: Shot, folder: Path) -> None:
    """Link to the picture from the folder where the format expects it. Raises InputError."""
    goal = folder / shot.name
    goal.parent.mkdir(parents=True, exist_ok=True)
    goal.unlink(missing_ok=True)
    try:
        os.symlink(os.path.abspath(shot.file), goal)
    except OSError as error:
        raise InputError(
            f"cannot make the symbolic link {goal}: {error.strerror}; leave out `format` yolo and voc"
        ) from None


def remove_links(pictures: Path, labels_of: Callable[[Path], Path]) -> None:
    """Remove the links that an earlier run made, perhaps to other pictures, each with its file of labels."""
    for folder, _, names in os.walk(pictures):
        for link in (Path(folder, name) for name in names):
            if link.is_symlink():
                labels_of(link).unlink(missing_ok=True)
                link.unlink()
