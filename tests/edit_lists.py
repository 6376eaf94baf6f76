"""Edit lists in MP4 and QuickTime files, for the tests: what is shown of a track (ISO/IEC 14496-12, 8.6.6)."""

import struct
from collections.abc import Sequence
from pathlib import Path


def with_edits(path: Path, edits: Sequence[tuple[int, int]], kind: bytes = b"vide", version: int = 0) -> Path:
    """Give the track of that kind other edits: (duration, first) each, in milliseconds; first is -1 for nothing to be
    shown, and counts from the track's first sample. version: 0 for numbers of 32 bits, 1 for 64. The index must lie
    behind the samples, as PyAV writes it."""
    data = path.read_bytes()
    start = data.index(b"moov") - 4
    assert data.index(b"mdat") < start
    moov = _children(data[start + 8 :])
    tracks = [number for number, (name, track) in enumerate(moov) if name == b"trak" and kind in _find(track, b"hdlr")]
    (number,) = tracks
    track = [(name, content) for name, content in _children(moov[number][1]) if name != b"edts"]
    scale = struct.unpack_from(">I", _find(moov[number][1], b"mdhd"), 12)[0]
    whole = struct.unpack_from(">I", dict(moov)[b"mvhd"], 12)[0]
    entries = b"".join(
        struct.pack(
            ">qqHH" if version else ">iiHH", length * whole // 1000, first if first < 0 else first * scale // 1000, 1, 0
        )
        for length, first in edits
    )
    track.insert(1, (b"edts", _box(b"elst", struct.pack(">BxxxI", version, len(edits)) + entries)))
    moov[number] = (b"trak", b"".join(_box(*child) for child in track))
    path.write_bytes(data[:start] + _box(b"moov", b"".join(_box(*child) for child in moov)))
    return path


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def _children(data: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 0
    while place < len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        found.append((name, data[place + 8 : place + size]))
        place += size
    return found


def _find(track: bytes, name: bytes) -> bytes:
    """The content of a box in the track or in its media box."""
    boxes = dict(_children(track))
    return (boxes | dict(_children(boxes[b"mdia"])))[name]
