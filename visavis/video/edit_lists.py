"""Edit lists in MP4 and QuickTime files as their standard means them, where FFmpeg reads them otherwise.

An edit list (ISO/IEC 14496-12, 8.6.6) says which stretches of a track are shown, and for how long nothing is. FFmpeg
shows the beginning of a track for an empty edit that is not the first, and nothing at all of a track whose edits have
no length, as of files that were made while their length was not known. The file is not changed: it is only read as if
it said the same in the words that FFmpeg understands.
"""

import io
import struct
from collections.abc import Iterator
from typing import IO

_TOP = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"uuid"})
"""What an MP4 or QuickTime file begins with."""

_MOST = 10_000
"""Boxes that are looked at: more than any camera or program writes beside the samples."""

_FOREVER = 2**31 - 1
"""Longer than any track, and behind the last of its samples, in a 32-bit edit list; it is enough in a 64-bit one."""


def understood(file: IO[bytes]) -> IO[bytes]:
    """The file with its edit lists as FFmpeg understands them; the same one where nothing has to change, and where it
    is no MP4. Its place is the beginning."""
    file.seek(0)
    if file.read(8)[4:] not in _TOP:
        file.seek(0)
        return file
    changes: dict[int, bytes] = {}
    for start, size in _edit_lists(file):
        file.seek(start)
        changes |= {start + place: new for place, new in _changed(file.read(min(size, 2**20))).items()}
    file.seek(0)
    return _Changed(file, changes) if changes else file  # type: ignore[bad-return]


def _edit_lists(file: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Start and size of the content of each edit list."""
    end = file.seek(0, io.SEEK_END)
    left = [(0, end)]
    for _ in range(_MOST):
        while left and left[-1][0] + 8 > left[-1][1]:
            left.pop()
        if not left:
            return
        start, end = left.pop()
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
        first = start + 8
        if size == 1:
            size, first = int.from_bytes(file.read(8)), start + 16
        next_one = end if size == 0 else start + size
        if next_one < first or next_one > end:
            next_one = end  # of a file that was cut off, or is no such file
        left.append((next_one, end))
        if name in (b"moov", b"trak", b"edts"):
            left.append((first, next_one))
        elif name == b"elst":
            yield first, next_one - first


def _changed(content: bytes) -> dict[int, bytes]:
    """Place in the content of an edit list -> bytes that say the same in words that FFmpeg understands."""
    if len(content) < 8:
        return {}
    entry = struct.Struct(">Qq4x" if content[0] == 1 else ">Ii4x")
    count = min(int.from_bytes(content[4:8]), (len(content) - 8) // entry.size)
    edits = [(place, *entry.unpack_from(content, place)) for place in range(8, 8 + count * entry.size, entry.size)]
    half = (entry.size - 4) // 2  # bytes of a number
    shown = [(place, length) for place, length, first in edits if first >= 0]
    changes = {}
    for place, _, first in edits:
        if first == -1 and shown and place > shown[0][0]:
            changes[place + half] = _FOREVER.to_bytes(half)  # from behind the last sample: nothing
    if shown and not any(length for _, length in shown):
        changes[shown[-1][0]] = _FOREVER.to_bytes(half)
    return changes


class _Changed:
    """A file of which some bytes read otherwise."""

    def __init__(self, file: IO[bytes], changes: dict[int, bytes]) -> None:
        self._file, self._changes = file, changes
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        start = self._file.tell()
        data = self._file.read(size)
        for place, new in self._changes.items():
            first, last = max(place, start), min(place + len(new), start + len(data))
            if first < last:
                data = data[: first - start] + new[first - place : last - place] + data[last - start :]
        return data
