"""Whether a photo's bytes break off, by the lengths that they state themselves.

Of some formats Pillow opens nothing then, as it does not open what is no picture at all.
"""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes of a value of each type of TIFF."""


def is_cut_off(data: bytes) -> bool:
    """Whether it is the beginning of a WebP, AVIF, HEIC or TIFF file that is longer. False for all others."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return 8 + int.from_bytes(data[4:8], "little") > len(data)
    if data[4:8] == b"ftyp":
        return _lacks_boxes(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _lacks_directory(data, "little" if data[:2] == b"II" else "big")
    return False


def _lacks_boxes(data: bytes) -> bool:
    """ISO/IEC 14496-12, 4.2: a file is a row of boxes, each of which begins with its size."""
    place = 0
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4])
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16])
        if size < 8:  # to the end of the file, if it is 0
            return False
        place += size
    return place != len(data)


def _lacks_directory(data: bytes, order: str) -> bool:
    """TIFF 6.0, section 2: the directory of the first picture has its place at byte 4, and 12 bytes an entry."""

    def number(place: int, size: int) -> int:
        return int.from_bytes(data[place : place + size], order)  # type: ignore[bad-argument-type]

    place = number(4, 4)
    entries = [place + 2 + 12 * one for one in range(number(place, 2))]
    ends = [place + 2, *(one + 16 for one in entries[-1:])]  # and where the next directory is
    for one in entries:  # a tag, the type of its values, their number, and where they are, if they are not there
        size = _SIZES.get(number(one + 2, 2), 0) * number(one + 4, 4)
        ends.append(number(one + 8, 4) + size if size > 4 else 0)
    return max(ends) > len(data)
