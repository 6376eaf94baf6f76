"""Interlaced videos are read without combs, and so are their copies."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FACE
from field_pictures import fields, sets

from visavis.video.recording import Frame, Video

SHIFT = 6
"""Pixels that the picture moves from one field to the next."""


def interlaced(path: Path, codec: str, top_first: bool, count: int = 12, progressive: int = 0) -> Path:
    """Frames of two fields each, between which the picture moves; before them some of a single moment."""
    from av.filter import Graph

    with av.open(str(path), "w") as out:
        options = {"x264-params": f"{'tff' if top_first else 'bff'}=1"} if codec == "libx264" else {}
        stream = out.add_stream(codec, rate=25, options=options | {"flags": "+ildct+ilme"})
        stream.width, stream.height = 288, 240
        stream.pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        stream.bit_rate = 4_000_000
        marks = {}
        for mode in (f"setfield={'tff' if top_first else 'bff'}", "setfield=prog"):
            graph = marks[mode] = Graph()
            nodes = graph.add_buffer(width=288, height=240, format="yuv420p", time_base=Fraction(1, 25))
            graph.link_nodes(nodes, graph.add(*mode.split("=")), graph.add("buffersink")).configure()
        for number in range(count):
            one = np.roll(FACE[:240, :288], 2 * number * SHIFT, axis=1)
            two = np.roll(FACE[:240, :288], (2 * number + 1) * SHIFT, axis=1)
            woven = one.copy()
            if number >= progressive:
                woven[1 if top_first else 0 :: 2] = two[1 if top_first else 0 :: 2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(woven), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            graph = list(marks.values())[number < progressive]
            graph.vpush(frame)
            out.mux(stream.encode(graph.vpull().reformat(format=stream.pix_fmt)))
        out.mux(stream.encode(None))
    return path


def combs(picture: np.ndarray) -> float:
    """How much more neighbouring rows differ than those two apart: about 1 or less for a picture of one moment, here
    0.6, and well over 1 where every other row is of another."""
    grey = picture.astype(float).mean(axis=2)
    return float(np.abs(np.diff(grey, axis=0)).mean() / np.abs(grey[2:] - grey[:-2]).mean())


def frames(path: Path) -> list[Frame]:
    with Video(path) as video:
        return [part for part in video.parts() if isinstance(part, Frame)]


FILES = [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.mpg", "mpeg2video"),
         ("a.ts", "mpeg2video"), ("a.avi", "mpeg4"), ("a.mov", "prores_ks"), ("a.mkv", "ffv1")]  # fmt: skip


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("name, codec", FILES)
def test_no_frame_is_combed(name: str, codec: str, top_first: bool, tmp_path: Path):
    source = interlaced(tmp_path / name, codec, top_first)
    with av.open(str(source)) as video:
        stored = list(video.decode(video=0))
    assert all(frame.interlaced_frame for frame in stored)
    assert min(combs(frame.to_ndarray(format="rgb24")) for frame in stored) > 1.3
    whole = frames(source)
    assert len(whole) == len(stored) == 12
    assert max(combs(frame.picture) for frame in whole) < 0.85
    assert np.diff([round(frame.seconds * 1000) for frame in whole]).tolist() == [40] * 11


@pytest.mark.parametrize("packets", [1, 2])
@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.ts", "a.avi"])
def test_fields_that_are_pictures_of_their_own_are_one_frame(name: str, top_first: bool, packets: int, tmp_path: Path):
    """PAFF, as camcorders and broadcasters write it: both fields in one packet, or each in its own."""
    head, count = sets(224, 288), 6
    units = []
    for number in range(count):
        one = np.roll(FACE[:224, :288], 2 * number * SHIFT, axis=1)
        one[top_first::2] = np.roll(FACE[:224, :288], (2 * number + 1) * SHIFT, axis=1)[top_first::2]
        first, second = fields(one, number, top_first)
        units.append([head + first, second] if packets == 2 else [head + first + second])
    (tmp_path / "raw.h264").write_bytes(b"".join(part for unit in units for part in unit))
    source = tmp_path / name
    with av.open(str(tmp_path / "raw.h264"), format="h264") as raw, av.open(str(source), "w") as out:
        stream = out.add_stream_from_template(raw.streams.video[0])
        stream.time_base = Fraction(2 // packets, 50)  # AVI has a packet for each unit of it
        for place, part in enumerate(part for unit in units for part in unit):
            packet = av.Packet(part)
            packet.stream, packet.time_base, packet.duration = stream, Fraction(1, 50), 2 // packets
            packet.pts = packet.dts = place * 2 // packets
            packet.is_keyframe = place % packets == 0
            out.mux(packet)
    whole = frames(source)
    assert [frame.picture.shape for frame in whole] == [(224, 288, 3)] * count
    assert [round(frame.seconds * 1000) for frame in whole] == [0, 40, 80, 120, 160, 200]
    assert max(combs(frame.picture) for frame in whole) < 0.85
