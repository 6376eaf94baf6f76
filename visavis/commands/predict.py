"""Find the faces in photos: `python predict.py holiday/ --out boxed/`.

It writes into --out: files.csv (a row for every input), faces.csv (a row for every face) and drawn/ (copies of the
photos with boxes). A stopped run continues with --resume. The photos are never changed. More in docs/predict.md.
"""

import os
import shlex
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import visavis
from visavis import checkpoint, sources
from visavis.checkpoint import SHIPPED
from visavis.commands.predict_options import FREE, Options, arguments, check
from visavis.cores import cores
from visavis.detectors.protocol import Detector, about
from visavis.errors import InputError
from visavis.messages import say
from visavis.options import plain
from visavis.prediction.pipeline import Pipeline, Task
from visavis.prediction.progress import Bars
from visavis.prediction.results import FaceFields
from visavis.prediction.run import Run
from visavis.prediction.videos import VIDEO_MODULES
from visavis.sources import Input
from visavis.video.recording import Camera
from visavis.workers import Workers

__all__ = ["Options", "arguments", "predict"]


def predict(options: Options) -> int:
    """Find the faces in every input and write the results. Returns the exit status: 0, or 3 if some input could not be
    read or some result not be written. Raises InputError, before anything is written, for options that cannot be used.
    """
    check(options)
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
        for path in options.analysis.kept:
            say(f"what analysers find of each face is kept in {path}, so that it need not be found twice")
        bars = stack.enter_context(Bars(len(inputs), run.done, videos))
        pipeline = stack.enter_context(Pipeline(detector, workers, task, bars.frames))
        for record in pipeline.records(inputs, run.done):
            run.add(record)
            bars.update()
        bars.close()  # further messages appear below them
        return run.conclude()


def _inputs(options: Options) -> list[Input]:
    """The files and folders, or the camera, that the command line names. Raises InputError."""
    camera = Camera.of(options.webcam) if options.webcam is not None else None
    files = sources.listed(options.photos, options.recurse, options.out) if options.photos else []
    inputs = files + (
        [Input(f"webcam:{camera.called}", f"webcam-{camera.place}", camera=camera.number)] if camera else []
    )
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
    if options.network.backend == "auto" and runs.startswith("torch on cpu") and Path(name).is_file():
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
