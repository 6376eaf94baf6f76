"""Moves rejected photos to a folder, or deletes them. Their verdicts stay in the tables.

The journal is written first, so that later runs know why a file is gone, even if this one is stopped in between.
"""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from clean.inspection import Inspection, ListedPhoto
from clean.shelf import Shelf
from clean.verdicts import Verdict
from visavis.errors import InputError
from visavis.journal import Journal
from visavis.messages import counted, say

STAYS = frozenset({"missing", "unreadable", "crashed", "changed"})
"""Reasons that say nothing about the photo: there is no file, the next run inspects it again, or somebody changed it,
perhaps on purpose."""

Rejected = tuple[ListedPhoto, Inspection, Verdict]


def rejected(inspections: Iterable[tuple[ListedPhoto, Inspection]], judged: Iterable[Verdict]) -> Shelf[Rejected]:
    """The photos whose files are to be removed: judged, not kept, and still there."""
    return Shelf(
        (photo, inspection, verdict)
        for (photo, inspection), verdict in zip(inspections, judged, strict=True)
        if not verdict.keep and verdict.reason not in STAYS and not inspection.removed
    )


def quarantine(some: Sequence[Rejected], data: Path, folder: Path, journal: Path) -> int:
    """Move the files to `folder`, under their paths in the data folder; returns how many could not be moved.

    An existing file of the same name is left alone, and the new one gets a number.
    """
    failed = 0
    with Journal(journal) as file:
        for photo, inspection, verdict in some:
            place = _inside(photo.path, data)
            if place is None:
                failed += 1
                continue
            target = _free(folder / place)
            file.add(vars(replace(inspection, removed=verdict.reason, detail=f"moved to {target}; {verdict.detail}")))
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(photo.path, target)
            except OSError as error:
                failed += 1
                say(f"could not move {photo.path} to {target}: {error.strerror}")
    say(f"{counted(len(some) - failed, 'rejected photo')} moved to {folder}")
    return failed


def delete(some: Sequence[Rejected], data: Path, journal: Path, yes: bool) -> int:
    """Report the counts by reason, ask unless `yes`, and delete; returns how many could not be deleted."""
    if not some:
        say("no rejected photo to delete")
        return 0
    counts = Counter(verdict.reason for _, _, verdict in some)
    listed = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    say(f"to be deleted from {data}: {counted(len(some), 'photo')} ({listed})")
    if not yes and not _agreed():
        say("nothing was deleted")
        return 0
    failed = 0
    with Journal(journal) as file:
        for photo, inspection, verdict in some:
            if _inside(photo.path, data) is None:
                failed += 1
                continue
            file.add(vars(replace(inspection, removed=verdict.reason, detail=f"deleted; {verdict.detail}")))
            try:
                photo.path.unlink()
            except OSError as error:
                failed += 1
                say(f"could not delete {photo.path}: {error.strerror}")
    say(f"{counted(len(some) - failed, 'photo')} deleted")
    return failed


def check(data: Path, folder: Path | None, delete: bool, yes: bool) -> None:
    """Raises InputError, before any work, for options that could not be carried out at its end."""
    if folder is not None and delete:
        raise InputError("--quarantine moves what --delete would delete; leave one of them out")
    if yes and not delete:
        raise InputError("--yes answers the question of --delete; give both or neither")
    if delete and not yes and not sys.stdin.isatty():
        raise InputError("--delete asks before it deletes, and there is no terminal; add --yes")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"--quarantine {folder} is a file; give a folder")
    if folder is not None and folder.resolve() == data.resolve():
        raise InputError(f"--quarantine {folder} is the data folder itself; give another one")


def _agreed() -> bool:
    sys.stderr.write("Delete them? This cannot be undone. [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _inside(path: Path, data: Path) -> Path | None:
    """The path relative to the data folder; None for a file elsewhere, which a table may name, and which must stay."""
    place = Path(os.path.normpath(path.absolute())).parent.resolve() / path.name
    if not place.is_relative_to(data.resolve()):
        say(f"not removed: {path} lies outside the data folder")
        return None
    return place.relative_to(data.resolve())


def _free(path: Path) -> Path:
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free
