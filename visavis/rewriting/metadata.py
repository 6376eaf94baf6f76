"""A photo's metadata, and which of it a redacted photo keeps.

This is a list of what is kept, not of what is removed: anything that might hold a place or a picture is left out. So
GPS positions are removed, and thumbnails, maker notes (many hold a preview), XMP and Photoshop's records (places,
thumbnails, names of the people shown), and all descriptions: titles, captions, comments, keywords. Camera, lens,
exposure, times, author and copyright are kept, byte for byte.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_PREFIX = b"Exif\0\0"
_CAPTURE = 0x8769  # the tag of the link from the first directory to that of the capture
ORIENTATION = 0x0112

NO_EXIF = b"MM\0*\0\0\0\x08"
"""An empty block."""

_DESCRIPTION_TAGS = frozenset(
    {
        *(0x010F, 0x0110, ORIENTATION, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C),
        *(0x013E, 0x013F, 0x0211, 0x0213, 0x0214, 0x4746, 0x4749, 0x8298),
        0x9C9D,  # Windows' author; its title, comment, keywords and subject have the numbers around it
    }
)
"""Tags kept of the first directory: camera, resolution, software, time, author, colours, rating, copyright."""

_CAPTURE_TAGS = frozenset(
    {
        *(0x829A, 0x829D, 0x8822, 0x8824, 0x8827, *range(0x8830, 0x8836)),  # exposure, sensitivity
        *(0x9000, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9101, 0x9102, *range(0x9201, 0x920B), 0x9214),
        *(0x9290, 0x9291, 0x9292, *range(0x9400, 0x9406)),  # fractions of seconds, weather
        *(0xA000, 0xA001, 0xA002, 0xA003, 0xA20B, 0xA20E, 0xA20F, 0xA210, 0xA214, 0xA215, 0xA217),
        *(0xA300, 0xA301, 0xA302, *range(0xA401, 0xA40B), 0xA40C, 0xA420, *range(0xA430, 0xA436)),
        *(*range(0xA437, 0xA43D), 0xA460, 0xA461, 0xA462, 0xA500),
    }
)
"""Tags kept of the capture's directory: those of CIPA DC-008 (Exif 3.0), sections 4.6.5 to 4.6.8, except links (GPS,
interoperability, a sound file) and those with arbitrary content (maker note, device settings, comment, title)."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 129: 1}
"""Bytes of one value of each type (TIFF 6.0, section 2; 129 is Exif 3.0's UTF-8)."""


@dataclass(frozen=True)
class _Entry:
    tag: int
    type: int
    count: int
    value: bytes


def safe_exif(block: bytes, upright: bool = False, orientation: int = 1) -> bytes:
    """An EXIF block without places and pictures; b"" if nothing remains or the block cannot be read.

    block: with or without the `Exif` prefix, which the result has. Data between its directories is removed, too.
    upright: leave out the orientation, for a picture whose pixels have been turned. orientation: written if the block
    has none.
    """
    data = block.removeprefix(_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return b""
    first = list(_directory(data, order, struct.unpack_from(order + "I", data, 4)[0]))
    kept = [entry for entry in first if entry.tag in _DESCRIPTION_TAGS]
    if upright:
        kept = [entry for entry in kept if entry.tag != ORIENTATION]
    elif orientation != 1 and not any(entry.tag == ORIENTATION for entry in kept):
        kept.append(_Entry(ORIENTATION, 3, 1, struct.pack(order + "H", orientation)))
    linked = [entry.value for entry in first if (entry.tag, len(entry.value)) == (_CAPTURE, 4)]
    links = [struct.unpack(order + "I", value)[0] for value in linked]
    capture = [entry for entry in _directory(data, order, links[0]) if entry.tag in _CAPTURE_TAGS] if links else []
    if not kept and not capture:
        return b""
    head = data[:4] + struct.pack(order + "I", 8)
    if capture:
        link = _Entry(_CAPTURE, 4, 1, bytes(4))
        behind = 8 + len(_packed([*kept, link], order, 8))
        kept.append(_Entry(_CAPTURE, 4, 1, struct.pack(order + "I", behind)))
        return _PREFIX + head + _packed(kept, order, 8) + _packed(capture, order, behind)
    return _PREFIX + head + _packed(kept, order, 8)


def _directory(data: bytes, order: str, offset: int) -> Iterator[_Entry]:
    """The entries of the directory at `offset`, without those that reach outside the block."""
    if offset + 2 > len(data):
        return
    for place in range(offset + 2, offset + 2 + 12 * struct.unpack_from(order + "H", data, offset)[0], 12):
        if place + 12 > len(data):
            return
        tag, type, count = struct.unpack_from(order + "HHI", data, place)
        length = _SIZES.get(type, 0) * count
        start = place + 8 if length <= 4 else struct.unpack_from(order + "I", data, place + 8)[0]
        if length and start + length <= len(data):
            yield _Entry(tag, type, count, data[start : start + length])


def _packed(entries: list[_Entry], order: str, at: int) -> bytes:
    """A directory for offset `at` in its block, followed by its values."""
    entries = sorted(entries, key=lambda entry: entry.tag)
    values = b""
    rows = struct.pack(order + "H", len(entries))
    behind = at + 2 + 12 * len(entries) + 4
    for entry in entries:
        rows += struct.pack(order + "HHI", entry.tag, entry.type, entry.count)
        if len(entry.value) <= 4:
            rows += entry.value.ljust(4, b"\0")
        else:
            rows += struct.pack(order + "I", behind + len(values))
            values += entry.value + bytes(len(entry.value) % 2)  # values begin at even offsets
    return rows + bytes(4) + values  # no next directory, which would hold the thumbnail
