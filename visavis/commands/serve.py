"""A page in the browser that finds faces live: `python serve.py`.

The page shows what a camera sees, with faces in boxes or redacted, and takes photos and videos that are dropped on it.
Other programs use the same server over HTTP. docs/live.md has the rest.
"""

import secrets
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

import visavis
from visavis.analysers import ANALYSERS, AnalyserOptions, check, load_with, options_of
from visavis.commands.commandline import Duration
from visavis.commands.network import DetectorName, Network
from visavis.cores import cores
from visavis.detectors import DETECTORS, OURS
from visavis.errors import InputError
from visavis.extras import needed
from visavis.images import MAX_PIXELS
from visavis.messages import say
from visavis.options import AutoCount, Count, Port, Range
from visavis.workers import Workers

INSTALL = "pip install 'visavis[serve]'"

AT_ONCE = 2
"""Calls of the detector, each on its share of the cores: a photo does not keep a camera waiting, and on two cores no
thread of the network spins in wait for another, which would take the browser's time."""


@dataclass
class Options:
    """Serve a page that finds faces live in front of a camera, and in photos and videos that are dropped on it.

    It is for this machine alone unless --host says otherwise; then it prints a token without which nobody is answered.
    Nothing that is sent to it is kept. Ctrl-C ends it.
    """

    host: str = "127.0.0.1"
    """The address to listen at: 0.0.0.0 for all networks of this machine, which should have --tls-cert then."""
    port: Port = 8000
    """The port to listen at; 0 for any that is free."""
    browser: bool = True
    """Open the page in the browser, where there is a screen."""
    detector: DetectorName = "shipped"
    threshold: Annotated[float | None, Range(0.1, 1)] = None
    """Lowest score of a face, 0.1 to 1, where a client asks for no other; by default the detector's own."""
    analyse: Annotated[
        str | None,
        tyro.conf.arg(
            help=f"What the page offers to say of each face, with commas between: {', '.join(ANALYSERS)}; or the path "
            "of weights that train.py wrote. By default all of these whose weights are installed."
        ),
    ] = None
    analysers: AnalyserOptions = AnalyserOptions()
    classifier: str | None = None
    """Say what stands before the camera: the ImageNet classes of one of torchvision's classifiers, such as mobilenet_v2
    or vgg16. Without --classifier-weights, torchvision fetches its weights once."""
    classifier_weights: Path | None = None
    """With --classifier: a file with its weights, as torchvision publishes them."""
    camera: str | None = None
    """A camera of this machine that the page shows, too: its number, an address rtsp://..., or a video file."""
    network: Network = Network()
    tls_cert: Path | None = None
    """A certificate (PEM), for https. Browsers let pages use a camera on https and on this machine alone."""
    tls_key: Path | None = None
    """Its private key, unless that is in the same file."""
    workers: AutoCount = "auto"
    """Processes that decode and draw; auto is one for each CPU core that may be used."""
    max_bytes: Count = 300_000_000
    """Largest that a photo, a video, or all files of a request may be together."""
    max_pixels: Count = MAX_PIXELS
    """Photos with more pixels in all are not decoded."""
    timeout: Duration = 30.0
    """Longest that a photo, or a frame of a video, may take to decode, or to draw."""
    video_timeout: Duration = 1800.0
    """Longest that a request with a video, or with several files, may be worked on."""


def serve(options: Options) -> int:
    """Serve until Ctrl-C. Raises InputError for options that cannot be used."""
    for package in ("starlette", "uvicorn", "websockets", "python_multipart"):
        needed(package, "the page", INSTALL)
    from visavis.live import app, camera, serving
    from visavis.live.classifier import Classifier
    from visavis.live.finders import Finders
    from visavis.live.looking import Looker
    from visavis.live.scratch import Scratch

    if options.tls_key is not None and options.tls_cert is None:
        raise InputError("--tls-key is the key of --tls-cert; give that, too")
    if options.classifier_weights is not None and options.classifier is None:
        raise InputError("--classifier-weights are those of --classifier; give that, too")
    analysers = _analysers(options.analyse, options.analysers)
    local = options.host in serving.LOOPBACK
    token = None if local else secrets.token_urlsafe(24)
    with ExitStack() as stack:
        opened = camera.opener(options.camera, options.max_pixels) if options.camera is not None else None
        listener = stack.enter_context(serving.listening(options.host, options.port))
        url = serving.address(listener, options.host, options.tls_cert is not None)
        count = cores() if options.workers == "auto" else options.workers
        workers = stack.enter_context(Workers(count, options.timeout, app.MODULES))
        workers.start()  # while the network is loaded
        how: dict[str, Any] = asdict(options.network) | {"at_once": AT_ONCE}
        detector = visavis.load_detector(options.detector, threshold=options.threshold, **how)
        classifier = None
        if options.classifier is not None:
            classifier = Classifier(options.classifier, options.classifier_weights)
        limits = options.max_pixels, options.timeout
        name = options.detector if options.detector in DETECTORS else Path(options.detector).name
        finders = Finders(name, detector, OURS, device=options.network.device)
        stack.callback(finders.stop)
        filters = _is_here("points", options.analysers)
        looker = Looker(finders, workers, analysers, options.analysers, filters, *limits, classifier=classifier)
        shown = camera.Camera(opened, looker) if opened is not None else None
        scratch = stack.enter_context(Scratch())
        service = app.Service(looker, scratch, count + 1, options.video_timeout, shown)
        application = app.application(service, serving.LOOPBACK if local else None, token, options.max_bytes)
        page = url if token is None else f"{url}?token={token}"
        say(f"{detector.about.runs or options.detector}; threshold: {finders[name].threshold:.3g}")
        if not local and options.tls_cert is None:
            say("without --tls-cert, whoever is on the network sees what is sent, and the token; and browsers let the "
                "page use their camera on this machine alone")  # fmt: skip
        say(f"the page is at {page} (Ctrl-C ends it)")
        if options.browser:
            serving.open_page(page)
        with suppress(KeyboardInterrupt):  # the way to end it
            serving.run(application, listener, options.tls_cert, options.tls_key)
        say("ended")
    return 0


def _analysers(asked: str | None, options: AnalyserOptions) -> list[str]:
    """The analysers that the page offers. Raises InputError where one that was asked for cannot be had."""
    if asked is not None:
        names = [name.strip() for name in asked.split(",") if name.strip()]
        check(names, options)
        for name in names:
            load_with(name, options)
        return names
    return [name for name in ANALYSERS if _is_here(name, options)]


def _is_here(name: str, options: AnalyserOptions) -> bool:
    """Whether an analyser can be loaded. Raises InputError where it cannot, but options for it were given."""
    try:
        load_with(name, options)
    except InputError:  # its weights are not here, or an option that it needs
        if options_of(name, options):
            raise
        return False
    return True
