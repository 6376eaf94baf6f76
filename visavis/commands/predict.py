"""Find the faces in photos: `python predict.py holiday/ --out boxed/`.

What it writes, in --out: files.csv (a row for every input), faces.csv (a row a face) and drawn/ (copies of the photos
with boxes). A run that was stopped goes on with --resume; the photos are never touched. docs/predict.md has the rest.
"""

import math
import os
import shlex
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tqdm import tqdm

import visavis
from visavis import checkpoint, sources
from visavis.analysers import ANALYSERS
from visavis.checkpoint import SHIPPED
from visavis.commands.commandline import Seconds
from visavis.cores import cores
from visavis.detectors import DETECTORS
from visavis.detectors.protocol import Detector, about
from visavis.effects.redaction import EFFECTS, Redaction
from visavis.errors import InputError, StillBusy
from visavis.images import MAX_PIXELS
from visavis.messages import say
from visavis.prediction import footage, runs
from visavis.prediction.analysis import Analysis
from visavis.prediction.copies import Copies
from visavis.prediction.crops import Crops
from visavis.prediction.footage import EVERY
from visavis.prediction.formats import FORMATS, load_format
from visavis.prediction.pipeline import Pipeline, Task, ready
from visavis.prediction.results import Report, Tables, Told
from visavis.sources import Input
from visavis.video.recording import Camera
from visavis.workers import Workers


@dataclass
class Options:
    """Find the faces in photos and write boxes as tables and as pictures. The photos are never changed.

    Exit status: 0 every photo was read; 3 some could not be (files.csv says which and why); 2 wrong usage; 130
    interrupted: what is done stays, and --resume goes on.
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Photos (JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF) and videos (MP4, MOV, MKV, WebM, AVI ...), folders that are
    searched through for them, patterns such as 'holiday/**/*.jpg', @list.txt for names in a file, and - for names on
    standard input."""
    out: Path | None = None
    """Folder for files.csv, faces.csv and drawn/; not inside a folder of photos. Only --stdout can do without."""
    webcam: str | None = None
    """The number of a camera to look at, until Ctrl-C; on Windows its name."""
    recurse: bool = True
    """Search through the folders in a folder, too."""
    detector: Annotated[
        str,
        tyro.conf.arg(help=f"One of {', '.join(DETECTORS)}, or the path of a checkpoint that train.py wrote."),
    ] = "shipped"
    weights: Path | None = None
    """The path of a checkpoint, as for --detector."""
    threshold: float | None = None
    """Lowest score of a face, 0 to 1; by default the detector's own: a checkpoint's gave the best F1."""
    every: int = EVERY
    """Of videos and cameras: look at every so many frames; in between, redaction covers wherever a face may be."""
    min_size: float = 0
    """Leave out faces whose shorter side is below this, in pixels of the photo; files.csv counts those left out."""
    format: Annotated[
        str, tyro.conf.arg(help=f"What the faces are written as, with commas between: csv, {', '.join(FORMATS)}.")
    ] = "csv"
    analyse: Annotated[
        str,
        tyro.conf.arg(
            help=f"What each face tells, with commas between: {', '.join(ANALYSERS)}. It has columns in the tables, "
            "and stands in all that is written of a face."
        ),
    ] = ""
    draw: bool = True
    """Write drawn/: a copy of each photo as a JPEG file, with boxes and scores."""
    redact: Annotated[
        str | None,
        tyro.conf.arg(
            metavar=f"{{{','.join(EFFECTS)}}}",
            help="Write redacted/: a copy of each photo in its own format, with every face found made unrecognisable "
            "(those below --min-size and those that are not sure, too) and without places, thumbnails and previews in "
            "its metadata. fill leaves nothing of a face.",
        ),
    ] = None
    redact_threshold: float | None = None
    """With --redact: lowest score of what is covered, 0 to 1; by default the detector's own for that, which misses
    fewer faces than --threshold and covers more of what is none. files.csv counts those in between as unsure."""
    pieces: bool = True
    """With --redact: look at photos whose shorter side has more than 1,228 pixels in overlapping pieces, too; without
    is faster and misses small faces."""
    grow: float = 0.2
    """With --redact: share of a face's width and height that is redacted beyond it at each side."""
    keep_largest: bool = False
    """With --redact: leave the largest face of each photo as it is."""
    crops: Literal["by-photo", "flat"] | None = None
    """Write crops/: each face alone, as a JPEG file; by-photo in a folder a photo (--crops alone is the same), flat all
    in one folder, with names that tell photo and face."""
    margin: float = 0.2
    """With --crops: share of a face's width and height that is added at each side."""
    square: bool = False
    """With --crops: as high as wide."""
    sheet: bool = False
    """Write sheets/: all faces found, 80 a page."""
    look: bool = False
    """Write look.html, a page to look through the results in a browser; of videos, up to 100 frames with faces."""
    stdout: Literal["jsonl"] | None = None
    """Print the record of each input as a line of JSON as soon as it is done."""
    overwrite: bool = False
    """Replace the results that --out holds. Pictures of photos not given this time stay."""
    resume: bool = False
    """Go on with the run that was stopped in --out; give the same options again."""
    device: str = "auto"
    """auto (a CUDA GPU where there is one), cpu, cuda, cuda:1, mps."""
    backend: Literal["auto", "torch", "onnxruntime", "openvino"] = "auto"
    """What runs the network: auto is the fastest that is installed, with the same boxes (docs/backends.md)."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the network's arithmetic. 16 bits are faster where the processor has them, and move boxes by a pixel."""
    size: int | None = None
    """Pixels that a photo's shorter side has in the network, smaller photos too, which are enlarged; by default the
    detector's own (512 for shipped, and little enlargement). Larger finds smaller faces, smaller is faster. The coarse
    and the closer look, where the detector has them, are taken as well."""
    tiles: bool = False
    """Look at large photos in overlapping pieces as well, for small faces; takes several times as long."""
    batch_size: int | Literal["auto"] = "auto"
    """Photos that go through the network together; auto is 16 on a GPU, 1 on a CPU, which gains nothing by more."""
    workers: int | Literal["auto"] = "auto"
    """Processes that decode and draw; auto is one for each CPU core that may be used."""
    max_pixels: int = MAX_PIXELS
    """Photos with more pixels in all are too_large; they are not decoded."""
    timeout: Seconds = 120.0
    """Longest that a photo, or a frame of a video, may take to decode, or to draw; what takes longer is unreadable
    (crashed)."""

    @property
    def formats(self) -> list[str]:
        """Those of --format."""
        return [name.strip() for name in self.format.split(",") if name.strip()]

    @property
    def analysis(self) -> Analysis:
        """What is asked of each face."""
        return Analysis(tuple(name.strip() for name in self.analyse.split(",") if name.strip()))

    def copies(self, out: Path) -> Copies:
        """What is written of each photo in the folder `out`."""
        redaction = Redaction(self.redact, self.grow, self.keep_largest) if self.redact is not None else None
        crops = Crops(self.margin, self.square, self.crops == "flat") if self.crops else None
        frames = (
            "all"
            if any(load_format(name).OF_PICTURES for name in self.formats if name in FORMATS)
            else "some"
            if self.look
            else ""
        )
        return Copies(out, self.draw, redaction, crops, self.sheet, frames, self.analysis)


def arguments(words: list[str]) -> list[str]:
    """The command line as it was typed, with what --crops alone stands for: what follows it may be a photo."""
    choices = ("by-photo", "flat", "None")
    return [
        more
        for word, following in zip(words, [*words[1:], ""], strict=True)
        for more in ((word, choices[0]) if word == "--crops" and following not in choices else (word,))
    ]


def predict(options: Options) -> int:
    """Look at every input and write the results. Returns the exit status: 0, or 3 where some input could not be
    read. Raises InputError, before anything is written, for options that cannot be used.
    """
    _check(options)
    if options.resume and options.out is not None and runs.ended(options.out):
        return 3 if runs.failed(options.out) else 0
    with ExitStack() as stack:
        journal = None
        if options.resume and options.out is not None and (journal := runs.stopped(options.out)) is not None:
            stack.enter_context(journal)
        inputs = _inputs(options) if journal is None else journal.inputs
        videos = any(one.is_video for one in inputs)
        count = cores() if options.workers == "auto" else options.workers
        modules = ["visavis.prediction.pipeline", *(footage.MODULES if videos else ())]
        workers = stack.enter_context(Workers(min(count, len(inputs)), options.timeout, modules))
        for _ in range(workers.count):
            workers.submit(ready)  # they start while the network is loaded
        detector, settings = _detector(options, 1 if videos else min(cores(), len(inputs)))
        if journal is not None and options.out is not None:
            runs.go_on(options.out, journal, settings)
        elif options.out is not None:
            journal = stack.enter_context(runs.begin(options.out, settings, inputs))
        tables = None
        if options.out is not None:
            told = Told.by(detector, options.analysis)
            tables = stack.enter_context(Tables(options.out, told, "csv" in options.formats, videos))
        report = Report(tables, options.stdout is not None)
        for record in journal.records() if journal is not None else ():
            report.add(record)
        copies = Copies(Path(), drawn=False, analysis=options.analysis)
        if options.out is not None:
            copies = options.copies(options.out)
        limits = options.min_size, options.max_pixels
        task = Task(settings["batch_size"], *limits, copies, options.every, options.timeout, settings["threshold"])
        frames = stack.enter_context(Frames())
        run = Pipeline(detector, workers, task, frames.show)
        stack.callback(run.network.stop, within=60)
        # What is left of videos is told frame by frame; how many inputs a second says nothing there.
        layout = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}]" if videos else None
        with tqdm(total=len(inputs), initial=report.done, unit="photo", bar_format=layout, disable=None) as progress:
            try:
                for record in run.records(inputs, report.done):
                    if journal is not None:
                        journal.add(record)
                    report.add(record)
                    progress.update()
            except KeyboardInterrupt:
                progress.close()
                say(f"stopped after {report.done} of {len(inputs)} inputs{'; --resume goes on' if journal else ''}")
                if not run.network.stop(within=0.5):  # a slow detector, deep in its C code, cannot be told to stop
                    raise StillBusy from None
                raise
        if journal is not None and options.out is not None:
            runs.conclude(options.out, journal, options.formats, options.look, options.sheet)
    say(f"{report.summary()}{'' if options.out is None else f'; results in {options.out}'}")
    return report.status


class Frames:
    """How far the video is that is looked at, below the bar of all inputs: frames done, and the time that is left."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._path = ""

    def show(self, path: str, done: int, expected: int | None) -> None:
        """So many frames of the video are done, of about as many as are expected."""
        if self._bar is None or path != self._path:
            self.close()
            name = os.path.basename(path)
            self._bar = tqdm(desc=name, total=expected, unit="frame", position=1, leave=False, disable=None)
            self._path = path
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _inputs(options: Options) -> list[Input]:
    """What the command line names: files and folders, or a camera. Raises InputError."""
    camera = options.webcam
    if camera is not None:
        Camera.of(camera)
    files = sources.listed(options.photos, options.recurse, options.out) if options.photos else []
    inputs = files + ([Input(f"webcam:{camera}", f"webcam-{camera}", camera=camera)] if camera is not None else [])
    if options.keep_largest and any(one.is_video for one in inputs):
        raise InputError(
            "--keep-largest is of photos, for who is largest changes in a video; leave out one or the other"
        )
    return inputs


def _detector(options: Options, at_once: int) -> tuple[Detector, dict[str, Any]]:
    """The detector, and all that the records depend on besides the photos: a run can go on with the same alone.

    at_once: photos that are looked at together, each by its share of the cores; those of a video come one by one."""
    name = str(options.weights or options.detector)
    how: dict[str, Any] = {name: getattr(options, name) for name in ("backend", "precision", "size", "tiles")}
    if options.redact is not None and options.pieces and not options.tiles:
        how["tiles"] = "large"
    detector = visavis.load_detector(name, options.device, options.threshold, **how, at_once=at_once)
    threshold = detector.threshold
    if options.redact is not None:
        covering = about(detector).covering if options.redact_threshold is None else options.redact_threshold
        detector.threshold = min(threshold, threshold if covering is None else covering)
    runs = about(detector).runs or name
    # A GPU takes several photos at once; on a CPU they would only wait for each other.
    batch_size = (16 if "cuda" in runs else 1) if options.batch_size == "auto" else options.batch_size
    small = f"; faces of {options.min_size:g} pixels or more" if options.min_size else ""
    covers = f", {detector.threshold:.3g} for what is covered" if detector.threshold < threshold else ""
    say(f"{runs}; threshold: {threshold:.3g}{covers}{small}")
    if options.backend == "auto" and runs.startswith("torch on cpu"):
        say(f"on a CPU, `python -m visavis.export {shlex.quote(name)}` makes it two to five times as fast")
    weights = SHIPPED if name == "shipped" else Path(name)
    settings = {
        "photos": [sources.shown(os.fspath(one)) for one in options.photos],
        "weights": checkpoint.fingerprint(weights) if weights.is_file() else name,
        "threshold": threshold,
        "covering": detector.threshold,
        "runs": runs,
        **how,
        "batch_size": batch_size,
        "recurse": options.recurse,
        "min_size": options.min_size,
        "every": options.every,
        "format": options.formats,
        "analyse": list(options.analysis.names),
        "draw": options.draw,
        **{name: getattr(options, name) for name in ("redact", "grow", "keep_largest")},
        **{name: getattr(options, name) for name in ("crops", "margin", "square", "sheet")},
        "look": options.look,
        "max_pixels": options.max_pixels,
    }
    return detector, settings


def _check(options: Options) -> None:
    """Raise InputError for options that cannot be used."""
    for name in ("batch_size", "workers"):
        if getattr(options, name) != "auto" and getattr(options, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} {getattr(options, name)}: give at least 1, or auto")
    if not options.photos and options.webcam is None:
        raise InputError("give photos, videos or folders to look at, or --webcam 0")
    if options.webcam is not None and (options.resume or not options.webcam or "/" in options.webcam):
        raise InputError("--webcam: give the number of a camera; no run of one goes on with --resume")
    options.analysis.loaded()
    if options.every < 1:
        raise InputError(f"--every {options.every}: give at least 1")
    if not options.min_size >= 0:
        raise InputError(f"--min-size {options.min_size:g}: give 0 or more pixels")
    if options.redact is not None and options.redact not in EFFECTS:
        raise InputError(f"--redact {options.redact}: there are {', '.join(EFFECTS)}")
    of_redaction = options.keep_largest, options.grow, options.redact_threshold, options.pieces
    if options.redact is None and of_redaction != (False, Options.grow, None, True):
        raise InputError("--keep-largest, --grow, --redact-threshold and --no-pieces are of --redact; give that, too")
    if options.redact_threshold is not None and not 0 <= options.redact_threshold <= 1:
        raise InputError(f"--redact-threshold {options.redact_threshold:g}: give a score from 0 to 1")
    if not options.crops and (options.square or options.margin != Options.margin):
        raise InputError("--margin and --square are of --crops; give that, too")
    if not (0 <= options.grow < math.inf and 0 <= options.margin < math.inf):
        raise InputError("--grow and --margin must be 0 or more, and finite")
    if options.max_pixels < 1 or options.timeout <= 0:
        raise InputError("--max-pixels and --timeout must be more than 0")
    if options.weights is not None and options.detector != "shipped":
        raise InputError("--weights and --detector both name a detector; give one of them")
    unknown = set(options.formats) - {"csv", *FORMATS}
    if unknown or not options.formats:
        raise InputError(f"--format {options.format}: there are {', '.join(['csv', *FORMATS])}")
    if options.out is None:
        if options.stdout is None:
            raise InputError("give --out, a folder for the results, or --stdout jsonl")
        pictures = options.redact is not None or options.crops or options.sheet
        if options.overwrite:
            raise InputError("--overwrite replaces the results in --out; give that, too, or leave --overwrite out")
        if options.resume or options.look or pictures or options.format != "csv":
            raise InputError(
                "--resume, --look, --redact, --crops, --sheet and --format need --out, the folder of the results"
            )
        return
    if options.resume and options.overwrite:
        raise InputError("--resume goes on and --overwrite begins anew; give one of them")
    runs.check(options.out, options.overwrite or options.resume)
