"""Find the faces in photos: `python predict.py holiday/ --out boxed/`.

What it writes, in --out: files.csv (a row for every input), faces.csv (a row a face) and drawn/ (copies of the photos
with boxes). A run that was stopped goes on with --resume; the photos are never touched. docs/predict.md has the rest.
"""

import os
import shlex
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

import visavis
from visavis import checkpoint, sources
from visavis.analysers import ANALYSERS, named
from visavis.checkpoint import SHIPPED
from visavis.commands.commandline import Duration
from visavis.commands.network import Network
from visavis.cores import cores
from visavis.detectors import DETECTORS
from visavis.detectors.protocol import Detector, about
from visavis.effects.redaction import EFFECTS, Redaction
from visavis.errors import InputError
from visavis.images import MAX_PIXELS
from visavis.messages import say
from visavis.options import Amount, AutoCount, Count, Share, plain
from visavis.prediction.analysis import Analysis
from visavis.prediction.copies import Copies
from visavis.prediction.crops import Crops
from visavis.prediction.formats import FORMATS, load_format
from visavis.prediction.pipeline import Pipeline, Task
from visavis.prediction.progress import Bars
from visavis.prediction.results import FaceFields
from visavis.prediction.run import Outputs, Run
from visavis.prediction.videos import EVERY, VIDEO_MODULES
from visavis.sources import Input
from visavis.video.recording import Camera
from visavis.workers import Workers

FREE = ("out", "webcam", "detector", "device", "redact_threshold", "pieces", "stdout", "overwrite", "resume", "workers",
        "timeout")  # fmt: skip
"""Options that no record depends on, or whose outcome is told by itself: a run that was stopped goes on with others."""


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
    every: Count = EVERY
    """Of videos and cameras: look at every so many frames; in between, redaction covers wherever a face may be."""
    min_size: Amount = 0
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
    redact_threshold: Share | None = None
    """With --redact: lowest score of what is covered, 0 to 1; by default the detector's own for that, which misses
    fewer faces than --threshold and covers more of what is none. files.csv counts those in between as unsure."""
    pieces: bool = True
    """With --redact: look at photos whose shorter side has more than 1,228 pixels in overlapping pieces, too; without
    is faster and misses small faces."""
    grow: Amount = 0.2
    """With --redact: share of a face's width and height that is redacted beyond it at each side."""
    keep_largest: bool = False
    """With --redact: leave the largest face of each photo as it is."""
    crops: Literal["by-photo", "flat"] | None = None
    """Write crops/: each face alone, as a JPEG file; by-photo in a folder a photo (--crops alone is the same), flat all
    in one folder, with names that tell photo and face."""
    margin: Amount = 0.2
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
    network: Network = Network()
    batch_size: AutoCount = "auto"
    """Photos that go through the network together; auto is 16 on a GPU, 1 on a CPU, which gains nothing by more."""
    workers: AutoCount = "auto"
    """Processes that decode and draw; auto is one for each CPU core that may be used."""
    max_pixels: Count = MAX_PIXELS
    """Photos with more pixels in all are too_large; they are not decoded."""
    timeout: Duration = 120.0
    """Longest that a photo, or a frame of a video, may take to decode, or to draw; what takes longer is unreadable
    (crashed)."""

    @property
    def formats(self) -> list[str]:
        """Those of --format."""
        return [name.strip() for name in self.format.split(",") if name.strip()]

    @property
    def analysis(self) -> Analysis:
        """What is asked of each face."""
        return Analysis(tuple(named(self.analyse)))

    @property
    def outputs(self) -> Outputs:
        """What is written of all faces together."""
        return Outputs(self.formats, self.look, self.sheet)

    @property
    def copies(self) -> Copies:
        """What is written of each photo."""
        if self.out is None:
            return Copies(Path(), drawn=False, analysis=self.analysis)
        redaction = Redaction(self.redact, self.grow, self.keep_largest) if self.redact is not None else None
        crops = Crops(self.margin, self.square, self.crops == "flat") if self.crops else None
        of_pictures = any(load_format(name).OF_PICTURES for name in self.formats if name in FORMATS)
        frames = "all" if of_pictures else "some" if self.look else ""
        return Copies(self.out, self.draw, redaction, crops, self.sheet, frames, self.analysis)


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
    with ExitStack() as stack:
        run = stack.enter_context(
            Run(options.out, options.outputs, options.resume, options.overwrite, options.stdout is not None)
        )
        if run.over:
            return run.conclude()
        inputs = run.inputs or _inputs(options)
        videos = any(one.is_video for one in inputs)
        count = cores() if options.workers == "auto" else options.workers
        modules = ["visavis.prediction.pipeline", *(VIDEO_MODULES if videos else ())]
        workers = stack.enter_context(Workers(min(count, len(inputs)), options.timeout, modules))
        workers.start()  # while the network is loaded
        # Photos are looked at together, each by its share of the cores; those of a video come one by one.
        detector, threshold = _detector(options, 1 if videos else min(cores(), len(inputs)))
        task = Task(
            _batch_size(options, detector),
            options.min_size,
            options.max_pixels,
            options.copies,
            options.every,
            options.timeout,
            threshold,
        )
        run.begin(inputs, _settings(options, detector, task), FaceFields.of(detector, options.analysis))
        bars = stack.enter_context(Bars(len(inputs), run.done, videos))
        pipeline = stack.enter_context(Pipeline(detector, workers, task, bars.frames))
        for record in pipeline.records(inputs, run.done):
            run.add(record)
            bars.update()
        bars.close()  # what is said from here on stands below it
        return run.conclude()


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


def _detector(options: Options, at_once: int) -> tuple[Detector, float]:
    """The detector, which returns what is to be covered, too; and the score from which on a find is reported."""
    name, how = _source(options), _how(options)
    detector = visavis.load_detector(name, threshold=options.threshold, at_once=at_once, **how)
    threshold = detector.threshold
    if options.redact is not None:
        covering = about(detector).covering if options.redact_threshold is None else options.redact_threshold
        detector.threshold = min(threshold, threshold if covering is None else covering)
    runs = about(detector).runs or name
    small = f"; faces of {options.min_size:g} pixels or more" if options.min_size else ""
    covers = f", {detector.threshold:.3g} for what is covered" if detector.threshold < threshold else ""
    say(f"{runs}; threshold: {threshold:.3g}{covers}{small}")
    if options.network.backend == "auto" and runs.startswith("torch on cpu"):
        say(f"on a CPU, `python -m visavis.export {shlex.quote(name)}` makes it two to five times as fast")
    return detector, threshold


def _source(options: Options) -> str:
    """The name of the detector, or the path of its weights."""
    return str(options.weights or options.detector)


def _how(options: Options) -> dict[str, Any]:
    """How the detector runs, as `visavis.load_detector` takes it. Redaction looks at large photos in pieces, too."""
    pieces = options.redact is not None and options.pieces and not options.network.tiles
    return asdict(options.network) | ({"tiles": "large"} if pieces else {})


def _batch_size(options: Options, detector: Detector) -> int:
    """A GPU takes several photos at once; on a CPU they would only wait for each other."""
    if options.batch_size != "auto":
        return options.batch_size
    return 16 if "cuda" in about(detector).runs else 1


def _settings(options: Options, detector: Detector, task: Task) -> dict[str, Any]:
    """All that the records depend on, as JSON has it: a run that was stopped goes on with the same alone."""
    source = _source(options)
    weights = SHIPPED if source == "shipped" else Path(source)
    asked = {name: value for name, value in (plain(options) | _how(options)).items() if name not in FREE}
    return asked | {
        "photos": [sources.shown(os.fspath(one)) for one in options.photos],
        "weights": checkpoint.fingerprint(weights) if weights.is_file() else source,
        "threshold": task.threshold,
        "covering": detector.threshold,
        "runs": about(detector).runs or source,
        "batch_size": task.batch_size,
        "format": options.formats,
        "analyse": options.analysis.identified(),
    }


def _check(options: Options) -> None:
    """Raise InputError for options that cannot be used."""
    if not options.photos and options.webcam is None:
        raise InputError("give photos, videos or folders to look at, or --webcam 0")
    if options.webcam is not None and (options.resume or not options.webcam or "/" in options.webcam):
        raise InputError("--webcam: give the number of a camera; no run of one goes on with --resume")
    options.analysis.loaded()
    if options.redact is not None and options.redact not in EFFECTS:
        raise InputError(f"--redact {options.redact}: there are {', '.join(EFFECTS)}")
    of_redaction = options.keep_largest, options.grow, options.redact_threshold, options.pieces
    if options.redact is None and of_redaction != (False, Options.grow, None, True):
        raise InputError("--keep-largest, --grow, --redact-threshold and --no-pieces are of --redact; give that, too")
    if not options.crops and (options.square or options.margin != Options.margin):
        raise InputError("--margin and --square are of --crops; give that, too")
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
    elif options.resume and options.overwrite:
        raise InputError("--resume goes on and --overwrite begins anew; give one of them")
