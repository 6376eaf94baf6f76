"""Small videos of real photos, with sound, for the tests."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import skimage.data

FACE = skimage.data.astronaut()[20:270, 100:400]
"""250 x 300 pixels, with a face."""
BOX = np.array([74, 36, 172, 162], np.float32)
"""About where the face is."""

STEP = 4
"""Pixels that the picture moves to the right from one frame to the next."""


def clip(
    path: Path,
    times: Sequence[int] = range(0, 800, 40),
    sound: str | None = "aac",
    codec: str = "libx264",
    pictures: Sequence[np.ndarray] | None = None,
    **tags: str,
) -> Path:
    """A video with a frame at each of `times` (milliseconds), the picture moving on, and a tone."""
    with av.open(str(path), "w") as out:
        out.metadata.update(tags)
        stream = out.add_stream(codec, rate=25)
        first = FACE if pictures is None else pictures[0]
        stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], "yuv420p"
        clock = Fraction(1, 25 if codec.startswith("mpeg") else 1000)  # MPEG knows frame rates, and no times
        stream.codec_context.time_base = clock
        tone = out.add_stream(sound, rate=48000, layout="mono") if sound else None
        for number, time in enumerate(times):
            picture = np.roll(FACE, number * STEP, axis=1) if pictures is None else pictures[number]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(time / 1000 / clock), clock
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if tone is not None:
            wave = np.sin(np.arange(48 * (times[-1] + 40)) * 440 * 2 * np.pi / 48000) * 8000
            for start in range(0, len(wave), 960):
                part = av.AudioFrame.from_ndarray(wave[None, start : start + 960].astype(np.int16), "s16", "mono")
                part.sample_rate, part.pts, part.time_base = 48000, start, Fraction(1, 48000)
                out.mux(tone.encode(part))
            out.mux(tone.encode(None))
    return path


def sounds(path: Path) -> list[bytes]:
    """The packets of the sound."""
    with av.open(str(path)) as video:
        return [bytes(packet) for packet in video.demux(audio=0) if packet.size]
