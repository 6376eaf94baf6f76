"""The detectors that a client may choose among: each is loaded when it is first asked for, and then serves all."""

import threading
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from visavis.detectors import load_detector
from visavis.detectors.loaded import LoadedDetector
from visavis.detectors.protocol import Detector, about
from visavis.detectors.tiles import LARGE, LARGE_PIECE, Tiles
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import Picture
from visavis.live.asking import LEAST
from visavis.live.following import Following
from visavis.prediction.call_threads import CallThreads

QUICK = 240
"""Pixels of a live frame's shorter side in the quick look: 320 x 240 of 640 x 480."""


@runtime_checkable
class Quick(Protocol):
    """A detector that can look at a picture in less detail, in less time."""

    def quick(self, shorter: int) -> Detector:
        """The detector that does so; `shorter`: pixels of the picture's shorter side."""
        ...


class Finder:
    """One detector at work for many clients, from several threads.

    threshold: where a client asks for no other. covering: the lowest score of what redaction covers. plain: the
    detector; thorough: with pieces of large pictures as well, for redaction. network: the threads that call it.
    """

    def __init__(self, detector: LoadedDetector) -> None:
        self.threshold = max(LEAST, detector.threshold)
        self.covering = min(self.threshold, max(LEAST, detector.about.covering or self.threshold))
        self.plain: Detector = detector.detector
        self.plain.threshold = LEAST
        self.thorough = self.plain if isinstance(self.plain, Tiles) else Tiles(self.plain, LARGE_PIECE, LARGE)
        self._quick = self.plain.quick(QUICK) if isinstance(self.plain, Quick) else None
        self.network = CallThreads(about(self.plain).at_once)

    def following(self) -> Following:
        """What finds the faces of a camera that begins now."""
        return Following(self.plain, self._quick, QUICK)


class Finders:
    """The detectors by their names. own: the name of the server's own, which is loaded already; others: names of
    visavis.detectors.DETECTORS; how: the arguments of `load_detector` for these."""

    def __init__(self, own: str, detector: LoadedDetector, others: Sequence[str] = (), **how: Any) -> None:
        self.own, self.names = own, (own, *(name for name in others if name != own))
        self._loaded = {own: Finder(detector)}
        self._how, self._loading = how, threading.Lock()

    def __getitem__(self, name: str) -> Finder:
        """The detector of that name. Loading takes a moment. Raises InputError for an unknown name, and where it cannot
        be loaded."""
        if name not in self.names:
            raise InputError(f"no detector {name!r} is offered by this server; offered: {', '.join(self.names)}")
        if name not in self._loaded:
            with self._loading:
                if name not in self._loaded:
                    self._loaded[name] = Finder(load_detector(name, **self._how))
        return self._loaded[name]

    def stop(self) -> bool:
        """Take no more; whether what is under way ended soon."""
        stopped = [finder.network.stop(within=5) for finder in self._loaded.values()]
        return all(stopped)


class Above:
    """A detector that is shared, with a threshold of its own."""

    def __init__(self, detector: Detector, threshold: float) -> None:
        self._detector, self.threshold, self.about = detector, threshold, about(detector)

    def detect(self, images: list[Picture]) -> list[Faces]:
        """See visavis.detectors.protocol.Detector."""
        return [faces.above(self.threshold) for faces in self._detector.detect(images)]
