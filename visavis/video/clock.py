"""Times that go on where those of a file begin anew, as they do where two recordings were put one behind the other."""

from fractions import Fraction
from typing import Any

JUMP = Fraction(1, 5)
"""Seconds by which times fall back where a file begins anew; less is a flaw of one packet."""


class Clock:
    """Sets the times of a file's packets, as they come.

    A stream's n-th new beginning comes as much later as that of the stream that was there first, so that picture and
    sound stay together; where its own packets reach further, behind these.
    """

    def __init__(self) -> None:
        self._later: list[Fraction] = [Fraction(0)]  # seconds, before the first new beginning, behind it, ...
        self._last: dict[int, Fraction] = {}
        self._ends: dict[int, Fraction] = {}
        self._begun: dict[int, int] = {}
        self._shifts: dict[int, Fraction] = {}

    def set(self, packet: Any) -> None:
        """Move the times of the next packet of its stream."""
        if packet.dts is None:
            return
        stream, unit = packet.stream.index, packet.time_base
        shift = self._shifts.get(stream, Fraction(0))
        begins, end = packet.dts * unit, self._ends.get(stream)
        if end is not None and begins + shift < end - JUMP:
            number = self._begun[stream] = self._begun.get(stream, 0) + 1
            if number == len(self._later):
                self._later.append(end - begins)
            shift = self._shifts[stream] = max(self._later[number], end - begins)
        ticks = round(shift / unit)
        packet.dts += ticks
        if packet.pts is not None:
            packet.pts += ticks
        now = packet.dts * unit
        lasts = packet.duration * unit if packet.duration else now - self._last.get(stream, now)
        self._last[stream], self._ends[stream] = now, now + max(lasts, unit)
