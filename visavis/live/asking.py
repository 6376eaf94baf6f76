"""What a client asks of a photo, a video or a live frame, read from the texts that it sends."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from visavis.effects.redaction import EFFECTS
from visavis.errors import InputError

LEAST = 0.1
"""The lowest threshold that may be asked for: what the detector finds below it is hardly ever a face."""


@dataclass(frozen=True)
class Ask:
    """What a client asks of a photo or a video.

    threshold: score from which on a find is reported. min_size: pixels of a face's shorter side. analyse: analysers.
    draw: a copy with boxes. redact: an effect, for a copy that has no faces any more; "" for none. quick: whether a
    live frame may have a quick look only (visavis.live.following). scene: whether what stands before the camera is
    asked for, too.
    """

    threshold: float
    min_size: float = 0
    analyse: tuple[str, ...] = ()
    draw: bool = False
    redact: str = ""
    quick: bool = True
    scene: bool = False

    @classmethod
    def of(cls, words: Mapping[str, str], threshold: float, analysers: Sequence[str]) -> "Ask":
        """What texts ask for, such as those of a URL; without `threshold`, `threshold`. Raises InputError."""
        analyse = tuple(filter(None, words.get("analyse", "").split(",")))
        for name in analyse:
            if name not in analysers:
                offered = ", ".join(analysers) or "none"
                raise InputError(f"no analyser {name!r} is offered by this server; offered: {offered}")
        redact = words.get("redact", "")
        if redact and redact not in EFFECTS:
            raise InputError(f"no effect {redact!r}; there are {', '.join(EFFECTS)}")
        return cls(
            _number(words, "threshold", threshold, LEAST, 1),
            _number(words, "min_size", 0, 0, math.inf),
            analyse,
            words.get("draw", "") == "true",
            redact,
            words.get("quick", "") != "false",
            words.get("scene", "") == "true",
        )


def _number(words: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    try:
        value = float(words.get(name) or default)
    except ValueError:
        value = math.nan
    if not (least <= value <= most and math.isfinite(value)):
        bounds = f"between {least:g} and {most:g}" if most < math.inf else f"{least:g} or more"
        raise InputError(f"{name} must be a number {bounds}, not {words[name]!r}")
    return value
