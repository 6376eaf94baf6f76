"""New files made of a video's frames, with the sound as it was.

Writing is PyAV's (FFmpeg's libraries). Times are the source's own, so that a frame rate that varies stays as it is.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from visavis.errors import ImageError
from visavis.images import Picture
from visavis.video.recording import Frame, Sound, Video

_WRITTEN = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".3gp": "3gp",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".wmv": "asf",
}
"""Ending -> the container that is written: the video's own, where it is one of these and takes its sound."""

_OTHERWISE = (".mkv", ".mov", ".wmv")
"""Or else the first that takes the sound: Matroska takes most, QuickTime that of telephones (AMR, A-law), ASF all that
Windows knows (WMA, ADPCM)."""

_CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "webm": ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "threads": "1"}),
    "asf": ("wmv2", {"flags": "+qscale", "global_quality": "236", "threads": "1"}),  # twice lavc's unit of 118
    "": ("libx264", {"crf": "18", "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}),
}
"""Container -> FFmpeg's encoder and its settings, of little visible loss; `` is any other. A run that goes on writes
what an undisturbed one does, and with several threads x264 writes what depends on which is faster, and its macroblock
tree reads memory that nobody has written."""

_PRIMING = Fraction(1, 10)
"""Seconds of sound before the first that is heard which a decoder may need: two packets of AAC, and some more."""

_BT_601 = 5
"""FFmpeg's number for how the colours of YCbCr are meant, where nothing else is said (AVCOL_SPC_BT470BG)."""


def container(path: str, video: Video) -> str:
    """The ending of the container for a copy: the first that takes the sound, see `_WRITTEN` and `_OTHERWISE`."""
    own = Path(path).suffix.lower()
    endings = [own] * (own in _WRITTEN) + list(_OTHERWISE)
    return next((ending for ending in endings if _takes(_WRITTEN[ending], video.sounds)), ".mkv")


def _takes(format: str, sounds: list[Any]) -> bool:
    import av

    with av.open(io.BytesIO(), "w", format=format) as empty:
        try:
            for sound in sounds:
                empty.add_stream_from_template(sound)
        except ValueError:
            return False
    return True


class Copy:
    """A new file for changed frames of a video: `show` each, hand on the `sound`, and `close`.

    first: a frame; all are as large. ending: of the container, as `container` has it.
    Times, the shape of pixels and sound are the source's. Subtitles, chapters, covers and data (where some cameras keep
    their place) are left out. private: the file's tags are left out, too. Raises ImageError: unwritable.
    """

    def __init__(self, file: IO[bytes], ending: str, source: Video, first: Frame, private: bool) -> None:
        import av

        format = _WRITTEN[ending]
        codec, options = _CODECS.get(format, _CODECS[""])
        size = self._size = first.picture.shape[:2]
        # Bit-exact: the same copy each time, without an identity drawn by lot. Negative times, as sound may begin with,
        # would otherwise move all times of a Matroska file.
        written = {"fflags": "+bitexact"} | ({} if format == "asf" else {"avoid_negative_ts": "disabled"})
        self._container: Any = av.open(file, "w", format=format, options=written)
        known: Any = source.stream.codec_context
        rate = source.stream.average_rate or Fraction(30)
        self._stream: Any = self._container.add_stream(codec, rate=rate, options=options)
        context: Any = self._stream.codec_context
        # 4:2:0 halves the colours: sides are even.
        context.width, context.height, context.pix_fmt = size[1] + size[1] % 2, size[0] + size[0] % 2, "yuv420p"
        context.time_base = source.stream.time_base
        if shape := source.stream.sample_aspect_ratio:
            context.sample_aspect_ratio = 1 / shape if first.is_sideways else shape
        for name in ("color_primaries", "color_trc", "color_range"):
            setattr(context, name, getattr(known, name))
        context.colorspace = known.colorspace or _BT_601  # 0 is RGB, which becomes that
        with _writing():
            self._sounds = {one.index: self._container.add_stream_from_template(one) for one in source.sounds}
        for one in source.sounds:  # of several tracks, which is which
            self._sounds[one.index].metadata.update(
                {name: value for name, value in one.metadata.items() if name == "language"}
            )
        self._heard: dict[int, int] = {}
        if not private:
            self._container.metadata.update(source.container.metadata)

    def show(self, picture: Picture, frame: Frame) -> None:
        """Write `picture` at the time of `frame`."""
        import av

        odd = [(0, side % 2) for side in self._size]
        changed = av.VideoFrame.from_ndarray(np.pad(picture, [*odd, (0, 0)], "edge"), format="rgb24")
        as_told: Any = self._stream.codec_context
        how = {"dst_colorspace": as_told.colorspace, "dst_color_range": as_told.color_range}
        changed = changed.reformat(format="yuv420p", **how)
        changed.pts, changed.time_base = frame.time, frame.decoded.time_base
        with _writing():
            self._container.mux(self._stream.encode(changed))

    def sound(self, sound: Sound) -> None:
        """Hand on a packet as it is. It is left out where it is not later than the one before, which no file takes, and
        where an edit list hides it: what somebody trimmed away is not to be heard again."""
        packet = sound.packet
        source = packet.stream
        ticks = packet.pts if packet.dts is None else packet.dts
        if ticks is None or ticks <= self._heard.get(source.index, -math.inf):
            return
        if packet.is_discard and (ticks >= 0 or (ticks + (packet.duration or 0)) * packet.time_base < -_PRIMING):
            return
        self._heard[source.index] = ticks
        before = packet.pts, packet.dts, packet.duration, packet.time_base
        packet.stream = self._sounds[source.index]
        try:
            with _writing():
                self._container.mux(packet)
        finally:  # it is in the unit of this file now, and another copy is to have it as it was
            packet.stream = source
            packet.pts, packet.dts, packet.duration, packet.time_base = before

    def close(self, whole: bool) -> None:
        """Write what is left, and the file's index. whole: or else the file is no good, and nothing is waited for."""
        import av

        if whole:
            with _writing():
                self._container.mux(self._stream.encode(None))
                self._container.close()
            return
        with suppress(av.FFmpegError):  # what stopped the copy is on its way up already
            self._container.close()


@contextmanager
def _writing() -> Iterator[None]:
    """FFmpeg's refusals as ImageError (unwritable). A full disk stays an OSError."""
    import av

    try:
        yield
    except (av.FFmpegError, ValueError) as error:
        raise ImageError("unwritable", str(error)) from None
