"""Whether a video was read to its end, as far as its file says where the end is.

Only the streams that are read count: a subtitle, a data track or a cover that lasts longer than the picture says
nothing about the picture's end.
"""

import os
import re
from collections.abc import Sequence
from typing import IO, Any

from visavis.video.clock import MPEG

SLACK_SECONDS, SLACK_SHARE = 2.0, 0.02
"""By how much the last packet may come before the end that the file states: in seconds, plus a share of that end."""

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
"""The top-level elements of a Matroska file (RFC 8794, 11.2.1; RFC 9559, 5.1)."""

_DURATION = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
"""The tag by which a Matroska file states the duration of a stream."""


def lacks_packets(stream: Any, packets: int, format: str) -> bool:
    """Whether `packets` is fewer than the file's index lists for `stream`.

    Only MP4 and its relatives have such an index from the start. It does not list what an edit list hides.
    """
    return "mp4" in format and packets < len(stream.index_entries)


def ends_early(container: Any, read: Sequence[Any], reached: float) -> bool:
    """Whether the file states an end well after `reached`, the end of the last packet, in seconds.

    read: the streams that were read, the picture first. In MPEG transport and program streams FFmpeg takes the end from
    the last packets, whose times may have started again: there the answer is False.
    """
    if container.format.name in MPEG:
        return False
    end = _stated(read[0])
    are_all = all(one in read or _is_still(one) for one in container.streams)
    if end is None and container.duration is not None and are_all:
        end = (container.duration + (container.start_time or 0)) / 1_000_000
    return end is not None and end - reached > SLACK_SECONDS + end * SLACK_SHARE


def is_cut_short(file: IO[bytes]) -> bool:
    """Whether a Matroska or AVI file has fewer bytes than its segment or one of its RIFF chunks states. False for other
    files, and for one that was recorded live and states no size."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(4) == b"RIFF":
        return _lacks_chunks(file, size)
    file.seek(0)
    for wanted in (_EBML, _SEGMENT):
        if int.from_bytes(file.read(4)) != wanted:
            return False
        first = int.from_bytes(file.read(1))
        width = 9 - first.bit_length()  # as many zero bits come first as bytes follow
        if width > 8:
            return False
        rest = file.read(width - 1)
        length = int.from_bytes(bytes([first & (0xFF >> width)]) + rest)
        if wanted == _SEGMENT:
            return length < 2 ** (7 * width) - 1 and file.tell() + length > size
        file.seek(length, os.SEEK_CUR)
    return False


def _lacks_chunks(file: IO[bytes], size: int) -> bool:
    """A long AVI (OpenDML) has several RIFF chunks, one after the other."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or length in (0, 2**32 - 1):
            return False
        place += 8 + length + length % 2
        if place > size + 1:  # a last byte that only pads may be missing
            return True


def _stated(stream: Any) -> float | None:
    """The end of a stream in seconds, if the file states it."""
    if stream.duration is not None:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    tag = _DURATION.fullmatch(stream.metadata.get("DURATION", ""))
    return None if tag is None else 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3])


def _is_still(stream: Any) -> bool:
    """Whether it is a cover or an attachment, which has no duration."""
    import av

    return stream.type == "attachment" or bool(stream.disposition & av.stream.Disposition.attached_pic)
