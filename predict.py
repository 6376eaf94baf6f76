"""Find the faces in photos: `python predict.py holiday/ --out boxed/`.

What it writes, in --out: files.csv (a row for every input), faces.csv (a row a face) and drawn/ (copies
of the photos with boxes). The tables take their names when all is done; the photos are never touched.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
import tyro
from tqdm import tqdm

import visavis
from visavis.command import InputError, main, say
from visavis.detectors import Detector
from visavis.draw import boxes_on
from visavis.faces import Faces
from visavis.files import csv_rows, replaced
from visavis.images import ImageError, Picture

FILE_COLUMNS = ("path", "status", "reason", "width", "height", "faces", "seconds")
FACE_COLUMNS = ("path", "face", "x1", "y1", "x2", "y2", "score")
DRAWN = "drawn"
NAME_BYTES = 255
"""What file systems allow for a name."""


@dataclass
class Options:
    """Find the faces in photos and write boxes as tables and as pictures. The photos are never changed."""

    photos: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Photos, and folders that are searched through for photos (JPEG, PNG, WebP, GIF, BMP, TIFF)."""
    out: Path
    """Folder for files.csv, faces.csv and drawn/; not inside a folder of photos."""
    detector: str = "shipped"
    """The project's own (shipped), another of its detectors (opencv_haar, dlib_hog, dlib_cnn, mtcnn, centerface),
    or the path of a checkpoint that train.py wrote."""
    threshold: float | None = None
    """Lowest score of a face, 0 to 1; by default the detector's own."""
    device: str = "auto"
    """auto (a CUDA GPU where there is one), cpu, cuda, cuda:1, mps."""
    batch_size: int = 4
    """Photos that go through the network together."""
    draw: bool = True
    """Write drawn/: a copy of each photo as a JPEG file, with boxes and scores."""
    min_size: float = 0
    """Leave out faces whose shorter side is below this, in pixels of the photo."""
    overwrite: bool = False
    """Replace the results that --out holds. Drawn copies of photos not given this time stay."""


@dataclass(frozen=True)
class Input:
    """One thing to look at: where it is, and where its drawn copy goes, relative to drawn/."""

    path: Path
    drawn: PurePosixPath
    again: bool = False
    """Named before on this command line."""


@dataclass(frozen=True)
class Outcome:
    """What became of an input. seconds: decoding, and its share of its batch's time in the network."""

    input: Input
    picture: Picture | None = None
    reason: str = ""
    seconds: float = 0.0
    faces: Faces | None = None

    @property
    def status(self) -> str:
        """`ok`, `unreadable`, or `skipped` for what was named twice."""
        return "ok" if self.picture is not None else "skipped" if self.input.again else "unreadable"


def predict(options: Options) -> int:
    """Look at every input and write the tables and drawn copies. Returns the exit status: 0, or 3 where some
    input could not be read. Raises InputError, before anything is written, for options that cannot be used.
    """
    from visavis import device

    inputs = list_inputs(options.photos)
    _check(options)
    on, chosen = device.choose(options.device)
    detector = visavis.load_detector(options.detector, str(on), options.threshold)
    say(f"device: {chosen}; threshold: {detector.threshold:.3g}")

    counts = {"ok": 0, "unreadable": 0, "skipped": 0}
    found = 0
    _make(options.out)
    # The pools end before the tables get their names, and files.csv is the last to get its own.
    with (
        replaced(options.out / "files.csv") as files,
        replaced(options.out / "faces.csv") as faces,
        _Pool() as readers,
        _Pool() as painters,
        tqdm(total=len(inputs), unit="photo", disable=None) as progress,
    ):
        file_rows, face_rows = csv_rows(files, FILE_COLUMNS), csv_rows(faces, FACE_COLUMNS)
        file_rows.writeheader()
        face_rows.writeheader()
        painting = _InFlight(2 * options.batch_size)
        decoded = readers.map_ahead(_read, inputs, 2 * options.batch_size)
        for outcome in look(detector, decoded, options.batch_size, options.min_size):
            file_rows.writerow(_file_row(outcome))
            face_rows.writerows(_face_rows(outcome))
            counts[outcome.status] += 1
            found += len(outcome.faces or ())
            if options.draw and outcome.picture is not None:
                painting.add(painters.submit(_paint, outcome, options.out / DRAWN))
            progress.update()
        painting.finish()

    failed = f"; {counts['unreadable']} could not be read (see files.csv)" if counts["unreadable"] else ""
    twice = f"; {counts['skipped']} named twice" if counts["skipped"] else ""
    say(f"{counts['ok']} photos, {found} faces{failed}{twice}; results in {options.out}")
    return 3 if counts["unreadable"] else 0


def list_inputs(photos: Iterable[Path]) -> list[Input]:
    """The files and the photos in the folders, in order. Each has a place of its own below drawn/.

    Raises InputError where a path is not there, and where there is no photo at all.
    """
    inputs: list[Input] = []
    empty: list[str] = []
    seen: set[str] = set()
    taken: set[str] = set()
    for given in photos:
        if not os.path.lexists(given):
            raise InputError(f"{given} is not there")
        if os.path.isdir(given):
            base = _free(PurePosixPath(_real(given).name), taken)
            members = [(path, base / path.relative_to(given).as_posix()) for path in visavis.images.find(given)]
            if not members:
                empty.append(str(given))
        else:
            members = [(given, PurePosixPath(given.name))]
        for path, place in members:
            again = os.path.abspath(path) in seen
            seen.add(os.path.abspath(path))
            inputs.append(Input(path, place if again else _free(_as_jpeg(place), taken), again))
    if not inputs:
        where = f" in {', '.join(empty)}" if empty else ""
        raise InputError(f"no photo to look at{where}; give files, or folders that hold some")
    for folder in empty:
        say(f"no photo in {folder}")
    return inputs


def look(detector: Detector, decoded: Iterable[Outcome], batch_size: int, min_size: float = 0) -> Iterator[Outcome]:
    """Run the detector over decoded photos in batches; the outcomes come in order, with their faces."""
    stream = iter(decoded)
    while batch := list(islice(stream, batch_size)):
        pictures = [outcome.picture for outcome in batch if outcome.picture is not None]
        began = time.perf_counter()
        results = iter(detector.detect(pictures))
        share = (time.perf_counter() - began) / max(1, len(pictures))
        for outcome in batch:
            if outcome.picture is None:
                yield outcome
                continue
            faces = next(results)
            large = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) >= min_size
            yield Outcome(outcome.input, outcome.picture, "", outcome.seconds + share, faces[large])


class _Pool(ThreadPoolExecutor):
    """Threads that drop what waits when the block fails or is interrupted, so that Ctrl-C is quick."""

    def __init__(self) -> None:
        super().__init__(min(4, os.cpu_count() or 1))

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        self.shutdown(wait=True, cancel_futures=exc_type is not None)

    def map_ahead(self, function: Callable[[Input], Outcome], inputs: list[Input], ahead: int) -> Iterator[Outcome]:
        """The results in order, of which at most `ahead` are made before they are asked for."""
        waiting: deque[Future[Outcome]] = deque()
        for one in inputs:
            waiting.append(self.submit(function, one))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _InFlight:
    """Jobs under way, at most so many: memory stays bounded, and what a job raises is raised here."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: deque[Future[None]] = deque()

    def add(self, job: "Future[None]") -> None:
        self._jobs.append(job)
        while len(self._jobs) > self._most:
            self._jobs.popleft().result()

    def finish(self) -> None:
        while self._jobs:
            self._jobs.popleft().result()


def _read(one: Input) -> Outcome:
    began = time.perf_counter()
    if one.again:
        return Outcome(one, reason="named_twice")
    if os.path.exists(one.path) and not os.path.isfile(one.path):
        return Outcome(one, reason="not_a_file")  # a pipe or a device: to open it might wait for ever
    try:
        picture = visavis.images.read(one.path)
    except ImageError as error:
        return Outcome(one, reason=error.reason, seconds=time.perf_counter() - began)
    return Outcome(one, picture, seconds=time.perf_counter() - began)


def _paint(outcome: Outcome, folder: Path) -> None:
    assert outcome.picture is not None and outcome.faces is not None
    data = visavis.images.encode(boxes_on(outcome.picture, outcome.faces))
    path = folder / outcome.input.drawn
    try:
        with replaced(path, "wb") as file:
            file.write(data)
    except OSError as error:  # a full disk, a name that this file system does not take
        raise InputError(f"cannot write {path}: {error.strerror}; give another --out, or --no-draw") from None


def _file_row(outcome: Outcome) -> dict[str, object]:
    row: dict[str, object] = {"path": _text(outcome.input.path), "status": outcome.status, "reason": outcome.reason}
    if outcome.picture is not None:
        height, width = outcome.picture.shape[:2]
        row |= {"width": width, "height": height, "faces": len(outcome.faces or ())}
    return row | {"seconds": f"{outcome.seconds:.3f}"}


def _face_rows(outcome: Outcome) -> Iterator[dict[str, object]]:
    if outcome.faces is None:
        return
    for face, (box, score) in enumerate(zip(outcome.faces.boxes, np.asarray(outcome.faces.scores), strict=True)):
        corners = zip(("x1", "y1", "x2", "y2"), (f"{value:.2f}" for value in box), strict=True)
        yield {"path": _text(outcome.input.path), "face": face, **dict(corners), "score": f"{score:.4f}"}


def _text(path: Path) -> str:
    """A path as UTF-8 can hold it: a byte of its name that is none, is written as \\udcNN."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode()


def _as_jpeg(place: PurePosixPath) -> PurePosixPath:
    """A drawn copy keeps the photo's whole name: photo.png and photo.jpg may lie side by side."""
    return place if place.suffix.lower() in (".jpg", ".jpeg") else place.with_name(place.name + ".jpg")


def _free(place: PurePosixPath, taken: set[str]) -> PurePosixPath:
    """`place`, or one like it that is not in `taken` (to which it is added) and is not too long a name.

    Names that differ in capitals alone count as equal, since some file systems think so.
    """
    number, wanted = 1, place
    while wanted.name and (str(wanted).casefold() in taken or len(os.fsencode(wanted.name)) > NAME_BYTES):
        mark = f"-{number}" if number > 1 else ""
        room = NAME_BYTES - len(os.fsencode(mark + place.suffix))
        wanted = place.with_name(os.fsdecode(os.fsencode(place.stem)[:room]) + mark + place.suffix)
        number += 1
    taken.add(str(wanted).casefold())
    return wanted


def _check(options: Options) -> None:
    """Raise InputError for options that cannot be used, above all where results would land on photos."""
    if options.batch_size < 1:
        raise InputError(f"--batch-size {options.batch_size}: give at least 1")
    if options.threshold is not None and not 0 <= options.threshold <= 1:
        raise InputError(f"--threshold {options.threshold:g}: a score lies between 0 and 1")
    if not options.min_size >= 0:
        raise InputError(f"--min-size {options.min_size:g}: give 0 or more pixels")
    out = _real(options.out)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {options.out} is a file; give a folder")
    for given in options.photos:
        place = _real(given)
        if os.path.isdir(place) and out.is_relative_to(place):
            raise InputError(f"--out {options.out} lies inside {given}, whose photos are only read; give another place")
        if place.is_relative_to(out / DRAWN):
            raise InputError(f"{given} lies inside {options.out / DRAWN}, where results go; give another --out")
    if options.overwrite:
        return
    for name in ("files.csv", "faces.csv", DRAWN):
        if os.path.lexists(options.out / name):
            raise InputError(f"{options.out} already holds {name}; give another --out, or --overwrite")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; give another --out") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--out {folder} cannot be written to; give another")


def _real(path: Path) -> Path:
    """The path without links; unlike Path.resolve it takes links that lead to themselves."""
    return Path(os.path.realpath(path))


if __name__ == "__main__":
    main(predict, Options)
