"""Reads video files and cameras: their frames as pictures, and their sound. copying.py writes.

They are read with PyAV (FFmpeg's libraries), one frame after the other, so memory does not grow with the length. Frames
are upright; times are the file's own.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit

import numpy as np

from visavis.errors import ImageError, InputError
from visavis.images import MAX_PIXELS, Picture
from visavis.messages import counted
from visavis.video import edit_lists, wholeness
from visavis.video.clock import Clock, Slots
from visavis.video.deinterlacing import Deinterlacer

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".wmv", ".flv"}
)
"""Files with these endings are taken for videos."""

CAMERAS = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}"),
    "win32": ("dshow", "video={}"),  # Windows does not number cameras: the name takes the number's place
}
"""Platform -> FFmpeg's input format for cameras, and its name of the camera with a number."""

RTSP = ("rtsp://", "rtsps://")
"""How the addresses of network cameras begin."""

FASTEST = 240
"""Frames a second; no rate above it is believed."""

_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,asf,flv"  # none of them opens other files or addresses
)


_OVER_NETWORK = {"rtsp_transport": "tcp", "timeout": "10000000"}
"""Of RTSP: no packet is lost, and a camera that says nothing for so many microseconds is none."""


@dataclass
class Frame:
    """One frame. number: from 0. seconds: when it is shown. time: the same in the stream's time base. decoded: PyAV's
    frame."""

    number: int
    seconds: float
    time: int
    decoded: Any = field(repr=False)

    @property
    def bytes(self) -> int:
        """Its size in memory, as decoded."""
        return sum(plane.buffer_size for plane in self.decoded.planes)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        sides = self.decoded.height, self.decoded.width
        return sides[::-1] if self.is_sideways else sides

    @property
    def picture(self) -> Picture:
        """(height, width, 3) uint8 RGB, upright."""
        pixels = self.decoded.to_ndarray(format="rgb24")
        turn = self.decoded.side_data.get("DISPLAYMATRIX")  # rows a b u, c d v, x y w
        if turn is not None:
            a, b, _, c, d = np.frombuffer(turn, "=i4")[:5].tolist()
            if a * d < b * c:  # mirrored, as by telephones' front cameras: flipped vertically, and then turned
                pixels = pixels[::-1]
        return np.rot90(pixels, self._quarters).copy()

    @property
    def is_sideways(self) -> bool:
        """Whether its rows are stored as columns."""
        return self._quarters % 2 == 1

    @property
    def _quarters(self) -> int:
        """By how many quarters of a turn its pixels are to be turned, counter-clockwise. Of a matrix of zeros, which
        some programs write, PyAV makes no angle at all."""
        return round(self.decoded.rotation / 90) if abs(self.decoded.rotation) <= 360 else 0


@dataclass
class Sound:
    """A packet of sound, as it is in the file."""

    packet: Any = field(repr=False)


@dataclass(frozen=True)
class Camera:
    """A camera by its number or its address, with FFmpeg's input format and name for it. option: what messages call its
    number."""

    number: str
    format: str | None
    name: str
    option: str = "webcam"

    @classmethod
    def of(cls, number: str, option: str = "webcam") -> Self:
        """The camera with that number (on Windows, with that name), or with an RTSP address. Raises InputError on a
        platform whose cameras are not supported, and if there is no such camera, as far as that is known without
        opening it."""
        if number.startswith(RTSP):
            return cls(number, None, number, option)
        if sys.platform not in CAMERAS:
            raise InputError(f"`{option}`: cameras are not supported on {sys.platform}")
        format, name = CAMERAS[sys.platform][0], CAMERAS[sys.platform][1].format(number)
        if format == "v4l2" and not os.path.exists(name):
            raise InputError(f"`{option}` {number}: no camera at {name} (no such device); give another number")
        return cls(number, format, name, option)

    @property
    def called(self) -> str:
        """What tables and messages call it: its number, or its address without names and passwords."""
        if not self.number.startswith(RTSP):
            return self.number
        address = urlsplit(self.number)
        return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"

    @property
    def place(self) -> str:
        """The same as the name of a file, without its ending."""
        return re.sub(r"[^\w.-]+", "-", self.called.partition("://")[2] or self.called).strip("-")


class Video:
    """An opened video. Use as a context manager; `parts` reads it once.

    height, width: of its frames, upright, in pixels.
    Raises ImageError: missing, unreadable, empty, not_video, too_large.
    """

    def __init__(self, path: str | Path, max_pixels: int = MAX_PIXELS) -> None:
        try:
            # From a file object, and only by listed demuxers, so that a playlist named .mp4 cannot open other files.
            self._file: IO[bytes] | None = open(path, "rb")  # noqa: SIM115 closed in __exit__
        except FileNotFoundError:
            raise ImageError("missing", "no such file") from None
        except OSError as error:
            raise ImageError("unreadable", str(error)) from None
        try:
            if not self._file.read(1):
                raise ImageError("empty", "the file has no bytes")
            self._file = edit_lists.understood(self._file)
            self._open(self._file, None, {"format_whitelist": _DEMUXERS}, max_pixels)
        except OSError as error:  # a failing disk, a lost file server
            self._file.close()
            raise ImageError("unreadable", str(error)) from None
        except BaseException:
            self._file.close()
            raise

    @classmethod
    def camera(cls, camera: Camera, max_pixels: int = MAX_PIXELS) -> Self:
        """The video of a camera. Raises InputError if there is no such camera."""
        video = cls.__new__(cls)
        video._file = None
        try:
            video._open(camera.name, camera.format, {} if camera.format else _OVER_NETWORK, max_pixels)
        except ImageError as error:
            if camera.format is None:  # FFmpeg's message may hold the address with its password
                detail = error.detail.replace(camera.name, camera.called)
                raise InputError(f"`{camera.option}`: no camera at {camera.called} ({detail})") from None
            where = f"`{camera.option}` {camera.number}: no camera at {camera.name} ({error.detail})"
            raise InputError(f"{where}; give another number") from None
        return video

    def _open(self, source: Any, format: str | None, options: dict[str, str], max_pixels: int) -> None:
        import av

        # A title may be in any encoding: from PyAV 19 on that is never an error, and this option no longer exists.
        lenient: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
        try:
            self.container: Any = av.open(source, format=format, options=options, **lenient)
        except (av.FFmpegError, ValueError) as error:
            raise ImageError("not_video", str(error)) from None
        pictures = av.stream.Disposition.attached_pic  # such as a cover
        streams = [one for one in self.container.streams.video if not one.disposition & pictures]
        if not streams or not streams[0].codec_context:
            self.container.close()
            raise ImageError("not_video", "it has no moving pictures")
        self.stream = streams[0]
        self.stream.thread_type = "AUTO"
        self.sounds = [one for one in self.container.streams.audio if one.codec_context]
        self._size = self.stream.width, self.stream.height  # the stream's own changes where the frames' does
        if self.stream.width * self.stream.height > max_pixels:
            self.container.close()
            raise ImageError("too_large", f"frames of {self.stream.width} x {self.stream.height} pixels")

    @property
    def is_camera(self) -> bool:
        """Whether it is a camera, whose video ends when reading stops."""
        return self._file is None

    @property
    def length(self) -> float | None:
        """Seconds of moving pictures, if the file says it. In Matroska only a tag of the stream does: the file's own
        length is that of its longest stream, perhaps of subtitles."""
        if self.is_camera:
            return None
        if self.stream.duration is not None:
            return float(self.stream.duration * self.stream.time_base)
        tag = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", self.stream.metadata.get("DURATION", ""))
        if tag is not None:
            return 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3])
        return self.container.duration / 1_000_000 if self.container.duration is not None else None

    @property
    def rate(self) -> float | None:
        """Frames a second in the mean, if the file or the camera says it."""
        rate = self.stream.average_rate
        return float(rate) if rate and rate <= FASTEST else None

    def expected(self, number: int, seconds: float) -> int | None:
        """About how many frames there will be, by the time of frame `number`, if the file says how long it is. The rate
        that a file says may be that of its clock."""
        rate = number / seconds if number and seconds > 0 else self.rate
        if self.length is None or not rate or rate > FASTEST:
            return None
        return max(number + 1, round(self.length * rate))

    def parts(self) -> Iterator[Frame | Sound]:
        """The frames and the sound in the file's order. Raises ImageError (truncated) if it cannot be read to its
        end."""
        import av

        slots = Slots(self.stream) if self.container.format.name == "avi" else None
        frames, packets, reached = _Frames(self.stream, self._size), 0, 0.0
        clock = Clock(self.container.format.name, Fraction(self.container.start_time or 0, 1_000_000))
        try:
            for packet in self.container.demux(self.stream, *self.sounds):
                clock.set(packet)
                if packet.pts is not None and not packet.is_discard:
                    reached = max(reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream is not self.stream:
                    if packet.size:
                        yield Sound(packet)
                    continue
                is_empty = not packet.size and packet.dts is not None  # it repeats the frame before
                packets += packet.size > 0 or is_empty
                if slots is not None:
                    slots.add(packet)
                for decoded in () if is_empty else packet.decode():
                    if slots is not None:
                        decoded.pts = slots.time(decoded)
                    yield from frames.of(decoded)
            yield from frames.rest()
        except (av.FFmpegError, ValueError, OSError) as error:
            raise ImageError("truncated", f"after {counted(frames.count, 'frame')}: {error}") from None
        if (
            wholeness.lacks_packets(self.stream, packets, self.container.format.name)
            or (self._file is not None and wholeness.ends_early(self.container, [self.stream, *self.sounds], reached))
            or (self._file is not None and wholeness.is_cut_short(self._file))
        ):
            raise ImageError("truncated", f"it ends after {counted(frames.count, 'frame')}")
        if not frames.count:
            raise ImageError("truncated", "none of its frames can be read")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self.container.close()
        if self._file is not None:
            self._file.close()


class _Frames:
    """Makes frames of the decoder's: deinterlaced, of one size, each later than the one before. count: so far."""

    def __init__(self, stream: Any, size: tuple[int, int]) -> None:
        self.count = 0
        self._unit, self._size = stream.time_base, size
        self._last = -1
        self._whole = Deinterlacer()

    def of(self, decoded: Any) -> Iterator[Frame]:
        self._last = max(self._last + 1, decoded.pts if decoded.pts is not None else self._last + 1)
        decoded.pts, decoded.time_base = self._last, self._unit
        for frame in self._whole.frames(decoded):
            yield self._frame(frame)

    def rest(self) -> Iterator[Frame]:
        for frame in self._whole.rest():
            yield self._frame(frame)

    def _frame(self, decoded: Any) -> Frame:
        time = decoded.pts
        if (decoded.width, decoded.height) != self._size:
            decoded = decoded.reformat(*self._size)
            decoded.pts, decoded.time_base = time, self._unit
        self.count += 1
        return Frame(self.count - 1, float(time * self._unit), time, decoded)
