"""Edit lists of videos are obeyed, and broken ones change nothing."""

from pathlib import Path

import av
import pytest
from clips import clip
from edit_lists import with_edits
from video_times import copied, heard, seen, times

from visavis.video import edit_lists

EDITS = {
    "the middle": ([(400, 240)], [0, 40, 80, 120, 160, 200, 240, 280, 320, 360]),
    "after nothing": ([(1000, -1), (160, 240)], [1000, 1040, 1080, 1120]),
    "two stretches": ([(120, 80), (120, 480)], [0, 40, 80, 120, 160, 200]),
    "the other way round": ([(120, 480), (120, 80)], [0, 40, 80, 120, 160, 200]),
    "one twice": ([(120, 240), (120, 240)], [0, 40, 80, 120, 160, 200]),
    "more than there is": ([(5000, 0)], list(range(0, 800, 40))),
    "nothing in the middle": ([(120, 0), (400, -1), (120, 120)], [0, 40, 80, 520, 560, 600]),
    "nothing at the end": ([(120, 240), (400, -1)], [0, 40, 80]),
    "no length": ([(0, 240)], list(range(0, 560, 40))),
    "nothing, then no length": ([(200, -1), (0, 0)], list(range(200, 1000, 40))),
    "no length among others": ([(0, 0), (120, 240), (0, 480)], [0, 40, 80]),
}


@pytest.mark.parametrize(
    "edits, name",  # one format by four names, of which two are written alike
    [(edits, name) for edits in EDITS for name in ("a.mp4", "a.mov")]
    + [(edits, name) for edits in ("two stretches", "nothing at the end") for name in ("a.m4v", "a.3gp")],
)
def test_an_edit_list_says_which_frames_there_are(edits: str, name: str, tmp_path: Path):
    entries, expected = EDITS[edits]
    source = with_edits(clip(tmp_path / name, sound=None, codec="mpeg4"), entries)
    assert seen(source) == expected
    assert times(copied(source)) == expected


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_an_edit_list_over_frames_that_refer_to_later_ones(name: str, tmp_path: Path):
    with av.open(str(clip(tmp_path / name))) as video:
        packets = [part for part in video.demux(video=0) if part.dts is not None]
    assert [part.pts for part in packets] != sorted(part.pts for part in packets)  # B-frames
    first = round(float(-packets[0].dts * packets[0].time_base) * 1000)  # of the samples: the edit list hides this
    source = with_edits(tmp_path / name, [(400, first + 240)])
    assert seen(source) == times(copied(source)) == [0, 40, 80, 120, 160, 200, 240, 280, 320, 360]


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("edits", ["nothing in the middle", "no length"])
def test_an_edit_list_of_64_bits_and_of_sound(edits: str, version: int, tmp_path: Path):
    entries, expected = EDITS[edits]
    source = clip(tmp_path / "a.mp4", codec="mpeg4")
    for kind in (b"vide", b"soun"):
        with_edits(source, entries, kind, version)
    assert seen(source) == expected
    copy = copied(source)
    assert times(copy) == expected
    if edits == "nothing in the middle":  # hidden sound lies there in the source
        assert [one for one in heard(copy) if 120 <= one < 520] == []


def test_a_fragmented_file_has_an_edit_without_a_length(tmp_path: Path):
    """It is written before anybody knows how long it becomes (ISO/IEC 14496-12, 8.6.6.1)."""
    whole = clip(tmp_path / "whole.mp4")
    with (
        av.open(str(whole)) as old,
        av.open(str(tmp_path / "a.mp4"), "w", options={"movflags": "frag_keyframe+delay_moov"}) as new,
    ):
        streams = {one.index: new.add_stream_from_template(one) for one in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    assert b"elst" in (tmp_path / "a.mp4").read_bytes()
    assert seen(tmp_path / "a.mp4") == times(copied(tmp_path / "a.mp4")) == list(range(0, 800, 40))


def test_only_an_edit_list_reads_otherwise(tmp_path: Path):
    entries, _ = EDITS["nothing in the middle"]
    source = with_edits(clip(tmp_path / "a.mp4", codec="mpeg4"), entries)
    data = source.read_bytes()
    with source.open("rb") as file:
        read = edit_lists.understood(file)
        whole = read.read()
        (place,) = [place for place in range(len(data)) if data[place] != whole[place]]
        read.seek(place - 1)
        assert (read.read(2), read.read(3)) == (data[place - 1 : place] + b"\x7f", b"\xff\xff\xff")  # and not -1
    texts = {"none": b"", "short": data[:6], "cut": data[:-200], "other": b"\x1aE\xdf\xa3" * 9}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
        with (tmp_path / name).open("rb") as file:
            assert edit_lists.understood(file) is file or name == "cut"


@pytest.mark.parametrize("content", [b"", bytes(7), b"\1" + bytes(3) + b"\xff" * 4, bytes(4) + b"\xff" * 30])
def test_an_edit_list_that_is_broken_changes_nothing(content: bytes, tmp_path: Path):
    box = lambda name, inside: (len(inside) + 8).to_bytes(4) + name + inside  # noqa: E731
    path = tmp_path / "a.mp4"
    path.write_bytes(box(b"ftyp", b"isom") + box(b"moov", box(b"trak", box(b"edts", box(b"elst", content)))))
    with path.open("rb") as file:
        assert edit_lists.understood(file) is file and file.tell() == 0
