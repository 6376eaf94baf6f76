"""Times that go on where those of a file begin anew, as they do where two recordings were put one behind the other."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

JUMP = Fraction(1, 5)
"""Seconds by which times fall back where a file begins anew; less is a flaw of one packet, unless it falls back to
where the stream began."""

WRAP = Fraction(2**33, 90_000)
"""Seconds after which the times of an MPEG stream begin at 0 (ISO/IEC 13818-1, 2.4.3.7): 26.5 hours. FFmpeg takes a
time that lies well before the file's first one for one behind this."""

MPEG = frozenset({"mpegts", "mpeg"})
_CONTAINERS = MPEG | {"flv"}
"""FFmpeg's names of the containers in which times may begin anew. An index gives those of the others, and there a
packet that falls back is no new beginning: in MP4 it is one that is decoded, but not shown, for the sake of an edit
list."""


@dataclass
class _Stream:
    """What is known of a stream so far, in seconds. begins: of its latest beginning, and last: of its latest packet,
    both as the file has them. step: its shortest from one packet to the next. shift: what is added."""

    begins: Fraction
    last: Fraction
    end: Fraction
    shift: Fraction
    step: Fraction | None = None
    number: int = 0


class Clock:
    """Sets the times of a file's packets, as they come.

    Times stay the file's own, with whatever gaps it has, until one falls behind that of the packet before it: there a
    recording begins anew. A stream's n-th new beginning comes as much later as that of the stream that was there
    first, so that picture and sound stay together; where its own packets reach further, behind these.
    """

    def __init__(self, container: str, start: Fraction) -> None:
        """container: FFmpeg's name of its format. start: of the file, seconds; where the times begin anew shortly
        after it, FFmpeg gives a negative one, which no container takes, and which becomes 0 here."""
        self._later = [max(Fraction(0), -start)]  # seconds, before the first new beginning, behind it, ...
        self._streams: dict[int, _Stream] = {}
        self._sets = container in _CONTAINERS
        self._wraps = container in MPEG

    def set(self, packet: Any) -> None:
        """Move the times of the next packet of its stream."""
        if packet.dts is None or not self._sets:
            return
        unit = packet.time_base
        begins = packet.dts * unit
        known = self._streams.get(packet.stream.index)
        if known is None:
            known = _Stream(begins, begins, begins, shift=self._later[0])
            self._streams[packet.stream.index] = known
        unwrapped = begins - WRAP * round((begins - known.last) / WRAP) if self._wraps else begins
        wrapped, begins = begins - unwrapped, unwrapped
        if begins < known.last - JUMP or (begins < known.last and begins <= known.begins):
            known.number += 1
            if known.number == len(self._later):
                self._later.append(known.end - begins)
            known.shift, known.begins = max(self._later[known.number], known.end - begins), begins
        elif begins > known.last:
            known.step = min(known.step or begins - known.last, begins - known.last)
        ticks = round((known.shift - wrapped) / unit)
        packet.dts += ticks
        if packet.pts is not None:
            packet.pts += ticks
        lasts = packet.duration * unit if packet.duration else known.step or Fraction(0)
        known.last, known.end = begins, begins + known.shift + max(lasts, unit)
