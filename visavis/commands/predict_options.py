"""The options of predict, what they mean for the run, and which combinations are refused."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, get_args

import tyro

from visavis.analysers import ANALYSERS, AnalyserOptions, named
from visavis.analysers import check as check_analysers
from visavis.commands.commandline import Duration, Names
from visavis.commands.network import DetectorName, Network
from visavis.detectors import check as check_detector
from visavis.effects.filters import FILTERS, Filters
from visavis.effects.redaction import EFFECTS, Redaction
from visavis.errors import InputError
from visavis.images import MAX_PIXELS
from visavis.keypoints import SIXTY_EIGHT
from visavis.options import Amount, AutoCount, Count, Share
from visavis.prediction.analysis import WHO, Analysis
from visavis.prediction.copies import Copies
from visavis.prediction.crops import Crops, Order
from visavis.prediction.filtering import Filtering
from visavis.prediction.formats import FORMATS, load_format
from visavis.prediction.run import Outputs
from visavis.video.recording import RTSP

FREE = ("out", "webcam", "people", "detector", "device", "redact_threshold", "pieces", "stdout", "overwrite", "resume",
        "workers", "timeout")  # fmt: skip
"""Options that may differ when a run is resumed: no record depends on them, or their effect is compared instead."""


@dataclass
class Options:
    """Find the faces in photos and videos, and write their boxes as tables and pictures. The photos are never changed.

    Exit status: 0 if all is done; 3 if some photos could not be read (files.csv says which, and why) or some result
    could not be written; 2 for wrong usage; 130 if interrupted (--resume continues).
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[PHOTO ...]")] = ()
    """Photos (JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF), videos (MP4, MOV, MKV, WebM, AVI ...), folders of them,
    patterns such as 'holiday/**/*.jpg', @list.txt to read names from a file, and - to read them from standard input."""
    out: Path | None = None
    """Folder for the results; not inside a folder of photos. It may be left out with --stdout only."""
    webcam: str | None = None
    """The number of a camera to watch until Ctrl-C (on Windows, its name), or an address rtsp://..."""
    recurse: bool = True
    """Search subfolders, too."""
    detector: DetectorName = "shipped"
    weights: Path | None = None
    """The path of a checkpoint, as for --detector."""
    threshold: Share | None = None
    """Lowest score of a face, 0 to 1. The default is the detector's own: for a checkpoint, that of the best F1 in
    validation."""
    every: Count | None = None
    """In videos and from cameras, every how many frames faces are searched for; in between, redaction covers every
    place where a face may be. The default is 5, and less below 23 frames a second: about five times a second."""
    min_size: Amount = 0
    """Leave out faces whose shorter side has fewer pixels of the photo; files.csv counts them."""
    format: Annotated[
        Names, tyro.conf.arg(help=f"Formats of the results, separated by commas: csv, {', '.join(FORMATS)}.")
    ] = "csv"
    analyse: Annotated[
        Names,
        tyro.conf.arg(
            help=f"Analysers to run on each face, separated by commas: {', '.join(ANALYSERS)}. What they say of a face "
            "appears in the tables, the formats and the captions."
        ),
    ] = ""
    analysers: AnalyserOptions = AnalyserOptions()
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
    filter: Annotated[
        Names,
        tyro.conf.arg(
            help="Write filtered/: copies with these things drawn on the faces, of photos as JPEG files, separated by "
            f"commas: {', '.join(FILTERS)}."
        ),
    ] = ""
    crops: Order | None = None
    """Write crops/: each face as a JPEG file of its own. by-photo: a folder for each photo (the same as --crops alone);
    flat: all in one folder, with the photo's name in theirs; by-person: a folder for each person that --analyse
    identity names; best: as by-photo, but of a video the best crop of each track (score x size x sharpness)."""
    margin: Amount = 0.2
    """With --crops: margin at each side, as a share of the face's width and height."""
    square: bool = False
    """With --crops: make them square."""
    sheet: bool = False
    """Write sheets/: contact sheets of all faces, 80 on a page."""
    look: bool = False
    """Write look.html, which shows the results in a browser; of videos, a strip of pictures of each person, and up to
    100 frames with faces."""
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
        return Analysis(tuple(named(self.analyse)), self.analysers, self.out)

    @property
    def filtering(self) -> Filtering | None:
        """What is drawn on the faces, if anything. Raises InputError for a name that is none of the filters."""
        names = tuple(name.strip() for name in self.filter.split(",") if name.strip())
        unknown = [name for name in names if name not in FILTERS]
        if unknown:
            raise InputError(f"--filter {', '.join(unknown)}: choose from {', '.join(FILTERS)}")
        if not names:
            return None
        asked = len(self.analysis.loaded().keypoints) == len(SIXTY_EIGHT)
        return Filtering(Filters(names), self.analysis) if asked else Filtering(Filters(names))

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
        crops = Crops(self.margin, self.square, self.crops) if self.crops else None
        of_pictures = any(load_format(name).OF_PICTURES for name in self.formats if name in FORMATS)
        frames = "all" if of_pictures else "some" if self.look else ""
        pictures = crops, self.sheet, self.look, frames
        return Copies(self.out, self.draw, redaction, *pictures, self.analysis, self.filtering)


def arguments(words: list[str]) -> list[str]:
    """The command line as typed, with by-photo added after a --crops that has no value: what follows it may be a
    photo."""
    choices = (*get_args(Order), "None")
    return [
        more
        for word, following in pairwise([*words, ""])
        for more in ((word, choices[0]) if word == "--crops" and following not in choices else (word,))
    ]


def check(options: Options) -> None:
    """Raise InputError for options that cannot be used."""
    if not options.photos and options.webcam is None:
        raise InputError("give photos, videos or folders, or --webcam 0")
    if options.webcam is not None:
        if options.resume:
            raise InputError("--webcam cannot be combined with --resume: a camera's pictures do not come again")
        if not options.webcam or ("/" in options.webcam and not options.webcam.startswith(RTSP)):
            raise InputError("--webcam takes the number of a camera, or an address that begins with rtsp://")
    check_analysers(options.analysis.names, options.analysers)
    options.analysis.loaded()
    if options.filtering is not None:
        options.filtering.points.loaded()
    if options.redact is not None and options.redact not in EFFECTS:
        raise InputError(f"--redact {options.redact}: choose one of {', '.join(EFFECTS)}")
    of_redaction = options.keep_largest, options.grow, options.redact_threshold, options.pieces
    if options.redact is None and of_redaction != (False, Options.grow, None, True):
        raise InputError("--keep-largest, --grow, --redact-threshold and --no-pieces need --redact")
    if options.crops == "by-person" and WHO not in options.analysis.loaded().attributes:
        raise InputError("--crops by-person needs --analyse identity and --people, which say who is on the photos")
    if not options.crops and (options.square or options.margin != Options.margin):
        raise InputError("--margin and --square need --crops")
    if options.weights is not None and options.detector != "shipped":
        raise InputError("--weights and --detector both name a detector; give one of them")
    check_detector(options.weights or options.detector)
    unknown = set(options.formats) - {"csv", *FORMATS}
    if unknown or not options.formats:
        raise InputError(f"--format {options.format}: choose from {', '.join(['csv', *FORMATS])}")
    if options.out is None:
        if options.stdout is None:
            raise InputError("give --out, a folder for the results, or --stdout jsonl")
        pictures = options.redact is not None or options.filter or options.crops or options.sheet
        if options.overwrite:
            raise InputError("--overwrite needs --out, whose results it replaces")
        if options.resume or options.look or pictures or options.format != "csv":
            raise InputError("--resume, --look, --redact, --filter, --crops, --sheet and --format need --out, a folder")
    elif options.resume and options.overwrite:
        raise InputError("--resume continues a run and --overwrite starts a new one; give one of them")
