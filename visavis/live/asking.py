"""What a client asks of a photo, a video or a live frame, read from the texts that it sends."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import cast, get_args

from visavis.effects.filters import FILTERS
from visavis.effects.redaction import EFFECTS
from visavis.errors import InputError
from visavis.live.following import Look

OF_REQUESTS = ("name", "progress", "token")
"""What the text of a URL may hold besides what an `Ask` is made of."""
LEAST = 0.1
"""The lowest threshold that may be asked for: what the detector finds below it is hardly ever a face."""


@dataclass(frozen=True)
class Ask:
    """What a client asks of a photo or a video.

    detector: its name. threshold: score from which on a find is reported. min_size: pixels of a face's shorter side.
    analyse: analysers. draw: a copy with boxes. redact: an effect, for a copy that has no faces any more; "" for none.
    filter: what is drawn on the faces, names of visavis.effects.filters.FILTERS. look: at a live frame. scene: whether
    what stands before the camera is asked for, too.
    """

    detector: str
    threshold: float
    min_size: float = 0
    analyse: tuple[str, ...] = ()
    draw: bool = False
    redact: str = ""
    filter: tuple[str, ...] = ()
    look: Look = "auto"
    scene: bool = False

    @classmethod
    def of(
        cls, words: Mapping[str, str], detector: str, threshold: float, analysers: Sequence[str], filters: bool
    ) -> "Ask":
        """What texts ask for, such as those of a URL; without `threshold`, `threshold`. detector, analysers, filters:
        its name, those offered, and whether filters are. Raises InputError."""
        allowed = [field.name for field in fields(cls)] + [*OF_REQUESTS]
        for name in words:  # a misspelt `redact` would show every face
            if name not in allowed:
                raise InputError(f"no parameter {name!r}; there are {', '.join(allowed)}")
        analyse, drawn = _names(words, "analyse"), _names(words, "filter")
        for name in analyse:
            if name not in analysers:
                offered = ", ".join(analysers) or "none"
                raise InputError(f"no analyser {name!r} is offered by this server; offered: {offered}")
        redact = words.get("redact", "")
        if redact and redact not in EFFECTS:
            raise InputError(f"no effect {redact!r}; there are {', '.join(EFFECTS)}")
        for name in drawn:
            if name not in FILTERS:
                raise InputError(f"no filter {name!r}; there are {', '.join(FILTERS)}")
        if drawn and not filters:
            raise InputError("this server offers no filters: it has no weights of the analyser points")
        look = words.get("look", "auto")
        if look not in get_args(Look):
            raise InputError(f"no look {look!r}; there are {', '.join(get_args(Look))}")
        return cls(
            detector,
            _number(words, "threshold", threshold, LEAST, 1),
            _number(words, "min_size", 0, 0, math.inf),
            analyse,
            _truth(words, "draw"),
            redact,
            drawn,
            cast(Look, look),
            _truth(words, "scene"),
        )


def _names(words: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, words.get(name, "").split(",")))


def _truth(words: Mapping[str, str], name: str) -> bool:
    value = words.get(name, "")
    if value not in ("", "true", "false"):
        raise InputError(f"{name} must be true or false, not {value!r}")
    return value == "true"


def _number(words: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    try:
        value = float(words.get(name) or default)
    except ValueError:
        value = math.nan
    if not (least <= value <= most and math.isfinite(value)):
        bounds = f"between {least:g} and {most:g}" if most < math.inf else f"{least:g} or more"
        raise InputError(f"{name} must be a number {bounds}, not {words[name]!r}")
    return value
