"""Group the faces of an album by person: `visavis people album/ --out people-found/`.

It writes a folder for each person into --out, with a crop of each face: rename the folders, and move what lies in the
wrong one. A second run adds what is new, and leaves everything else where it is. More in docs/identity.md.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

import visavis
from visavis import checkpoint, sources
from visavis.analysers.identity import cache
from visavis.analysers.identity.gallery import read_gallery
from visavis.commands.network import DetectorName, Network
from visavis.cores import cores
from visavis.detectors import check as check_detector
from visavis.detectors.protocol import about
from visavis.errors import InputError
from visavis.files import sweep
from visavis.locking import lock
from visavis.messages import say
from visavis.options import Amount, AutoCount, Range, Share, plain
from visavis.people.album import Encoded, encoder, searched
from visavis.people.run import arrange
from visavis.prediction.pipeline import Pipeline, Task
from visavis.prediction.records import Record
from visavis.prediction.results import FACES
from visavis.sources import Input
from visavis.workers import Workers

LOCK = ".people.lock"
TIMEOUT = 120.0
"""Seconds for a photo."""


@dataclass
class Options:
    """Group the faces of photos by person, in folders to rename. The photos are never changed.

    Exit status: 0 if all is done; 3 if some photos could not be read (files.csv says which, and why); 2 for wrong
    usage; 130 if interrupted (the same command continues).
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[PHOTO ...]")] = ()
    """Photos, folders of them, patterns and lists, as for `visavis predict`. Videos are left out."""
    out: Path | None = None
    """Folder for the people; not inside a folder of photos. What an earlier run put there stays, and so does what you
    moved or renamed since."""
    people: Path | None = None
    """A folder that has a folder for each person you know, named after them, with a few photos: faces of these people
    are put into folders of their names."""
    tolerance: Annotated[float | None, Range(0, 2, without=(0,))] = None
    """How far two faces of one person may be apart, a distance of their encodings. The default depends on the number of
    faces (docs/identity.md); a smaller value makes fewer mistakes and more groups."""
    recurse: bool = True
    """Search subfolders, too."""
    detector: DetectorName = "shipped"
    threshold: Share | None = None
    """Lowest score of a face, 0 to 1. The default is the detector's own."""
    min_size: Amount = 32
    """Leave out faces whose shorter side has fewer pixels of the photo: they are too small to be told apart."""
    network: Network = Network()
    workers: AutoCount = "auto"
    """Processes that decode photos and encode faces; auto: one for each CPU core that may be used."""
    forget: bool = False
    """Delete the encodings that are kept in --out and in --people, or in one of them, and do nothing else."""


def people(options: Options) -> int:
    """Group the faces, and write the results. Returns the exit status: 0, or 3 if some photo could not be read. Raises
    InputError, before anything is written, for options that cannot be used."""
    if options.forget:
        return _forget([folder for folder in (options.out, options.people) if folder is not None])
    if options.out is None:
        raise InputError("give a folder for the people with --out, such as --out people-found")
    if os.path.lexists(options.out) and not options.out.is_dir():
        raise InputError(f"--out {options.out} is a file; give a folder")
    if (options.out / FACES).exists():
        raise InputError(f"--out {options.out} holds results of visavis predict; give another folder")
    if not options.photos:
        raise InputError("give photos, or folders of them")
    check_detector(options.detector)
    inputs = sources.listed(options.photos, options.recurse, options.out)
    name = _settings(options)
    apart = options.people is not None and not _same(options.people, options.out)
    gallery = read_gallery(options.people, encoder()) if apart and options.people is not None else None
    for note in gallery.notes if gallery is not None else ():
        say(note)
    with _alone(options.out):
        sweep(options.out)
        count = cores() if options.workers == "auto" else options.workers
        with Workers(count, TIMEOUT, ["visavis.prediction.pipeline", "visavis.people.run"]) as workers:
            album = searched(inputs, options.out, name, lambda some: _search(options, some, name, workers))
            try:
                arrange(album, options.out, name, gallery, options.tolerance, workers)
            except OSError as error:
                where = error.filename2 or error.filename or options.out
                raise InputError(
                    f"cannot write {where}: {error.strerror}; mend that, and give the same command again"
                ) from None
    return 3 if any(one.status == "unreadable" for one in album.outcomes) else 0


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Make the folder, and keep other runs from writing to it meanwhile. Raises InputError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        holding = (out / LOCK).open("w")
    except OSError as error:
        raise InputError(f"`out` {out} cannot be written to: {error.strerror}; give another") from None
    with holding:
        if not lock(holding):
            raise InputError(f"another run is writing to {out}; wait until it ends")
        yield


def _search(options: Options, photos: Sequence[Input], name: str, workers: Workers) -> Iterator[Record]:
    """Search photos that are not known yet; the detector is loaded if there are any."""
    if not photos:
        return
    assert options.out is not None
    detector = visavis.load_detector(
        options.detector, threshold=options.threshold, at_once=min(cores(), len(photos)), **asdict(options.network)
    )
    runs = about(detector).runs or options.detector
    say(f"{runs}; threshold: {detector.threshold:.3g}; only faces of {options.min_size:g} pixels or more")
    batch = 16 if "cuda" in runs else 1
    copies = Encoded(options.out, detector=name)
    task = Task(batch, options.min_size, copies=copies, threshold=detector.threshold)
    with Pipeline(detector, workers, task) as pipeline:
        yield from tqdm(pipeline.records(photos), total=len(photos), unit="photo", desc="searching", disable=None)


def _settings(options: Options) -> str:
    """All that the boxes of a photo depend on, and the encoder, as a text."""
    source = Path(options.detector) if options.detector != "shipped" else checkpoint.SHIPPED
    detector = checkpoint.fingerprint(source) if source.is_file() else options.detector
    how = plain(options.network)
    values = {"detector": detector, "threshold": options.threshold, "min_size": options.min_size}
    values |= {option: how[option] for option in ("precision", "size", "tiles")} | {"encoder": encoder().name}
    return json.dumps(values)


def _forget(folders: Sequence[Path]) -> int:
    """Delete the encodings that are kept in the folders, and say so. Raises InputError, before anything is deleted, for
    what is no folder: nobody shall take a misspelt one for forgotten."""
    if not folders:
        raise InputError("give the folder whose encodings are to be deleted, with --out or --people")
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder, so nothing was deleted; give the one that holds {cache.FILE}")
    for folder in folders:
        file = folder / cache.FILE
        with _alone(folder) if (folder / LOCK).exists() else nullcontext():
            there = cache.forget(folder)
        if there:
            say(f"deleted {file}: the encodings of all faces. Crops, tables and pages in {folder} are left; delete the "
                "folder to remove these, too")  # fmt: skip
        else:
            say(f"no encodings are kept in {folder}")
    return 0


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are of one folder."""
    return one.is_dir() and other.is_dir() and one.samefile(other)
