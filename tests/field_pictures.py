"""H.264 whose frames are stored as two fields, each a picture of its own (PAFF), for the tests: no free encoder writes
it. Every macroblock holds its pixels as they are (I_PCM; ITU-T H.264, 7.3)."""

from collections.abc import Iterator

import av
import numpy as np


class _Bits:
    def __init__(self) -> None:
        self.text = ""

    def plain(self, value: int, width: int) -> None:
        self.text += f"{value:0{width}b}" if width else ""

    def golomb(self, *values: int) -> None:
        for value in values:
            self.text += "0" * ((value + 1).bit_length() - 1) + f"{value + 1:b}"

    def aligned(self, fill: str = "0") -> bytes:
        self.text += fill * (-len(self.text) % 8)
        return int(self.text, 2).to_bytes(len(self.text) // 8)

    def trailing(self) -> bytes:
        self.text += "1"
        return self.aligned()


def _unit(header: int, content: bytes) -> bytes:
    """A unit of the stream: start code, header, and content in which no start code may seem to be."""
    escaped, zeros = bytearray(), 0
    for byte in content:
        if zeros >= 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = 0 if byte else zeros + 1
    return b"\0\0\0\1" + bytes([header]) + bytes(escaped)


def sets(height: int, width: int) -> bytes:
    """The parameter sets of frames of that size, multiples of 32 and 16 pixels."""
    sequence = _Bits()
    for value in (77, 0, 30):  # Main profile, level 3
        sequence.plain(value, 8)
    sequence.golomb(0, 0, 0, 4, 1)  # id, frame numbers of 4 bits, order of type 0 in 8 bits, one reference
    sequence.plain(0, 1)
    sequence.golomb(width // 16 - 1, height // 32 - 1)
    sequence.plain(0b00100, 5)  # fields; not by macroblock; as 8x8; no cropping, nor anything on use
    picture = _Bits()
    picture.golomb(0, 0)
    picture.plain(0, 2)
    picture.golomb(0, 0, 0)
    picture.plain(0, 3)
    picture.golomb(0, 0, 0)
    picture.plain(0b100, 3)  # each slice says whether edges are smoothed
    return _unit(0x67, sequence.trailing()) + _unit(0x68, picture.trailing())


def fields(frame: np.ndarray, number: int, top_first: bool) -> Iterator[bytes]:
    """The two fields of an RGB frame, in their order."""
    planes = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").to_ndarray(format="yuv420p")
    height, width = frame.shape[:2]
    luma = planes[:height]
    colours = planes[height:].reshape(2, height // 2, width // 2)
    for order, bottom in enumerate((not top_first, top_first)):
        bits = _Bits()
        bits.golomb(0, 7, 0)
        bits.plain(0, 4)
        bits.plain(0b10 | bottom, 2)
        if order == 0:
            bits.golomb(number % 2)  # two frames that can be decoded by themselves are told apart
        bits.plain(order, 8)
        bits.plain(0, 2 if order == 0 else 1)
        bits.golomb(0, 1)  # quantiser as it is, edges as they are
        content = b""
        rows, tints = luma[bottom::2], colours[:, bottom::2]
        for y in range(height // 32):
            for x in range(width // 16):
                bits.golomb(25)
                content += bits.aligned()
                bits = _Bits()
                content += rows[16 * y : 16 * y + 16, 16 * x : 16 * x + 16].clip(1, 254).tobytes()
                content += tints[:, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].clip(1, 254).tobytes()
        yield _unit(0x65 if order == 0 else 0x61, content + b"\x80")
