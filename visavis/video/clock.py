"""Times of files that have none of their own (AVI), and continuous times for files in which they start again, as they
do where two recordings were concatenated."""

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

JUMP = Fraction(1, 5)
"""If times fall back by more seconds than this, a new recording starts. A smaller step back is a flaw of one packet,
unless it leads back to where the stream began."""

WRAP = Fraction(2**33, 90_000)
"""Seconds after which the times of an MPEG stream wrap around to 0 (ISO/IEC 13818-1, 2.4.3.7): 26.5 hours. FFmpeg takes
a time well before the file's first one for one after the wrap."""

MPEG = frozenset({"mpegts", "mpeg"})
_CONTAINERS = MPEG | {"flv"}
"""FFmpeg's names of the containers in which times may start again. In others, times come from an index, and a packet
that falls back does not start a recording: in MP4, an edit list demands that it is decoded, but not shown."""


@dataclass
class _Stream:
    """What is known of a stream so far, in seconds. begins, last: the file's times of the latest recording's first
    packet, and of the latest packet. end: where that packet ends, in shifted time. shift: what is added to times.
    step: the shortest from one packet to the next. number: of the latest recording."""

    begins: Fraction
    last: Fraction
    end: Fraction
    shift: Fraction
    step: Fraction | None = None
    number: int = 0


class Clock:
    """Sets the times of a file's packets in turn.

    Times stay the file's own, with any gaps, until one falls behind that of the packet before it: there a new recording
    starts. The n-th recording is shifted by the same amount in every stream, by the one that reaches it first, so that
    picture and sound stay together; by more where a stream's own packets reach further.
    """

    def __init__(self, container: str, start: Fraction) -> None:
        """container: FFmpeg's name of its format. start: of the file, in seconds. If times start again shortly after
        it, FFmpeg gives a negative start, which no container accepts, and which becomes 0 here."""
        self._later = [max(Fraction(0), -start)]  # the shift of each recording, in seconds
        self._streams: dict[int, _Stream] = {}
        self._sets = container in _CONTAINERS
        self._wraps = container in MPEG

    def set(self, packet: Any) -> None:
        """Shift the times of a packet, which must be the next one of its stream."""
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


class Slots:
    """The times of an AVI's frames: the n-th one that is shown has the time of the n-th packet. FFmpeg guesses them, as
    a rule one frame too late, and those of H.264 in the order in which its frames are decoded."""

    def __init__(self, stream: Any) -> None:
        self._late: int | None = None
        self._coming: deque[int] | None = deque() if stream.codec_context.name == "h264" else None
        self._apart = Fraction(1, 2) / stream.time_base

    def add(self, packet: Any) -> None:
        """Take note of the next packet, which is about to be decoded."""
        if not packet.size or packet.pts is None or packet.dts is None:
            return
        if self._late is None:
            self._late = packet.pts - packet.dts
        if self._coming is not None and (self._coming or packet.is_keyframe or packet.dts > 0):
            self._coming.append(packet.dts)

    def time(self, decoded: Any) -> int | None:
        """That of the next frame, in the stream's time base. Two fields may be a packet each: the times of interlaced
        frames are FFmpeg's, but for its delay."""
        coming = self._coming.popleft() if self._coming else None
        if decoded.pts is None:
            return coming
        guessed = decoded.pts - (self._late or 0)
        return guessed if coming is None or decoded.interlaced_frame or abs(coming - guessed) > self._apart else coming
