"""JPEG files below the level of pixels: their segments, and pixels changed block by block.

A JPEG that is decoded and encoded again changes everywhere, if only a little. Here the blocks without a changed pixel
keep their coefficients, so they decode to the same bits. See ITU-T T.81, annexes A.2 (MCUs), A.3 (the transform) and
B.1 (segments).
"""

import ctypes
import os
import re
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visavis.images import Picture
from visavis.rewriting.metadata import NO_EXIF, safe_exif

_SCAN, _END, _LINES, _COMMENT = 0xDA, 0xD9, 0xDC, 0xFE
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # neither a stuffed byte of a scan nor a restart marker

_MODES = {
    "JCS_GRAYSCALE": ("L", ["Y"]),
    "JCS_YCbCr": ("YCbCr", ["Y", "Cb", "Cr"]),
    "JCS_RGB": ("RGB", ["Y", "Cb", "Cr"]),
}
"""libjpeg's name of the colour space -> Pillow's, and jpeglib's names of the planes, which do not depend on it."""

_LOCK = threading.Lock()  # jpeglib keeps what it reads from a header in global variables


@dataclass(frozen=True)
class _Segment:
    marker: int
    payload: bytes

    @property
    def is_aside(self) -> bool:
        """Whether it is metadata: the picture decodes without it."""
        return 0xE0 <= self.marker <= 0xEF or self.marker in (_LINES, _COMMENT)  # libjpeg skips all of them

    @property
    def is_coding(self) -> bool:
        """Whether it is metadata that says how the colours are coded."""
        return (self.marker, self.payload[:5]) in ((0xE0, b"JFIF\0"), (0xEE, b"Adobe"))

    @property
    def is_exif(self) -> bool:
        return self.marker == 0xE1 and self.payload.startswith(b"Exif\0\0")

    def coding_alone(self) -> "_Segment":
        """The same without JFIF's thumbnail, and without what follows Adobe's fields. For segments with `is_coding`."""
        return _Segment(self.marker, self.payload[:12] + (bytes(2) if self.marker == 0xE0 else b""))

    def __bytes__(self) -> bytes:
        return struct.pack(">BBH", 0xFF, self.marker, len(self.payload) + 2) + self.payload


def without_private(data: bytes, orientation: int = 1) -> bytes:
    """The same picture, bit for bit, without private metadata (see metadata.py) and without data after its end.

    data: a JPEG file that decodes. orientation: see `with_asides_of`.
    """
    return with_asides_of(data, data, orientation)


def with_asides_of(source: bytes, data: bytes, orientation: int = 1) -> bytes:
    """The picture of the JPEG file `data` with the metadata of the JPEG file `source` that are not private.

    orientation: EXIF's number; it is written if the EXIF block of `source` has none.
    """
    head, scans = _parts(data)
    coding = [segment.coding_alone() for segment in head if segment.is_coding]
    before = _parts(source)[0]
    asides = [safe for segment in before if not segment.is_coding and (safe := _safe(segment, orientation))]
    if orientation != 1 and not any(segment.is_exif for segment in asides):
        asides.insert(0, _Segment(0xE1, safe_exif(NO_EXIF, orientation=orientation)))
    return _file([*coding, *asides, *(segment for segment in head if not segment.is_aside)], scans)


def changed(source: bytes, picture: Picture, mask: NDArray[np.bool_], orientation: int = 1) -> bytes:
    """`source` with the pixels of `picture` in every MCU that `mask` touches, and all other MCUs unchanged.

    source: a JPEG file that decodes. picture: (height, width, 3) uint8 RGB, as stored (without the EXIF orientation).
    mask: (height, width). Quantisation and metadata (see `with_asides_of`) are the source's; the coding is baseline.
    Raises ValueError for a JPEG that is neither grey, YCbCr nor RGB, or is arithmetically coded.
    """
    head, scans = _parts(source)
    needed = [segment for segment in head if not segment.is_aside or segment.is_coding]
    with _held() as (file, path), _LOCK:
        file.write(_file(needed, scans))
        file.flush()
        try:
            stored = _read(path)
            colours = str(stored.jpeg_color_space)
            _change(stored, picture, mask)
            stored.write_dct(path)
            written = _read(path)  # verified, because a face that shows through would be worse than the time
        except OSError as error:
            raise ValueError(f"libjpeg: {error}") from None
        if not all(np.array_equal(getattr(written, name), getattr(stored, name)) for name in _MODES[colours][1]):
            raise ValueError("libjpeg wrote coefficients that differ from those it was given")
        file.seek(0)
        return with_asides_of(source, file.read(), orientation)


@contextmanager
def _held() -> Iterator[tuple[IO[bytes], str]]:
    """A file for libjpeg, which takes only paths. It is in memory, so that a killed process leaves no faces behind.
    Where the system has no such files (macOS), it is one that only this user may read."""
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("picture"), "r+b") as file:
            yield file, f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            yield file, file.name


def _read(path: str) -> Any:
    """A jpeglib.DCTJPEG with its coefficients, without the temporary copy from which jpeglib would read them."""
    import jpeglib
    from jpeglib._bind import CJpegLib

    read: Any = jpeglib.read_dct(path)
    if str(read.jpeg_color_space) not in _MODES:
        raise ValueError(f"a JPEG of the colour space {read.jpeg_color_space}")
    names = _MODES[str(read.jpeg_color_space)][1]
    planes: dict[str, Any] = dict.fromkeys(("Y", "Cb", "Cr", "K"))
    planes |= {name: read._alloc_dct_component(index) for index, name in enumerate(names)}
    tables, numbers = ((ctypes.c_ushort * 64) * 4)(), (ctypes.c_short * 4)()
    CJpegLib.read_jpeg_dct(path, **planes, qt=tables, quant_tbl_no=numbers)
    for name in names:
        plane = np.ctypeslib.as_array(planes[name])
        setattr(read, name, plane.reshape(*plane.shape[:-1], 8, 8))
    read.quant_tbl_no = np.array(numbers[: len(names)])
    read.qt = np.ctypeslib.as_array(tables).reshape(4, 8, 8)[: read.quant_tbl_no.max() + 1]
    return read


def _change(stored: Any, picture: Picture, mask: NDArray[np.bool_]) -> None:
    """Set the coefficients of a jpeglib.DCTJPEG in every MCU that `mask` touches."""
    from scipy.fft import dctn

    mode, names = _MODES[str(stored.jpeg_color_space)]
    factors = np.array(stored.samp_factor) if len(names) > 1 else np.ones((1, 2), int)  # a component: down, across
    most = factors.max(axis=0)
    if (most % factors).any():
        raise ValueError(f"a JPEG with the sampling {factors.tolist()}")
    touched = np.nonzero(_mcus(mask, most * 8, "constant").any(axis=(2, 3)))
    planes = np.atleast_3d(np.asarray(Image.fromarray(picture).convert(mode)))
    for index, (name, (down, across)) in enumerate(zip(names, factors, strict=True)):
        mcus = _mcus(planes[:, :, index], most * 8, "edge")
        pixels = mcus[touched]
        # One sample is the mean of this many of the picture's pixels.
        samples = pixels.reshape(-1, 8 * down, most[0] // down, 8 * across, most[1] // across).mean(axis=(2, 4))
        blocks = samples.reshape(-1, down, 8, across, 8).swapaxes(2, 3) - 128
        coefficients = np.round(dctn(blocks, axes=(3, 4), norm="ortho") / stored.get_component_qt(index))
        before = getattr(stored, name)
        room = (mcus.shape[0] * down - before.shape[0], mcus.shape[1] * across - before.shape[1])
        after = np.pad(before, ((0, room[0]), (0, room[1]), (0, 0), (0, 0)))
        grid = after.reshape(mcus.shape[0], down, mcus.shape[1], across, 8, 8)
        grid[touched[0], :, touched[1]] = coefficients
        setattr(stored, name, after[: before.shape[0], : before.shape[1]])
    stored.qt = -1  # no tables given: libjpeg then copies them, and the components keep their table numbers


def _mcus(plane: NDArray[Any], side: NDArray[np.int64], beyond: Any) -> NDArray[Any]:
    """A view of (height, width) as (rows of MCUs, columns of MCUs, height, width of an MCU), padded to whole MCUs."""
    room = [(0, -length % step) for length, step in zip(plane.shape, side, strict=True)]
    padded = np.pad(plane, room, beyond)
    return padded.reshape(-1, side[0], padded.shape[1] // side[1], side[1]).swapaxes(1, 2)


def _safe(segment: _Segment, orientation: int) -> _Segment | None:
    """What is not private in a segment of metadata: some of EXIF, and a colour profile."""
    if segment.is_exif:
        exif = safe_exif(segment.payload, orientation=orientation)
        return _Segment(0xE1, exif) if exif else None
    profile = segment.marker == 0xE2 and segment.payload.startswith(b"ICC_PROFILE\0")
    return segment if profile else None


def _file(head: list[_Segment], scans: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(map(bytes, head)) + scans + b"\xff\xd9"


def _parts(data: bytes) -> tuple[list[_Segment], bytes]:
    """The segments before the first scan; and the scans, with the tables between them, up to the picture's end."""
    head: list[_Segment] = []
    scans: list[bytes] = []
    place = 2
    while (found := _MARKER.search(data, place)) and found[1][0] != _END and found.end() + 2 <= len(data):
        if scans:
            scans.append(data[place : found.start()])
        place = found.end() + struct.unpack_from(">H", data, found.end())[0]
        segment = _Segment(found[1][0], data[found.end() + 2 : place])
        if segment.marker == _SCAN or (scans and not segment.is_aside):
            scans.append(bytes(segment))
        elif not scans:
            head.append(segment)
    scans.append(data[place : found.start() if found else len(data)])
    return head, b"".join(scans)
