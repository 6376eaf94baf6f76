"""Copies of videos with changed frames and the original sound.

They are written with PyAV (FFmpeg's libraries). Times are the source's own, so variable frame rates are kept.
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
"""File ending -> container of the copy: the video's own, if it is one of these and accepts the sound's codec."""

_OTHERWISE = (".mkv", ".mov", ".wmv")
"""Otherwise the first that accepts the sound's codec: Matroska accepts most, QuickTime those of telephones (AMR,
A-law), ASF those of Windows (WMA, ADPCM)."""

_CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "webm": ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "threads": "1"}),
    "asf": ("wmv2", {"flags": "+qscale", "global_quality": "236", "threads": "1"}),  # twice lavc's unit of 118
    "": ("libx264", {"crf": "18", "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}),
}
"""Container -> FFmpeg's encoder and its settings, for little visible loss; "" is any other container. Output must be
reproducible, so that a resumed run writes the same files: x264's output depends on timing with several threads, and
with its macroblock tree on uninitialised memory."""

_PRIMING = Fraction(1, 10)
"""Seconds of sound before the first audible one that a decoder may need: two packets of AAC, and a margin."""

_BT_601 = 5
"""FFmpeg's number of the YCbCr colour space that is assumed if none is given (AVCOL_SPC_BT470BG)."""


def container(path: str, video: Video) -> str:
    """The file ending of a copy: of the first container that accepts the sound, see `_WRITTEN` and `_OTHERWISE`."""
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
    """A new file for changed frames of a video: `show` each frame, pass on the `sound`, and `close`.

    first: a frame; all frames have its size. ending: of the file, from `container`.
    Times, pixel aspect ratio and sound are the source's. Subtitles, chapters, covers and data streams (in which some
    cameras store their position) are left out. private: leave out the file's tags, too. Raises ImageError: unwritable.
    """

    def __init__(self, file: IO[bytes], ending: str, source: Video, first: Frame, private: bool) -> None:
        import av

        format = _WRITTEN[ending]
        codec, options = _CODECS.get(format, _CODECS[""])
        size = self._size = first.picture.shape[:2]
        # Bit-exact: without the random identifier that would make each copy different. Negative times, with which sound
        # may begin, would otherwise shift all times of a Matroska file.
        written = {"fflags": "+bitexact"} | ({} if format == "asf" else {"avoid_negative_ts": "disabled"})
        self._container: Any = av.open(file, "w", format=format, options=written)
        known: Any = source.stream.codec_context
        rate = source.stream.average_rate or Fraction(30)
        self._stream: Any = self._container.add_stream(codec, rate=rate, options=options)
        context: Any = self._stream.codec_context
        # 4:2:0 halves the resolution of colour, so sides must be even.
        context.width, context.height, context.pix_fmt = size[1] + size[1] % 2, size[0] + size[0] % 2, "yuv420p"
        context.time_base = source.stream.time_base
        if shape := source.stream.sample_aspect_ratio:
            context.sample_aspect_ratio = 1 / shape if first.is_sideways else shape
        for name in ("color_primaries", "color_trc", "color_range"):
            setattr(context, name, getattr(known, name))
        context.colorspace = known.colorspace or _BT_601  # 0 is RGB, which is converted
        with _writing():
            self._sounds = {one.index: self._container.add_stream_from_template(one) for one in source.sounds}
        for one in source.sounds:  # the language tells several tracks apart
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
        context: Any = self._stream.codec_context
        how = {"dst_colorspace": context.colorspace, "dst_color_range": context.color_range}
        changed = changed.reformat(format="yuv420p", **how)
        changed.pts, changed.time_base = frame.time, frame.decoded.time_base
        with _writing():
            self._container.mux(self._stream.encode(changed))

    def sound(self, sound: Sound) -> None:
        """Pass on a packet unchanged. It is left out if it is not later than the one before, which no file allows, or
        if an edit list hides it: what somebody trimmed away must not be heard again."""
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
        finally:  # muxing changed its unit of time to this file's, and another copy needs it unchanged
            packet.stream = source
            packet.pts, packet.dts, packet.duration, packet.time_base = before

    def close(self, whole: bool) -> None:
        """Write the rest, and the file's index. If not `whole`, only close the file, which is not usable."""
        import av

        if whole:
            with _writing():
                self._container.mux(self._stream.encode(None))
                self._container.close()
            return
        with suppress(av.FFmpegError):  # the error that stopped the copy is being raised already
            self._container.close()


@contextmanager
def _writing() -> Iterator[None]:
    """Raise FFmpeg's errors as ImageError (unwritable). A full disk stays an OSError."""
    import av

    try:
        yield
    except (av.FFmpegError, ValueError) as error:
        raise ImageError("unwritable", str(error)) from None
