"""Rejected photos out of the way: moved to a folder, or deleted. Their verdicts stay in the tables.

The journal is written first, so that a run that is stopped in between, and every later one, knows why a file is gone.
"""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from clean.look import Photo, Seen
from clean.shelf import Shelf
from clean.verdicts import Verdict
from visavis.errors import InputError
from visavis.journal import Journal
from visavis.messages import say

STAYS = frozenset({"missing", "unreadable", "crashed", "changed"})
"""Reasons that say nothing about the photo: there is no file, the next run looks at it again, or somebody changed it,
perhaps on purpose."""

Rejected = tuple[Photo, Seen, Verdict]


def rejected(looks: Iterable[tuple[Photo, Seen]], judged: Iterable[Verdict]) -> Shelf[Rejected]:
    """Those whose files are to go: judged, not kept, and still there."""
    return Shelf(
        (photo, seen, verdict)
        for (photo, seen), verdict in zip(looks, judged, strict=True)
        if not verdict.keep and verdict.reason not in STAYS and not seen.removed
    )


def quarantine(some: Sequence[Rejected], data: Path, folder: Path, journal: Path) -> int:
    """Move the files to `folder`, by their paths in the data folder; returns how many could not be moved.

    A file of that name that is there already is left alone, and the newcomer gets a number.
    """
    failed = 0
    with Journal(journal) as file:
        for photo, seen, verdict in some:
            place = _inside(photo.path, data)
            if place is None:
                failed += 1
                continue
            target = _free(folder / place)
            file.add(vars(replace(seen, removed=verdict.reason, detail=f"moved to {target}; {verdict.detail}")))
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(photo.path, target)
            except OSError as error:
                failed += 1
                say(f"could not move {photo.path} to {target}: {error.strerror}")
    say(f"{len(some) - failed} rejected photos moved to {folder}")
    return failed


def delete(some: Sequence[Rejected], data: Path, journal: Path, yes: bool) -> int:
    """Say how many of each reason there are, ask unless `yes`, and delete; returns how many could not be deleted."""
    if not some:
        say("no rejected photo to delete")
        return 0
    counts = Counter(verdict.reason for _, _, verdict in some)
    listed = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    say(f"to be deleted from {data}: {len(some)} photos ({listed})")
    if not yes and not _agreed():
        say("nothing was deleted")
        return 0
    failed = 0
    with Journal(journal) as file:
        for photo, seen, verdict in some:
            if _inside(photo.path, data) is None:
                failed += 1
                continue
            file.add(vars(replace(seen, removed=verdict.reason, detail=f"deleted; {verdict.detail}")))
            try:
                photo.path.unlink()
            except OSError as error:
                failed += 1
                say(f"could not delete {photo.path}: {error.strerror}")
    say(f"{len(some) - failed} photos deleted")
    return failed


def check(data: Path, folder: Path | None, delete: bool, yes: bool) -> None:
    """Raises InputError, before any work, for what cannot be done at its end."""
    if folder is not None and delete:
        raise InputError("--quarantine moves what --delete would delete; leave one of them out")
    if yes and not delete:
        raise InputError("--yes answers the question of --delete; give both or neither")
    if delete and not yes and not sys.stdin.isatty():
        raise InputError("--delete asks before it deletes, and there is no terminal to ask at; add --yes")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"--quarantine {folder} is a file; give a folder")
    if folder is not None and folder.resolve() == data.resolve():
        raise InputError(f"--quarantine {folder} is the data folder itself; give another one")


def _agreed() -> bool:
    sys.stderr.write("Delete them? There is no way back. [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _inside(path: Path, data: Path) -> Path | None:
    """The path below the data folder; a table may name any file of the machine, and those are left alone."""
    place = Path(os.path.normpath(path.absolute())).parent.resolve() / path.name
    if not place.is_relative_to(data.resolve()):
        say(f"left where it is: {path} lies outside the data folder")
        return None
    return place.relative_to(data.resolve())


def _free(path: Path) -> Path:
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free
