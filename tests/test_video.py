"""Videos and their copies: every frame upright and at its time, the sound kept, nothing private left."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FACE, STEP, clip, sounds
from watching import frames, making, moving, redacting, watch

from visavis import Faces
from visavis.errors import ImageError, InputError
from visavis.video.copying import Copy
from visavis.video.recording import CAMERAS, Camera, Frame, Video


@pytest.mark.parametrize("name, codec, sound", [
    ("a.mp4", "libx264", "aac"), ("a.mov", "libx264", "pcm_s16le"), ("a.mkv", "libx264", "flac"),
    ("a.webm", "libvpx-vp9", "libopus"), ("a.avi", "mpeg4", "libmp3lame"), ("a.mpg", "mpeg2video", "mp2"),
    ("b.mp4", "libx264", None),
])  # fmt: skip
def test_a_copy_has_every_frame_and_the_sound_as_it_was(name: str, codec: str, sound: str | None, tmp_path: Path):
    source = clip(tmp_path / name, codec=codec, sound=sound)
    before = source.read_bytes()
    target = tmp_path / ("copy.webm" if name.endswith("webm") else "copy.mkv" if name == "a.avi" else "copy.mp4")
    if name == "a.mov":
        target = tmp_path / "copy.mov"
    watch(source, lambda picture: Faces(), 5, redacting(target))
    assert source.read_bytes() == before
    old, new = frames(source), frames(target)
    assert len(new) == len(old) == 20
    assert [when for when, _ in new] == pytest.approx([when for when, _ in old], abs=0.0015)
    assert np.mean([np.abs(a.astype(int) - b).mean() for (_, a), (_, b) in zip(old, new, strict=True)]) < 4
    if sound:
        assert sounds(target) == sounds(source) and len(sounds(source)) > 5


def test_a_frame_rate_that_varies_is_kept(tmp_path: Path):
    times = [0, 40, 80, 300, 310, 320, 900, 1500, 1540, 1600]
    source = clip(tmp_path / "a.mp4", times)
    watch(source, lambda picture: Faces(), 3, redacting(tmp_path / "b.mp4"))
    for path in (source, tmp_path / "b.mp4"):
        assert [round(when * 1000) for when, _ in frames(path)] == times


@pytest.mark.parametrize("name", ["a.ts", "a.mpg"])
def test_recordings_put_one_behind_the_other_go_on(name: str, tmp_path: Path):
    codec, sound = ("libx264", "aac") if name == "a.ts" else ("mpeg2video", "mp2")
    one = clip(tmp_path / name, range(0, 800, 40), codec=codec, sound=sound)
    twice = tmp_path / ("b" + one.suffix)
    twice.write_bytes(one.read_bytes() * 2)
    copies = redacting(tmp_path / "copy.mkv"), redacting(tmp_path / "drawn.mkv")
    watch(twice, lambda picture: Faces(), 5, *copies)
    assert len(sounds(tmp_path / "drawn.mkv")) == len(sounds(twice))
    times = [when for when, _ in frames(tmp_path / "copy.mkv")]
    assert len(times) == len(frames(twice)) >= 2 * 19
    assert np.diff(times).min() > 0.02 and np.diff(times).max() < 0.2  # not all of the second at the first's end
    assert len(sounds(tmp_path / "copy.mkv")) == len(sounds(twice)) > 1.8 * len(sounds(one))


def test_several_tracks_of_sound_keep_their_languages(tmp_path: Path):
    plain, source = clip(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    with av.open(str(plain)) as old, av.open(str(source), "w") as new:
        picture = new.add_stream_from_template(old.streams.video[0])
        tracks = [new.add_stream_from_template(old.streams.audio[0]) for _ in range(2)]
        for track, language in zip(tracks, ("deu", "eng"), strict=True):
            track.metadata.update({"language": language, "handler_name": "Oxfordshire"})
        for target in (picture, *tracks):
            old.seek(0)
            for packet in old.demux(old.streams.video[0] if target is picture else old.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = target
                    new.mux(packet)
    assert b"Oxfordshire" in source.read_bytes()
    watch(source, lambda picture: Faces(), 5, redacting(tmp_path / "copy.mp4"))
    with av.open(str(tmp_path / "copy.mp4")) as video:
        assert [one.metadata["language"] for one in video.streams.audio] == ["deu", "eng"]
        assert all(one.frames > 30 for one in video.streams.audio)
    assert b"Oxfordshire" not in (tmp_path / "copy.mp4").read_bytes()


def test_frames_of_another_size_come_in_that_of_the_first(tmp_path: Path):
    parts = [clip(tmp_path / "a.ts", sound=None), clip(tmp_path / "b.ts", sound=None, pictures=[FACE[:200, :160]] * 20)]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    watch(both, lambda picture: Faces(), 5, redacting(tmp_path / "copy.mkv"))
    for path in (both, tmp_path / "copy.mkv"):
        assert [picture.shape for _, picture in frames(path)] == [FACE.shape] * 40


def test_sound_without_a_time_of_its_own_is_left_out(tmp_path: Path):
    source = clip(tmp_path / "a.ts", sound="mp2")
    paths = [tmp_path / "b.mkv", tmp_path / "c.mkv"]
    with ExitStack() as stack:
        video = stack.enter_context(Video(source))
        first = next(part for part in stack.enter_context(Video(source)).parts() if isinstance(part, Frame))
        copies = [Copy(stack.enter_context(path.open("wb")), ".mkv", video, first, private=True) for path in paths]
        for part in video.parts():
            for copy in copies:
                if isinstance(part, Frame):
                    copy.show(part.picture, part)
                    continue
                copy.sound(part)
                copy.sound(part)
        for copy in copies:
            copy.close(True)
    assert sounds(paths[0]) == sounds(paths[1]) == sounds(source)


def test_what_a_container_refuses_is_unwritable(tmp_path: Path):
    source = clip(tmp_path / "a.mkv", sound="flac")
    with (
        Video(source) as video,
        (tmp_path / "b.webm").open("wb") as file,
        pytest.raises(ImageError, match="unwritable"),
    ):
        Copy(file, ".webm", video, next(part for part in video.parts() if isinstance(part, Frame)), private=True)


def test_drawn_faces_move_with_the_picture(tmp_path: Path):
    source = clip(tmp_path / "a.mp4")
    drawn: list[np.ndarray] = []

    def paint(picture: np.ndarray, shown: Faces, covered: np.ndarray, seconds: float) -> np.ndarray:
        drawn.append(shown.boxes[0])
        return picture

    watch(source, moving, 5, making(tmp_path / "b.mp4", paint))
    assert [box[0] for box in drawn] == pytest.approx([74 + STEP * number for number in range(20)], abs=2)


def test_what_a_file_says_of_its_place_is_left_out(tmp_path: Path):
    source = clip(tmp_path / "a.mp4", location="+51.7520-001.2577/", title="Oxfordshire", comment="home")
    nothing = [making(tmp_path / name, lambda picture, *_: picture, name == "b.mp4") for name in ("b.mp4", "c.mp4")]
    watch(source, lambda picture: Faces(), 5, *nothing)
    assert b"loci" in source.read_bytes() and b"Oxfordshire" in source.read_bytes()
    private, drawn = ((tmp_path / name).read_bytes() for name in ("b.mp4", "c.mp4"))
    assert not any(word in private for word in (b"loci", b"Oxfordshire", b"home"))
    assert b"Oxfordshire" in drawn


def test_a_title_in_other_letters_keeps_no_video_from_being_read(tmp_path: Path):
    path = clip(tmp_path / "a.mp4", sound=None, title="A title")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"A title", b"\xe9\xff title"))
    assert path.read_bytes() != data
    assert len(frames(path)) == 20


def test_subtitles_and_covers_are_left_out(tmp_path: Path):
    plain = clip(tmp_path / "a.mp4")
    source = tmp_path / "b.mkv"
    with av.open(str(plain)) as old, av.open(str(source), "w") as new:
        streams = {one.index: new.add_stream_from_template(one) for one in old.streams}
        new.add_attachment("cover.jpg", "image/jpeg", b"a picture of Oxfordshire")
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    assert b"Oxfordshire" in source.read_bytes()
    watch(source, lambda picture: Faces(), 5, redacting(tmp_path / "c.mkv"))
    assert b"Oxfordshire" not in (tmp_path / "c.mkv").read_bytes() and len(frames(tmp_path / "c.mkv")) == 20


def test_what_is_no_video_or_broken_is_told(tmp_path: Path):
    whole = clip(tmp_path / "whole.mkv", range(0, 8000, 40))
    data = whole.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    old = clip(tmp_path / "whole.avi", range(0, 8000, 40), sound=None, codec="mpeg4").read_bytes()
    assert len(frames(tmp_path / "whole.avi")) == 200
    (tmp_path / "cut.avi").write_bytes(old[: len(old) * 9 // 10])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"#EXTM3U\n#EXTINF:1,\n{whole}\n#EXT-X-ENDLIST\n")
    moov = clip(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "headless.mp4").write_bytes(moov[: len(moov) // 2])
    only_sound = tmp_path / "sound.mkv"
    with av.open(str(only_sound), "w") as out:
        stream = out.add_stream("flac", rate=48000, layout="mono")
        part = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), "s16", "mono")
        part.sample_rate = 48000
        out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    for name, reason in (
        ("gone.mp4", "missing"), (".", "unreadable"), ("empty.mp4", "empty"), ("text.mp4", "not_video"),
        ("list.mp4", "not_video"), ("headless.mp4", "not_video"), ("sound.mkv", "not_video"), ("cut.mkv", "truncated"),
        ("cut.avi", "truncated"),
    ):  # fmt: skip
        with pytest.raises(ImageError) as error:
            frames(tmp_path / name)
        assert error.value.reason == reason, name
    with pytest.raises(ImageError, match="too_large"), Video(whole, max_pixels=1000):
        pass


def test_a_damaged_video_is_not_read_as_whole(tmp_path: Path):
    data = bytearray(clip(tmp_path / "a.mp4").read_bytes())
    start = data.index(b"mdat")
    short = data[: start + 3000] + bytes(len(data) - start - 3000)
    (tmp_path / "b.mp4").write_bytes(short)
    with pytest.raises(ImageError):
        frames(tmp_path / "b.mp4")


@pytest.mark.parametrize("every", [5, 100_000])
def test_memory_does_not_grow_with_the_length_whatever_every_is(every: int, tmp_path: Path):
    clip(tmp_path / "long.mp4", range(0, 24000, 40))
    program = (
        "import resource, sys; from pathlib import Path; from visavis import Faces\n"
        "from visavis.video.recording import Video; from visavis.video.searching import OutputCopy, search_and_copy\n"
        "with Video(sys.argv[1]) as video:\n"
        "    copy = OutputCopy(open(sys.argv[2], 'wb'), '.mp4', lambda picture, *_: picture)\n"
        "    film, faces = search_and_copy(video, int(sys.argv[3]), [copy], 2_000_000), None\n"
        "    while True:\n"
        "        look = film.send(faces)\n"
        "        faces = look and Faces()\n"
        "        if look and look.frame.number >= 150:\n"
        "            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "long.mp4"), str(tmp_path / "copy.mp4"), str(every)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "StopIteration" in done.stderr
    early, *_, late = (int(line) for line in done.stdout.split())
    assert late - early < 20_000  # kilobytes; the 450 frames between are 50 MB as decoded


def test_a_copy_is_the_same_each_time_whatever_memory_holds(tmp_path: Path):
    source = clip(tmp_path / "a.avi", codec="mpeg4", sound="libmp3lame")
    program = (
        "import sys; from visavis import Faces\n"
        "from visavis.video.recording import Video; from visavis.video.searching import OutputCopy, search_and_copy\n"
        "with Video(sys.argv[1]) as video, open(sys.argv[2], 'wb') as file:\n"
        "    film, faces = search_and_copy(video, 3, [OutputCopy(file, '.mkv', lambda picture, *_: picture)]), None\n"
        "    try:\n"
        "        while True: faces = Faces() if film.send(faces) else None\n"
        "    except StopIteration: pass\n"
    )
    for filler in ("1", "77"):  # what the allocator puts into fresh memory (mallopt(3))
        command = [sys.executable, "-c", program, str(source), str(tmp_path / filler)]
        subprocess.run(command, check=True, env=os.environ | {"MALLOC_PERTURB_": filler})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "77").read_bytes()


def test_a_camera_is_read_through_its_input_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clip(tmp_path / "camera0.mkv")
    monkeypatch.setitem(CAMERAS, sys.platform, ("lavfi", f"movie={tmp_path}/camera{{}}.mkv"))
    with Video.camera(Camera.of("0")) as camera:
        pictures = [part.picture for part in camera.parts() if isinstance(part, Frame)]
    assert len(pictures) == 20 and np.abs(pictures[0].astype(int) - FACE).mean() < 6
    with pytest.raises(InputError, match="`webcam` 7: no camera at movie="):
        Video.camera(Camera.of("7"))


def test_no_camera_is_one_clear_line():
    with pytest.raises(InputError, match=r"`webcam` 77: no camera at /dev/video77 .*; give another number"):
        Video.camera(Camera.of("77"))
