"""python -m clean: which photos are fit for training, and the faces that the list does not label."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from clean.finders import FINDERS
from visavis.commands import commandline
from visavis.errors import InputError
from visavis.messages import say
from visavis.options import AutoCount, Count

if TYPE_CHECKING:
    from clean.verdicts import Verdict

_FINDER = (
    f"The face finder, one of {', '.join(FINDERS)}: dlib's HOG, dlib's CNN, which takes seconds a photo without a GPU, "
    "or the detector that comes with this project."
)


@dataclass
class Options:
    """Judge every downloaded photo; write clean.csv (keep or not, and why), faces.csv (the faces to learn from)
    and groups.csv (photos that look alike, which a split keeps together).

    Files stay where they are unless you ask otherwise. Inspections are recorded in clean/seen.jsonl in the data
    folder, so that a stopped run continues, and only changed files are inspected again. Exit status 3: done, but
    some photos could not be judged (`crashed`, `unreadable`; the next run tries these again), moved or deleted.
    """

    data: Path = Path("data")
    """The data folder: labels.csv, and photos by downloads.csv or under images/."""
    finder: Annotated[str, tyro.conf.arg(help=_FINDER)] = "face_recognition"
    also: str = "auto"
    """A second finder: a photo is faceless only if neither finds its face. auto: shipped, or none if that is the first
    one; none: halves the time, and with face_recognition drops 3 good photos in 100."""
    only: Literal["corrupt", "faceless", "duplicates"] | None = None
    """Judge by this step alone. Files that do not decode are dropped in any case; without faceless, faces.csv
    holds only the labels."""
    workers: AutoCount = "auto"
    """Processes that inspect photos; auto: one for each usable CPU core, fewer for few photos."""
    max_pixels: Count | None = None
    """Photos with more pixels in all are too_large, and are not decoded. By default 50 million, or what the download
    accepted (its --max-pixels) if that is more."""
    min_side: Count = 32
    """Photos with a shorter side below this, in pixels, are too_small."""
    quarantine: Path | None = None
    """Move rejected photos to this folder. Photos that could not be judged stay."""
    delete: bool = False
    """Delete rejected photos, after showing how many there are for each reason, and asking."""
    yes: bool = False
    """Delete without asking."""


def run(options: Options) -> int:
    """Judge, write the tables and print the counts. Returns the exit status."""
    _check(options)
    from clean import calibration, finders, inspecting, listing, others, removal, report, verdicts
    from clean.inspection import Task
    from dataset import tables

    photos = listing.photos(options.data)
    asked = {name: finders.load(name) for name in _finders(options)} if options.only in (None, "faceless") else {}
    task = Task(tuple(asked), options.max_pixels, options.min_side)
    journal = options.data / "clean" / "seen.jsonl"
    inspections = inspecting.inspect_all(photos, task, journal, options.workers)
    moves = verdicts.shifts(inspections, asked)
    notes = [f"{name}: its boxes compared with the labels': {shift}" for name, shift in moves.items()]
    for name, finder in list(asked.items()):
        asked[name], origin = calibration.calibrated(finder, name, inspections, moves[name])
        notes.append(f"{name}: {origin}")
    for line in notes:
        say(line)
    judged = verdicts.judge(inspections, asked, moves, once=options.only in (None, "duplicates"))
    grouped = ({"image_id": one.image_id, "group": one.group} for one in judged if one.group)
    tables.write(options.data / "groups.csv", grouped)
    # faces.csv first, so that it is never older than clean.csv.
    faces = options.data / "faces.csv"
    written = (row for verdict in judged for row in verdict.faces)
    tables.write(faces, chain(written, others.not_ours(faces)))
    tables.write(
        options.data / "clean.csv",
        (
            {"image_id": one.image_id, "keep": int(one.keep), "reason": one.reason, "detail": one.detail}
            for one in judged
        ),
    )
    report.write(options.data / "clean" / "report.html", inspections, judged, asked, moves, notes)
    print(_counts(judged))
    say(f"report: {options.data / 'clean' / 'report.html'}")
    failed = 0
    if options.quarantine is not None:
        failed = removal.quarantine(removal.rejected(inspections, judged), options.data, options.quarantine, journal)
    elif options.delete:
        failed = removal.delete(removal.rejected(inspections, judged), options.data, journal, options.yes)
    return 3 if failed or any(one.reason in ("crashed", "unreadable") for one in judged) else 0


def _check(options: Options) -> None:
    for name in _finders(options):
        if name not in FINDERS:
            raise InputError(f"there is no finder {name!r}; there are: {', '.join(FINDERS)}")
    if options.also == options.finder:
        raise InputError(f"--also {options.also} is the --finder already; give another or leave it out")
    if options.also not in ("auto", "none") and options.only in ("corrupt", "duplicates"):
        raise InputError(f"--also looks for faces, --only {options.only} does not; leave one of them out")
    from clean import removal

    removal.check(options.data, options.quarantine, options.delete, options.yes)


def _finders(options: Options) -> list[str]:
    """The names of the finders to run."""
    also = options.also
    if also == "auto":
        also = "none" if options.finder == "shipped" else "shipped"
    return [options.finder] if also == "none" else [options.finder, also]


def _counts(judged: "Sequence[Verdict]") -> str:
    """A table: the photos kept and those dropped for each reason, which add up; then the faces to learn from."""
    reasons = Counter(one.reason for one in judged if not one.keep)
    lines = [("kept", len(judged) - sum(reasons.values())), *reasons.most_common(), ("photos", len(judged))]
    faces = Counter(
        "labels" if row["source"] == "list" else f"others, {row['use']}" for one in judged for row in one.faces
    )
    text = [f"{name:<16}{count:>8}{count / max(1, len(judged)):>9.1%}" for name, count in lines]
    text += [f"faces: {', '.join(f'{count} {name}' for name, count in sorted(faces.items())) or 'none'}"]
    return "\n".join(text)


if __name__ == "__main__":
    commandline.main(run, Options)
