"""Videos: every frame upright and at its time, the sound kept, faces covered between two looks as well."""

import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FACE, STEP, clip, sounds

from visavis import Faces, load_detector
from visavis.boxes import as_boxes, covered, iou
from visavis.effects.redaction import Redaction
from visavis.errors import ImageError, InputError
from visavis.video.copying import Copy
from visavis.video.recording import CAMERAS, Camera, Frame, Video
from visavis.video.searching import ROOM, OutputCopy, SearchedFrame, search_and_copy
from visavis.video.spans import REACH, between, pairs, spanned

BOX = np.float32([74, 36, 172, 162])


def frames(path: Path) -> list[tuple[float, np.ndarray]]:
    with Video(path) as video:
        return [(part.seconds, part.picture) for part in video.parts() if isinstance(part, Frame)]


def watch(path: Path, find, every: int, *makings: OutputCopy, room: int = ROOM) -> list[tuple[SearchedFrame, Faces]]:
    """Go through a video; every look, and what `find` said of it."""
    looks: list[tuple[SearchedFrame, Faces]] = []
    with Video(path) as video:
        film, faces = search_and_copy(video, every, makings, room), None
        with suppress(StopIteration):
            while True:
                look = film.send(faces)
                faces = find(look.picture) if look else None
                if look and faces:
                    looks.append((look, faces))
    for making in makings:
        making.file.close()
    return looks


def making(path: Path, paint, private: bool = False) -> OutputCopy:
    return OutputCopy(path.open("wb"), path.suffix, paint, private)


def redacting(path: Path, redaction: Redaction | None = None) -> OutputCopy:
    redact = redaction or Redaction("fill", grow=0)
    return making(path, lambda picture, shown, covered, _: redact(picture, Faces(covered)), private=True)


def moving(picture: np.ndarray) -> Faces:
    """The box of the face, wherever the picture has moved, by the picture itself."""
    rows = FACE[10:20].astype(int)
    shifts = [np.abs(np.roll(rows, shift, axis=1) - picture[10:20]).mean() for shift in range(300)]
    shift = int(np.argmin(shifts))
    return Faces([BOX + np.float32([shift, 0, shift, 0])])


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


def turned(path: Path, matrix: tuple[int, ...]) -> None:
    """Set the display matrix of the video track (ISO/IEC 14496-12, 8.3.2), as telephones do."""
    data = path.read_bytes()
    plain = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    place = data.index(plain, data.index(b"tkhd"))
    a, b, c, d = matrix
    turn = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(data[:place] + turn + data[place + 36 :])


UPRIGHT = {
    (0, 1, -1, 0): lambda picture: np.rot90(picture, 3),
    (-1, 0, 0, -1): lambda picture: picture[::-1, ::-1],
    (0, -1, 1, 0): lambda picture: np.rot90(picture, 1),
    (-1, 0, 0, 1): lambda picture: picture[:, ::-1],  # mirrored, as cameras on a telephone's front write it
    (1, 0, 0, -1): lambda picture: picture[::-1],
    (0, 1, 1, 0): lambda picture: picture.swapaxes(0, 1),
    (0, -1, -1, 0): lambda picture: picture[::-1, ::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("matrix", UPRIGHT)
def test_turned_and_mirrored_videos_are_read_and_written_upright(matrix: tuple[int, ...], tmp_path: Path):
    source = clip(tmp_path / "a.mp4")
    before = [picture for _, picture in frames(source)]
    turned(source, matrix)
    upright = [picture for _, picture in frames(source)]
    assert (upright[0] == UPRIGHT[matrix](before[0])).all()
    watch(source, lambda picture: Faces(), 5, redacting(tmp_path / "b.mp4"))
    for old, (_, new) in zip(upright, frames(tmp_path / "b.mp4"), strict=True):
        assert old.shape == new.shape and np.abs(old.astype(int) - new).mean() < 4


def still(path: Path, codec: str, format: str, **how) -> Path:
    """Ten frames of the face, with what a file says of its pixels."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = FACE.shape[1], FACE.shape[0], format
        for name, value in how.items():
            setattr(stream.codec_context, name, value)
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(FACE, format="rgb24")
            frame = frame.reformat(format=format, dst_color_range=how.get("color_range"))
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name, codec, format, told", [
    ("a.mp4", "libx264", "yuv420p", 0), ("a.mkv", "libx264", "yuv420p", 2), ("a.avi", "mjpeg", "yuvj420p", 2),
    ("a.mov", "png", "rgb24", 2), ("b.mkv", "ffv1", "gray", 2),
])  # fmt: skip
def test_colours_stay_what_they_are_in_any_range(name: str, codec: str, format: str, told: int, tmp_path: Path):
    source, copy = still(tmp_path / name, codec, format, color_range=told), tmp_path / "copy.mkv"
    watch(source, lambda picture: Faces(), 5, redacting(copy))
    for (_, old), (_, new) in zip(frames(source), frames(copy), strict=True):
        assert np.abs((new.astype(int) - old).mean(axis=(0, 1))).max() < 2
    with av.open(str(copy)) as video:
        assert video.streams.video[0].codec_context.colorspace != 0  # it is no RGB


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
@pytest.mark.parametrize("lies", [False, True])
def test_pixels_that_are_no_squares_keep_their_shape(lies: bool, ending: str, tmp_path: Path):
    source = still(tmp_path / "a.mp4", "libx264", "yuv420p", sample_aspect_ratio=Fraction(64, 45))
    if lies:
        turned(source, (0, 1, -1, 0))
    copy = tmp_path / f"copy{ending}"
    watch(source, lambda picture: Faces(), 5, redacting(copy))
    with av.open(str(copy)) as video:
        assert video.streams.video[0].sample_aspect_ratio == (Fraction(45, 64) if lies else Fraction(64, 45))


def test_odd_sides_gain_a_row_of_pixels(tmp_path: Path):
    source = clip(tmp_path / "a.mkv", codec="ffv1", pictures=[np.ascontiguousarray(FACE[:-1, :-1])] * 6, times=range(6))
    watch(source, lambda picture: Faces(), 2, redacting(tmp_path / "b.mkv"))
    assert frames(source)[0][1].shape == (249, 299, 3) and frames(tmp_path / "b.mkv")[0][1].shape == (250, 300, 3)


@pytest.mark.parametrize("every", [1, 4, 7, 50])
def test_a_moving_face_is_covered_between_two_looks(every: int, tmp_path: Path):
    source = clip(tmp_path / "a.mp4", range(0, 880, 40))
    looks = watch(source, moving, every, redacting(tmp_path / "b.mp4"))
    assert [look.frame.number for look, _ in looks if look.reported] == list(range(0, 22, every))
    assert looks[-1][0].frame.number == 21  # the last is looked at, too
    for number, (_, picture) in enumerate(frames(tmp_path / "b.mp4")):
        x1, y1, x2, y2 = (BOX + np.float32([number * STEP, 0, number * STEP, 0])).astype(int)
        assert picture[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].mean() < 12, number  # black, but for the coding
        if every < 10:
            assert picture[y1:y2, : x1 - 2 * STEP * every - 8].mean() > 60  # and not all of it


def test_a_look_comes_sooner_where_frames_take_too_much_memory_and_every_frame_is_covered(tmp_path: Path):
    source = clip(tmp_path / "a.mp4", range(0, 1240, 40))
    with Video(source) as video:
        size = next(part for part in video.parts() if isinstance(part, Frame)).bytes
    looks = watch(source, moving, 100_000, redacting(tmp_path / "b.mp4"), room=7 * size)
    numbers = [look.frame.number for look, _ in looks]
    assert np.diff(numbers).max() == 7 and [look.frame.number for look, _ in looks if look.reported] == [0]
    for number, (_, picture) in enumerate(frames(tmp_path / "b.mp4")):
        x1, y1, x2, y2 = (BOX + np.float32([number * STEP, 0, number * STEP, 0])).astype(int)
        assert picture[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].mean() < 12, number
    assert len(watch(source, moving, 100_000, room=1)) == 1  # without a copy nothing waits


def test_a_face_that_is_missed_or_comes_is_covered_around_it(tmp_path: Path):
    source = clip(tmp_path / "a.mp4")
    looks = iter([False, True, False, True, False])  # of frames 0, 4, 8, 12, 16; the last, 19, finds one
    black = []
    watch(source, lambda picture: moving(picture) if next(looks, True) else Faces(), 4, redacting(tmp_path / "b.mp4"))
    for number, (_, picture) in enumerate(frames(tmp_path / "b.mp4")):
        x1, y1, x2, y2 = (BOX + np.float32([number * STEP, 0, number * STEP, 0])).astype(int)
        black.append((picture[y1:y2, x1:x2].max(axis=2) < 40).mean())
    assert min(black) > 0.75  # what one look misses, those around it cover, but for what has moved since


def test_a_face_that_is_missed_in_several_looks_is_covered_wherever_it_was(tmp_path: Path):
    source = clip(tmp_path / "a.mp4")
    missed = iter([False, False, True, True, True])  # of frames 0, 2, 4, 6 and 8
    watch(source, lambda picture: Faces() if next(missed, False) else moving(picture), 2, redacting(tmp_path / "b.mp4"))
    copies = frames(tmp_path / "b.mp4")
    assert len(copies) == 20
    for number, (_, picture) in enumerate(copies):
        x1, y1, x2, y2 = (BOX + np.float32([number * STEP, 0, number * STEP, 0])).astype(int)
        assert picture[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].mean() < 12, number


@pytest.mark.parametrize("comes", [False, True])
def test_a_face_is_covered_to_its_exit_and_from_where_it_comes(comes: bool, tmp_path: Path):
    """It moves by 8 pixels a frame, and is found as long as two thirds of it are in the picture."""
    pictures, boxes = [], []
    for number in range(40):
        picture, left = np.full((250, 300, 3), 120, np.uint8), 60 + 8 * number
        picture[:, left:] = FACE[:, : max(0, 300 - left)]
        pictures.append(picture)
        boxes.append(BOX + np.float32([left, 0, left, 0]))
    if comes:
        pictures, boxes = pictures[::-1], boxes[::-1]
    source = clip(tmp_path / "a.mp4", range(0, 1600, 40), sound=None, pictures=pictures)
    looks = iter(range(0, 40, 5))

    def find(picture: np.ndarray) -> Faces:
        box = boxes[next(looks, 39)]
        inside = covered(box[None], as_boxes([[0, 0, 300, 250]]))[0, 0] > 2 / 3
        return Faces([np.minimum(box, [300, 250, 300, 250])] if inside else [])

    watch(source, find, 5, redacting(tmp_path / "b.mp4"))
    shown = 0
    for number, ((_, picture), box) in enumerate(zip(frames(tmp_path / "b.mp4"), boxes, strict=True)):
        x1, y1, x2, y2 = np.minimum(box, [300, 250, 300, 250]).astype(int)
        if x2 - x1 > 8:
            assert picture[y1 + 3 : y2 - 3, x1 + 3 : x2].mean() < 12, number
            shown += 1
    assert shown >= 20


def test_no_detector_finds_a_face_in_any_frame_again(tmp_path: Path):
    detector = load_detector(device="cpu")
    source = clip(tmp_path / "a.mp4")
    found = watch(source, lambda picture: detector.detect([picture])[0], 5,
                  redacting(tmp_path / "b.mp4", Redaction("blur")))  # fmt: skip
    assert [len(faces) for look, faces in found if look.reported] == [1, 1, 1, 1]
    for number, (_, picture) in enumerate(frames(tmp_path / "b.mp4")):
        face = as_boxes([BOX + np.float32([number * STEP, 0, number * STEP, 0])])
        for name in ("shipped", "dlib_hog"):
            again = (detector if name == "shipped" else load_detector(name)).detect([picture])[0]
            assert not (iou(again.boxes, face) > 0.1).any()


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


def test_pairs_are_those_that_move_least():
    before = as_boxes([[0, 0, 10, 10], [100, 0, 110, 10], [500, 500, 510, 510]])
    after = as_boxes([[104, 0, 114, 10], [12, 0, 22, 10]])
    first, second = pairs(before, after)
    assert dict(zip(first.tolist(), second.tolist(), strict=True)) == {0: 1, 1: 0}
    hulls = spanned(before, after)
    assert len(hulls) == 3 and [0, 0, 22, 10] in hulls.tolist() and [500, 500, 510, 510] in hulls.tolist()
    assert between(before, after, 0.5).tolist() == [[6, 0, 16, 10], [102, 0, 112, 10], [500, 500, 510, 510]]
    far = as_boxes([[10 * REACH + 12, 0, 10 * REACH + 22, 10]])
    assert len(spanned(before[:1], far)) == 2  # another face
    none = as_boxes([])
    assert spanned(none, none).shape == between(none, after, 0.3).shape == (0, 4)
    assert spanned(before, none).tolist() == before.tolist() and spanned(none, after).tolist() == after.tolist()


def test_the_span_of_a_face_that_moves_left_and_up_is_around_both_places():
    before, after = as_boxes([[20, 30, 60, 40]]), as_boxes([[0, 5, 40, 15]])
    assert spanned(before, after).tolist() == spanned(after, before).tolist() == [[0, 5, 60, 40]]


def test_every_place_on_the_way_is_within_the_span():
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 9):
        before = as_boxes(
            np.hstack([corner := rng.uniform(0, 2000, (count, 2)), corner + rng.uniform(30, 90, (count, 2))])
        )
        after = before + rng.uniform(-25, 25, (count, 4)).astype(np.float32)
        for share in np.linspace(0, 1, 6):
            assert (covered(between(before, after, share), spanned(before, after)).max(axis=1) > 0.9999).all()


def test_a_face_may_move_by_three_of_its_sides_between_two_looks():
    before = as_boxes([[0, 0, 10, 10]])
    for moved, same in ((29, True), (30, True), (31, False)):
        first, second = pairs(before, as_boxes([[moved, 0, moved + 10, 10]]))
        assert (first.tolist(), second.tolist()) == (([0], [0]) if same else ([], []))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([[0, 0, 10, 40]], [[100, 0, 110, 40]], {0: 0}),  # its longer side counts: 100 of 40 pixels
        ([[0, 0, 10, 10]], [[85, -15, 125, 25]], {0: 0}),  # and the larger of the two: 100 of 40
        ([[0, 0, 0.5, 0.5]], [[3, 0, 3.5, 0.5]], {0: 0}),  # 1 pixel at least
        ([[0, 0, 0.5, 0.5]], [[3.5, 0, 4, 0.5]], {}),
        ([[0, 0, 10, 10], [40, 0, 50, 10]], [[50, 0, 60, 10], [10, 0, 20, 10]], {0: 1, 1: 0}),
        ([[100, 0, 160, 20]], [[250, 0, 310, 20]], {0: 0}),  # a wide box far from the left edge: 150 of 60 pixels
        # What moves by more than six of its sides counts as six, so that near ones stay together: 1 + 6 < 4 + 4.
        ([[0, 0, 10, 10], [50, 0, 60, 10]], [[10, 0, 20, 10], [-40, 0, -30, 10]], {0: 0}),
        # A face that is gone, and one that came far away: what they would have moved decides nothing.
        ([[0, 0, 10, 10], [15, -5, 35, 15]], [[25, 0, 35, 10], [1000, 0, 1010, 10]], {1: 0}),
    ],
)
def test_which_faces_of_two_looks_are_one(before: list, after: list, expected: dict[int, int]):
    first, second = pairs(as_boxes(before), as_boxes(after))
    assert dict(zip(first.tolist(), second.tolist(), strict=True)) == expected
