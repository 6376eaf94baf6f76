"""The times of videos: gaps stay, what begins anew goes on, and no copy moves a frame."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FACE, clip
from edit_lists import with_edits
from video_times import copied, heard, seen, times

from visavis.errors import ImageError
from visavis.video.recording import Sound, Video

GAP = [0, 40, 1040, 1080, 1120]


@pytest.mark.parametrize("name, codec, sound", [
    ("a.ts", "libx264", "mp2"), ("a.mts", "libx264", "aac"), ("a.flv", "flv", "libmp3lame"),
    ("a.mkv", "libx264", "aac"), ("a.webm", "libvpx-vp9", "libopus"), ("a.mp4", "libx264", "aac"),
    ("a.mov", "libx264", "aac"), ("a.3gp", "libx264", "aac"), ("a.wmv", "wmv2", None),
])  # fmt: skip
def test_a_gap_stays_what_it_is(name: str, codec: str, sound: str | None, tmp_path: Path):
    source = clip(tmp_path / name, GAP, codec=codec, sound=sound)
    assert np.subtract(seen(source), seen(source)[0]).tolist() == GAP
    copy = copied(source)
    assert times(copy) == seen(copy) == seen(source) == times(source)
    assert sound is None or heard(copy) == pytest.approx(heard(source), abs=1)


@pytest.mark.parametrize(("codec", "between"), [("libx264", 0), ("libx264", 2), ("mpeg4", 0), ("mpeg4", 2)])
def test_an_avis_frames_have_the_times_of_its_packets_from_0_on(codec: str, between: int, tmp_path: Path):
    """between: frames that refer to later ones. FFmpeg guesses 40, 120, 80, 200 ms, and so on, for H.264 with two."""
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options={"bf": str(between)})
        stream.height, stream.width = FACE.shape[:2]
        stream.pix_fmt = "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.roll(FACE, 6 * number, axis=1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert seen(path) == [40 * number for number in range(10)]
    assert times(copied(path)) == seen(path)


def test_a_gap_in_an_mpeg_program_stream_stays(tmp_path: Path):
    source = clip(tmp_path / "a.mpg", [0, 40, 80, 1040, 1080, 1120], codec="mpeg2video", sound="mp2")
    assert sorted(np.diff(seen(source))) == [40, 40, 40, 40, 960]
    assert times(copied(source)) == seen(source) == times(source)


def later(path: Path, seconds: float) -> Path:
    """The same packets so much later, in a file beside it."""
    target = path.with_name(f"{seconds:g}-{path.name}")
    with av.open(str(path)) as old, av.open(str(target), "w", options={"muxdelay": "0"}) as new:
        streams = {one.index: new.add_stream_from_template(one) for one in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                ticks = round(Fraction(seconds) / packet.time_base)
                packet.stream = streams[packet.stream.index]
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                new.mux(packet)
    return target


def test_the_33_bits_of_an_mpeg_time_may_run_over(tmp_path: Path):
    """FFmpeg's times of it are negative, and then positive; here they begin at 0."""
    source = later(clip(tmp_path / "a.ts", [0, 40, 80, 1040, 1080, 1120], sound="mp2"), 2**33 / 90_000 - 0.6)
    assert min(times(source)) < 0 < max(times(source))
    assert np.diff(seen(source)).tolist() == [40, 40, 960, 40, 40]
    assert min(seen(source)) >= 0
    copy = copied(source)
    assert times(copy) == seen(source)
    assert np.diff(heard(copy)) == pytest.approx(np.diff(heard(source)), abs=1)
    assert heard(copy)[0] - times(copy)[0] == pytest.approx(heard(source)[0] - times(source)[0], abs=1)


def test_a_recording_of_an_earlier_hour_goes_on_behind_the_one_before(tmp_path: Path):
    """FFmpeg takes times over a minute before the first for ones after 26 hours."""
    part = clip(tmp_path / "a.ts", range(0, 400, 40), sound="mp2")
    both = tmp_path / "both.ts"
    both.write_bytes(later(part, 1000).read_bytes() + part.read_bytes())
    found = seen(both)
    assert len(found) == 20 and found[10] - found[9] < 200 and np.diff(found).min() > 0
    assert np.diff(found[:10]).tolist() == np.diff(found[10:]).tolist() == [40] * 9
    both.write_bytes(part.read_bytes() + later(part, 1000).read_bytes())  # a gap, if a long one
    assert np.diff(seen(both)).max() == pytest.approx(1_000_000, abs=1000)


def test_a_recording_of_a_few_frames_begins_anew_too(tmp_path: Path):
    part = clip(tmp_path / "a.ts", range(0, 160, 40), sound=None)
    (tmp_path / "b.ts").write_bytes(part.read_bytes() * 3)
    assert np.diff(seen(tmp_path / "b.ts")).tolist() == [40] * 11


def test_sound_that_was_trimmed_away_is_not_in_a_copy(tmp_path: Path):
    source = clip(tmp_path / "a.mp4", range(0, 2000, 40))
    for kind in (b"vide", b"soun"):
        with_edits(source, [(400, 1200)], kind)
    assert heard(source)[0] < -1000  # the file still has it
    copy = copied(source)
    assert -150 < heard(copy)[0] < 0 and times(copy)[0] == seen(source)[0]
    assert [one for one in heard(copy) if one >= 0] == [one for one in heard(source) if one >= 0]


def test_sound_before_0_moves_no_frame_of_a_matroska_copy(tmp_path: Path):
    source = clip(tmp_path / "a.mp4", GAP).rename(tmp_path / "a.avi")  # a copy of what is called so is MKV
    assert heard(source)[0] == -21
    copy = copied(source)
    assert copy.suffix == ".mkv" and times(copy) == GAP and heard(copy)[:2] == [-21, 0]


STYLE = b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\nFormat: Text\n"


def with_more(path: Path, target: Path, subtitle: tuple[int, int] = (100, 20_000)) -> Path:
    """The video, with a subtitle from and for so many milliseconds."""
    with av.open(str(path)) as old, av.open(str(target), "w") as new:
        streams = {one.index: new.add_stream_from_template(one) for one in old.streams}
        text = new.add_stream("mov_text" if target.suffix in (".mp4", ".mov", ".m4v") else "subrip")
        packets = [packet for packet in old.demux() if packet.dts is not None]
        for packet in packets:
            packet.stream = streams[packet.stream.index]
        text.codec_context.subtitle_header = STYLE
        words = b"\x00\x02hi" if target.suffix in (".mp4", ".mov", ".m4v") else b"hi"
        said = av.Packet(words)
        said.pts = said.dts = subtitle[0]
        said.duration, said.time_base, said.stream = subtitle[1], Fraction(1, 1000), text
        for packet in (packets[0], said, *packets[1:]):
            new.mux(packet)
    return target


@pytest.mark.parametrize("name", ["b.mkv", "b.mp4", "b.mov"])
def test_a_subtitle_that_lasts_longer_than_the_picture_says_nothing(name: str, tmp_path: Path):
    source = with_more(clip(tmp_path / "a.mp4"), tmp_path / name)
    with av.open(str(source)) as video:
        assert [one.type for one in video.streams] == ["video", "audio", "subtitle"]
    assert len(seen(source)) == 20
    assert len(times(copied(source))) == 20


@pytest.mark.parametrize("name", ["b.mkv", "b.mp4", "b.mov"])
def test_one_that_is_cut_off_is_not_whole_for_its_subtitle(name: str, tmp_path: Path):
    source = with_more(clip(tmp_path / "a.mp4", range(0, 8000, 40)), tmp_path / name)
    data = source.read_bytes()
    if name.endswith("mkv"):
        source.write_bytes(data[: len(data) // 2])
    else:  # its index, which lies at the end, stays
        half = data.index(b"moov") // 2
        source.write_bytes(data[:half] + bytes(data.index(b"moov") - half) + data[data.index(b"moov") :])
    with pytest.raises(ImageError, match="truncated"):
        seen(source)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv"])
def test_sound_that_lasts_longer_than_the_picture_goes_along(name: str, tmp_path: Path):
    source = clip(tmp_path / "long.mp4", range(0, 8000, 40))
    with av.open(str(source)) as old, av.open(str(tmp_path / name), "w") as new:
        streams = {one.index: new.add_stream_from_template(one) for one in old.streams}
        for packet in old.demux():
            if packet.dts is not None and (packet.stream.type == "audio" or packet.pts * packet.time_base < 0.39):
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    copy = copied(tmp_path / name)
    assert len(times(copy)) == len(seen(tmp_path / name)) == 10
    assert len(heard(copy)) == len(heard(source)) > 370


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.flv"])
def test_a_last_picture_that_is_shown_for_long_is_no_missing_end(name: str, tmp_path: Path):
    codec = "libvpx-vp9" if name == "a.webm" else "libx264"
    with av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream(codec, rate=Fraction(1, 8))
        stream.width, stream.height, stream.pix_fmt = FACE.shape[1], FACE.shape[0], "yuv420p"
        for number in range(2):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(FACE), format="rgb24")
            frame.pts, frame.time_base, frame.duration = number, Fraction(8), 1
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert seen(tmp_path / name) == times(copied(tmp_path / name)) == [0, 8000]


def test_the_sound_of_a_gap_keeps_its_own(tmp_path: Path):
    """A recorder that lost its signal: neither picture nor sound for a while."""
    whole = clip(tmp_path / "a.ts", range(0, 2000, 40), sound="mp2")
    with av.open(str(whole)) as old, av.open(str(tmp_path / "gap.ts"), "w") as new:
        streams = {one.index: new.add_stream_from_template(one) for one in old.streams}
        for packet in old.demux():
            if packet.dts is not None and not 0.5 < packet.dts * packet.time_base < 1.5:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    source = tmp_path / "gap.ts"
    with Video(source) as video:
        sounds = [part.packet for part in video.parts() if isinstance(part, Sound)]
    assert [round(float(one.pts * one.time_base) * 1000) for one in sounds] == heard(source)
    assert np.diff(heard(source)).max() > 900
    assert heard(copied(source)) == pytest.approx(heard(source), abs=1)
