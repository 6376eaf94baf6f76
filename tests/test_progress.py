"""What a run says of its progress and at its end: frames done and to come, the time left, the summary."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import FACE

from visavis.prediction.progress import Bars
from visavis.prediction.records import Record
from visavis.prediction.results import Report
from visavis.video.recording import Video


def test_how_many_frames_a_video_has_is_judged_by_the_time_of_those_that_came(tmp_path: Path):
    """A Matroska file of 20 frames whose subtitle goes on for a minute, and which says 1,000 frames a second."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream, texts = out.add_stream("libx264", rate=1000), out.add_stream("subrip")
        texts.codec_context.subtitle_header = b"[Script Info]\n\n[Events]\nFormat: Text\n"
        stream.height, stream.width = FACE.shape[:2]
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, 1000)
        text = av.Packet(b"Good morning.")
        text.stream, text.time_base, text.pts, text.dts, text.duration = texts, Fraction(1, 1000), 0, 0, 60_000
        out.mux(text)
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(FACE, format="rgb24")
            frame.pts, frame.time_base = 40 * number, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with Video(path) as video:
        assert video.stream.average_rate == 1000 and video.container.duration > 59_000_000
        assert video.length == pytest.approx(0.8, abs=0.05)
        assert [video.expected(*at) for at in ((0, 0.0), (5, 0.2), (10, 0.4), (19, 0.76))] == [None, 19, 19, 20]


@pytest.mark.parametrize(("columns", "name", "ends"), [
    (80, "Holiday with\u2026andmother.mp4:  30%", "| 6/20 frames, 00:14 left"),
    (40, "Holida\u2026er.mp4:  30%", "| 00:14 left"),
])  # fmt: skip
def test_the_time_left_of_a_video_is_shown_however_narrow_the_terminal_and_long_the_name(
    columns: int, name: str, ends: str, monkeypatch: pytest.MonkeyPatch
):
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    with os.fdopen(far, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr("tqdm.std.time", lambda: now[0])
        now = [0.0]
        with Bars(2, 0, True) as bars:
            bars.frames("mine/Holiday with grandmother.mp4", 0, None)
            now[0] = 6.0
            bars.frames("mine/Holiday with grandmother.mp4", 6, 20)
            written = b""
            while b"left" not in written:  # the kernel hands it on in its own time
                written += os.read(near, 100_000)
    states = [line for line in re.split("[\r\n\x1b]+", written.decode()) if "mp4" in line]
    assert states[0].endswith("mp4: 0 frames [00:00]")
    assert states[-1].startswith(name) and states[-1].endswith(ends) and len(states[-1]) <= columns


def test_a_summary_speaks_of_photos_and_videos():
    report = Report(None)
    assert report.summary() == "0 photos, 0 faces"
    report.add(Record("a.jpg", "ok", faces=[{}]))
    assert report.summary() == "1 photo, 1 face"
    people = [{"track": track, "time": 0.0, "frame": 0} for track in (1, 2)]
    report.add(Record("b.mp4", "ok", frames=1, every=5, faces=people))
    assert report.summary() == "1 photo, 1 face; 1 video, 2 faces of 2 people in 1 frame searched"
    for number in range(5):
        report.add(Record(f"{number}.jpg", "unreadable", "truncated"))
    assert report.summary() == (
        "1 photo, 1 face; 1 video, 2 faces of 2 people in 1 frame searched; "
        "5 could not be read: 0.jpg (truncated), 1.jpg (truncated), 2.jpg (truncated), ..."
    )
