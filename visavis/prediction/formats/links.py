"""Links to the pictures that a format speaks of, in the folders where it looks for them."""

import os
from collections.abc import Callable
from pathlib import Path

from visavis.errors import InputError
from visavis.prediction.shots import Shot


def link(shot: Shot, folder: Path) -> None:
    """A symbolic link to the picture, where the format looks for it."""
    goal = folder / shot.name
    goal.parent.mkdir(parents=True, exist_ok=True)
    goal.unlink(missing_ok=True)
    try:
        os.symlink(os.path.abspath(shot.file), goal)
    except OSError as error:
        raise InputError(f"cannot make the link {goal}: {error.strerror}; leave out `format` yolo and voc") from None


def forget(pictures: Path, told: Callable[[Path], Path]) -> None:
    """Remove the links that an earlier run made, perhaps to other pictures, each with what is told of it."""
    for folder, _, names in os.walk(pictures):
        for link in (Path(folder, name) for name in names):
            if link.is_symlink():
                told(link).unlink(missing_ok=True)
                link.unlink()
