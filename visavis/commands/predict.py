"""Find the faces in photos: `python predict.py holiday/ --out boxed/`.

It writes into --out: files.csv (a row for every input), faces.csv (a row for every face) and drawn/ (copies of the
photos with boxes). A stopped run continues with --resume. The photos are never changed. More in docs/predict.md.
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
"""Options that may differ when a run is resumed: no record depends on them, or their effect is compared instead."""


@dataclass
class Options:
    """Find the faces in photos and videos, and write their boxes as tables and pictures. The photos are never changed.

    Exit status: 0 if all is done; 3 if some photos could not be read (files.csv says which, and why) or some result
    could not be written; 2 for wrong usage; 130 if interrupted (--resume continues).
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Photos (JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF), videos (MP4, MOV, MKV, WebM, AVI ...), folders of them,
    patterns such as 'holiday/**/*.jpg', @list.txt to read names from a file, and - to read them from standard input."""
    out: Path | None = None
    """Folder for the results; not inside a folder of photos. It may be left out with --stdout only."""
    webcam: str | None = None
    """The number of a camera to watch until Ctrl-C; on Windows, its name."""
    recurse: bool = True
    """Search subfolders, too."""
    detector: Annotated[
        str,
        tyro.conf.arg(help=f"One of {', '.join(DETECTORS)}, or the path of a checkpoint that train.py wrote."),
    ] = "shipped"
    weights: Path | None = None
    """The path of a checkpoint, as for --detector."""
    threshold: float | None = None
    """Lowest score of a face, 0 to 1. The default is the detector's own: for a checkpoint, that of the best F1 in
    validation."""
    every: Count = EVERY
    """In videos and from cameras, every how many frames faces are searched for; in between, redaction covers every
    place where a face may be."""
    min_size: Amount = 0
    """Leave out faces whose shorter side has fewer pixels of the photo; files.csv counts them."""
    format: Annotated[
        str, tyro.conf.arg(help=f"Formats of the results, separated by commas: csv, {', '.join(FORMATS)}.")
    ] = "csv"
    analyse: Annotated[
        str,
        tyro.conf.arg(
            help=f"Analysers to run on each face, separated by commas: {', '.join(ANALYSERS)}. What they say of a face "
            "appears in the tables, the formats and the captions."
        ),
    ] = ""
    draw: bool = True
    """Write drawn/: a JPEG copy of each photo with boxes and scores."""
    redact: Annotated[
        str | None,
        tyro.conf.arg(
            metavar=f"{{{','.join(EFFECTS)}}}",
            help="Write redacted/: a copy of each photo, in its own format, in which no face found can be recognised "
            "(those below --min-size and --threshold included) and whose metadata have no places, thumbnails or "
            "previews. fill leaves nothing of a face.",
        ),
    ] = None
    redact_threshold: Share | None = None
    """With --redact: lowest score of what is redacted, 0 to 1. The default is the detector's own for redaction, which
    misses fewer faces than --threshold and covers more that is no face. files.csv counts the difference as unsure."""
    pieces: bool = True
    """With --redact: search photos whose shorter side has more than 1,228 pixels in overlapping pieces, too.
    --no-pieces is faster and misses small faces."""
    grow: Amount = 0.2
    """With --redact: margin that is redacted at each side, as a share of the face's width and height."""
    keep_largest: bool = False
    """With --redact: do not redact the largest face of each photo."""
    crops: Literal["by-photo", "flat"] | None = None
    """Write crops/: each face as a JPEG file of its own. by-photo: a folder for each photo (the same as --crops alone);
    flat: all in one folder, with the photo's name in theirs."""
    margin: Amount = 0.2
    """With --crops: margin at each side, as a share of the face's width and height."""
    square: bool = False
    """With --crops: make them square."""
    sheet: bool = False
    """Write sheets/: contact sheets of all faces, 80 on a page."""
    look: bool = False
    """Write look.html, which shows the results in a browser; of videos, up to 100 frames with faces."""
    stdout: Literal["jsonl"] | None = None
    """Print the record of each input on standard output, as a line of JSON, as soon as it is done."""
    overwrite: bool = False
    """Replace the results in --out. Pictures of photos that are not given this time stay."""
    resume: bool = False
    """Continue the run that was stopped in --out; give the same options again."""
    network: Network = Network()
    batch_size: AutoCount = "auto"
    """Photos that go through the network together; auto: 16 on a GPU, and 1 on a CPU, where more gain nothing."""
    workers: AutoCount = "auto"
    """Processes that decode and draw; auto: one for each CPU core that may be used."""
    max_pixels: Count = MAX_PIXELS
    """Photos with more pixels than this are not decoded; their reason is too_large."""
    timeout: Duration = 120.0
    """Time limit for decoding or drawing a photo, or a frame of a video; what takes longer is unreadable (crashed)."""

    @property
    def formats(self) -> list[str]:
        """The names given with --format."""
        return [name.strip() for name in self.format.split(",") if name.strip()]

    @property
    def analysis(self) -> Analysis:
        """The analysers to run on each face."""
        return Analysis(tuple(named(self.analyse)))

    @property
    def outputs(self) -> Outputs:
        """What is written of all faces together."""
        return Outputs(self.formats, self.look, self.sheet)

    @property
    def copies(self) -> Copies:
        """The pictures to write of each photo."""
        if self.out is None:
            return Copies(Path(), drawn=False, analysis=self.analysis)
        redaction = Redaction(self.redact, self.grow, self.keep_largest) if self.redact is not None else None
        crops = Crops(self.margin, self.square, self.crops == "flat") if self.crops else None
        of_pictures = any(load_format(name).OF_PICTURES for name in self.formats if name in FORMATS)
        frames = "all" if of_pictures else "some" if self.look else ""
        return Copies(self.out, self.draw, redaction, crops, self.sheet, frames, self.analysis)


def arguments(words: list[str]) -> list[str]:
    """The command line as typed, with by-photo added after a --crops that has no value: what follows it may be a
    photo."""
    choices = ("by-photo", "flat", "None")
    return [
        more
        for word, following in zip(words, [*words[1:], ""], strict=True)
        for more in ((word, choices[0]) if word == "--crops" and following not in choices else (word,))
    ]


def predict(options: Options) -> int:
    """Find the faces in every input and write the results. Returns the exit status: 0, or 3 if some input could not be
    read or some result not be written. Raises InputError, before anything is written, for options that cannot be used.
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
        # Several photos are searched at once, each with its share of the cores; frames of a video come one by one.
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
        bars.close()  # further messages appear below them
        return run.conclude()


def _inputs(options: Options) -> list[Input]:
    """The files and folders, or the camera, that the command line names. Raises InputError."""
    camera = options.webcam
    if camera is not None:
        Camera.of(camera)
    files = sources.listed(options.photos, options.recurse, options.out) if options.photos else []
    inputs = files + ([Input(f"webcam:{camera}", f"webcam-{camera}", camera=camera)] if camera is not None else [])
    if options.keep_largest and any(one.is_video for one in inputs):
        raise InputError(
            "--keep-largest is for photos, since the largest face of a video changes; leave it out, or the videos"
        )
    return inputs


def _detector(options: Options, at_once: int) -> tuple[Detector, float]:
    """The detector, with the threshold of what is redacted, and the lowest score to report."""
    name = _source(options)
    detector = visavis.load_detector(name, threshold=options.threshold, at_once=at_once, **_arguments(options))
    threshold = detector.threshold
    if options.redact is not None:
        covering = about(detector).covering if options.redact_threshold is None else options.redact_threshold
        detector.threshold = min(threshold, threshold if covering is None else covering)
    runs = about(detector).runs or name
    small = f"; only faces of {options.min_size:g} pixels or more" if options.min_size else ""
    covers = f", {detector.threshold:.3g} for redaction" if detector.threshold < threshold else ""
    say(f"{runs}; threshold: {threshold:.3g}{covers}{small}")
    if options.network.backend == "auto" and runs.startswith("torch on cpu"):
        say(f"on a CPU, detection is two to five times as fast after `python -m visavis.export {shlex.quote(name)}`")
    return detector, threshold


def _source(options: Options) -> str:
    """The name of the detector, or the path of its weights."""
    return str(options.weights or options.detector)


def _arguments(options: Options) -> dict[str, Any]:
    """The keyword arguments of `visavis.load_detector`. With redaction, large photos are searched in pieces, too."""
    pieces = options.redact is not None and options.pieces and not options.network.tiles
    return asdict(options.network) | ({"tiles": "large"} if pieces else {})


def _batch_size(options: Options, detector: Detector) -> int:
    """auto: several photos at once on a GPU; on a CPU they would only wait for each other."""
    if options.batch_size != "auto":
        return options.batch_size
    return 16 if "cuda" in about(detector).runs else 1


def _settings(options: Options, detector: Detector, task: Task) -> dict[str, Any]:
    """All that the records depend on, as JSON values: a stopped run can be resumed only with the same."""
    source = _source(options)
    weights = SHIPPED if source == "shipped" else Path(source)
    asked = {name: value for name, value in (plain(options) | _arguments(options)).items() if name not in FREE}
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
        raise InputError("give photos, videos or folders, or --webcam 0")
    if options.webcam is not None and (options.resume or not options.webcam or "/" in options.webcam):
        raise InputError("--webcam takes the number of a camera, and cannot be combined with --resume")
    options.analysis.loaded()
    if options.redact is not None and options.redact not in EFFECTS:
        raise InputError(f"--redact {options.redact}: choose one of {', '.join(EFFECTS)}")
    of_redaction = options.keep_largest, options.grow, options.redact_threshold, options.pieces
    if options.redact is None and of_redaction != (False, Options.grow, None, True):
        raise InputError("--keep-largest, --grow, --redact-threshold and --no-pieces need --redact")
    if not options.crops and (options.square or options.margin != Options.margin):
        raise InputError("--margin and --square need --crops")
    if options.weights is not None and options.detector != "shipped":
        raise InputError("--weights and --detector both name a detector; give one of them")
    unknown = set(options.formats) - {"csv", *FORMATS}
    if unknown or not options.formats:
        raise InputError(f"--format {options.format}: choose from {', '.join(['csv', *FORMATS])}")
    if options.out is None:
        if options.stdout is None:
            raise InputError("give --out, a folder for the results, or --stdout jsonl")
        pictures = options.redact is not None or options.crops or options.sheet
        if options.overwrite:
            raise InputError("--overwrite needs --out, whose results it replaces")
        if options.resume or options.look or pictures or options.format != "csv":
            raise InputError(
                "--resume, --look, --redact, --crops, --sheet and --format need --out, the folder of the results"
            )
    elif options.resume and options.overwrite:
        raise InputError("--resume continues a run and --overwrite starts a new one; give one of them")
