"""Photos and videos that clients sent, looked at as `visavis predict` does it, by detectors that all share."""

import shutil
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from visavis import images
from visavis.analysers import AnalyserOptions
from visavis.effects.filters import Filters
from visavis.effects.redaction import Redaction
from visavis.effects.sketch import Shape
from visavis.errors import ImageError
from visavis.faces import Faces
from visavis.images import SUFFIXES, Picture
from visavis.live.asking import Ask
from visavis.live.classifier import Classifier, Scene
from visavis.live.finders import Above, Finders
from visavis.live.following import Following
from visavis.live.steady import Steady
from visavis.live.whole_progress import WholeProgress
from visavis.prediction import pages, strips, tracks
from visavis.prediction.analysis import Analysis
from visavis.prediction.copies import Copies
from visavis.prediction.filtering import Filtering
from visavis.prediction.formats import load_format
from visavis.prediction.frames import FRAMES
from visavis.prediction.pipeline import Pipeline, Task
from visavis.prediction.records import Record, crashed, face_rows, reported, unreadable
from visavis.prediction.results import FaceFields, Tables
from visavis.prediction.videos import Progress
from visavis.sources import Input
from visavis.video import recording
from visavis.workers import WorkerDied, Workers


@dataclass(frozen=True)
class Sent:
    """A file that a client sent. path: where it lies meanwhile. name: what the client calls it; it is never a path."""

    path: Path
    name: str


@dataclass
class Watching:
    """A camera whose frames come one after another.

    detector: the one that `following` is of. classes: of the last frame, the likeliest classes of what stands before
    the camera, and how likely they are. shapes: what its filters draw, see `Filters.shapes`.
    """

    detector: str
    following: Following
    scene: Scene | None
    steady: Steady = field(default_factory=Steady)
    classes: list[tuple[str, float]] = field(default_factory=list)
    shapes: list[list[Shape]] = field(default_factory=list)


class Looker:
    """Detectors at work for many clients, from several threads.

    workers: processes that decode and draw. analysers: those that may be asked for; options: theirs. filters: whether
    filters may. seconds: longest that a photo, or a step of a video, may take. every: frames of a video from one look
    to the next, by default as searching.every_of has it. classifier: what says what stands before a camera,
    if anything does.
    """

    def __init__(
        self,
        finders: Finders,
        workers: Workers,
        analysers: Sequence[str] = (),
        options: AnalyserOptions = AnalyserOptions(),
        filters: bool = False,
        max_pixels: int = 50_000_000,
        seconds: float = 120,
        every: int | None = None,
        classifier: Classifier | None = None,
    ) -> None:
        self.finders, self.classifier = finders, classifier
        self.analysers, self.filters, self._options = tuple(analysers), filters, options
        self._workers, self._max_pixels, self._seconds, self._every = workers, max_pixels, seconds, every

    def ask(self, words: Mapping[str, str]) -> Ask:
        """What texts ask for; a detector is loaded if need be. Raises InputError."""
        name = words.get("detector") or self.finders.own
        return Ask.of(words, name, self.finders[name].threshold, self.analysers, self.filters)

    def faces(self, picture: Picture, ask: Ask, steady: Steady, seconds: float) -> Faces:
        """The faces of a camera's picture at that time, decoded already, those that redaction covers included."""
        finder = self.finders[ask.detector]
        found: Faces = finder.network.call(Above(finder.plain, self._floor(ask)).detect, [picture])[0]
        return steady.analysed(found, seconds, self._analysis(ask), lambda analysis, faces: analysis(picture, faces))

    def watching(self) -> "Watching":
        """What is known of a camera that begins now."""
        own = self.finders.own
        scene = Scene(self.classifier) if self.classifier is not None else None
        return Watching(own, self.finders[own].following(), scene)

    def frame(self, data: bytes, ask: Ask, watching: "Watching") -> Record:
        """The record of a camera's next frame, an image file. A worker decodes it and analyses its faces.
        If they are asked for, `watching` then has what stands before the camera, and what its filters draw."""
        watching.classes, watching.shapes = [], []
        try:
            picture = self._workers.submit(_decoded, data, self._max_pixels).result()
            seconds = time.monotonic()
            finder = self.finders[ask.detector]
            if watching.detector != ask.detector:
                watching.detector, watching.following = ask.detector, finder.following()
            found: Faces = finder.network.call(watching.following.find, picture, seconds, ask.look)
            if ask.scene and watching.scene is not None:
                watching.classes = finder.network.call(watching.scene.look, picture, seconds)
            found = found[reported(found, ask.min_size, self._floor(ask))]

            def analysed(analysis: Callable[[Picture, Faces], Faces], faces: Faces) -> Faces:
                return self._workers.submit(_analysed, analysis, picture, faces).result()

            found = watching.steady.analysed(found, seconds, self._analysis(ask), analysed)
            if ask.filter and len(found):
                steady = watching.steady.pointed(found, seconds, partial(analysed, _filtering(ask).pointed))
                watching.shapes = Filters(ask.filter).shapes(steady)
        except ImageError as error:
            return Record("frame", *unreadable(error))
        except WorkerDied:
            return Record("frame", "unreadable", "crashed")
        return Record("frame", "ok", "", picture.shape[1], picture.shape[0], faces=face_rows(found))

    def record(self, sent: Sent, ask: Ask, progress: Progress = lambda *_: None) -> Record:
        """What `visavis predict --stdout jsonl` prints of it."""
        return self._records([sent], replace(ask, draw=False, redact=""), sent.path.parent, progress)[0]

    def copy(self, sent: Sent, ask: Ask, out: Path, progress: Progress = lambda *_: None) -> tuple[Record, Path | None]:
        """The record, and the copy that was drawn or redacted, in the folder `out`; none of what could not be read."""
        record = self._records([sent], ask, out, progress)[0]
        made = [path for path in out.rglob("*") if path.is_file()]
        return record, made[0] if made and record.status == "ok" else None

    def results(self, sent: Sequence[Sent], ask: Ask, out: Path, progress: Progress = lambda *_: None) -> Path:
        """A ZIP of what `visavis predict` leaves in the folder `out`: tables, the page, and copies under the clients'
        names."""
        inputs, records = _inputs(sent), self._records(sent, ask, out, progress, page=True)
        out.mkdir(exist_ok=True)
        fields = FaceFields.of(self.finders[ask.detector].plain, self._analysis(ask))
        with closing(Tables(out, fields, videos=any(one.is_video for one in inputs))) as tables:
            for record in records:
                tables.add(record)
        load_format("json").write(out, lambda: zip(inputs, records, strict=True))
        if any(one.is_video for one in inputs):
            tracks.write(out, lambda: zip(inputs, records, strict=True))
        pages.write_page(out, lambda: zip(inputs, records, strict=True), linked=False)
        for kept in (FRAMES, strips.STRIPS):  # what only the page needs
            shutil.rmtree(out / kept, ignore_errors=True)
        names = _apart([one.name for one in sent])
        archive = out.with_suffix(".zip")
        with zipfile.ZipFile(archive, "w") as packed:
            for path in sorted(path for path in out.rglob("*") if path.is_file()):
                place = path.relative_to(out)
                if len(place.parts) == 2:  # a folder of copies, which are called after their number
                    number, _, ending = place.name.partition(".")
                    place = place.with_name(f"{Path(names[int(number)]).stem}.{ending}")
                pictures = path.suffix not in (".csv", ".json", ".html")
                packed.write(path, place, zipfile.ZIP_STORED if pictures else zipfile.ZIP_DEFLATED)
        return archive

    def _records(
        self, sent: Sequence[Sent], ask: Ask, out: Path, progress: Progress, page: bool = False
    ) -> list[Record]:
        inputs, finder = _inputs(sent), self.finders[ask.detector]
        redaction = Redaction(ask.redact) if ask.redact else None
        pictures: dict[str, Any] = {"strips": True, "frames": "some"} if page else {}
        filtering = _filtering(ask) if ask.filter else None
        copies = Copies(out, ask.draw, redaction, analysis=self._analysis(ask), filtering=filtering, **pictures)
        task = Task(1, ask.min_size, self._max_pixels, copies, self._every, self._seconds, ask.threshold)
        detector = Above(finder.thorough if redaction else finder.plain, self._floor(ask))
        whole = WholeProgress(inputs, self._workers, self._max_pixels, progress)
        pipeline = Pipeline(detector, self._workers, task, whole.frame, finder.network)
        records = []
        for record, one, sent_one in zip(pipeline.records(inputs), inputs, sent, strict=True):
            records.append(replace(record, path=sent_one.name))
            whole.file(one.path)
        return records

    def _analysis(self, ask: Ask) -> Analysis:
        return Analysis(ask.analyse, self._options)

    def _floor(self, ask: Ask) -> float:
        return min(ask.threshold, self.finders[ask.detector].covering) if ask.redact else ask.threshold


def _decoded(data: bytes, max_pixels: int) -> Picture:
    """In a worker: the picture in an image file."""
    try:
        return images.decode(data, max_pixels)
    except ImageError:
        raise
    except Exception as error:  # any failure of a decoder concerns this frame alone
        raise crashed("frame", error) from error


def _analysed(analysis: Callable[[Picture, Faces], Faces], picture: Picture, faces: Faces) -> Faces:
    """In a worker: the faces with what analysers say of them."""
    try:
        return analysis(picture, faces)
    except Exception as error:  # see above
        raise crashed("frame", error) from error


def _filtering(ask: Ask) -> Filtering:
    return Filtering(Filters(ask.filter))


def ending(name: str) -> str:
    """The ending that a file of that name may keep: of a photo or a video, else none."""
    suffix = Path(name).suffix.lower()
    return suffix if suffix in SUFFIXES | recording.SUFFIXES else ""


def plain(name: str, most: int = 100) -> str:
    """A client's name for a file, for tables and as a name in a ZIP: its last part, in one line, and not too long."""
    last = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable())
    return last.lstrip(".")[-most:] or "photo"


def _inputs(sent: Sequence[Sent]) -> list[Input]:
    return [Input(str(one.path), str(number)) for number, one in enumerate(sent)]


def _apart(names: Sequence[str]) -> list[str]:
    """The same names, none of them twice, capitals and endings aside."""
    taken: set[str] = set()
    found = []
    for name in names:
        stem, suffix = Path(name).stem, Path(name).suffix
        number, one = 1, stem
        while one.casefold() in taken:
            number += 1
            one = f"{stem}-{number}"
        taken.add(one.casefold())
        found.append(one + suffix)
    return found
