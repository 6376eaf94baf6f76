"""Pixels of videos as they are to be shown: turned, mirrored, of any range of colours and any shape."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FACE, clip
from watching import frames, redacting, watch

from visavis import Faces


def turned(path: Path, matrix: tuple[int, ...]) -> None:
    """Set the display matrix of the video track (ISO/IEC 14496-12, 8.3.2), as telephones do."""
    data = path.read_bytes()
    plain = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    place = data.index(plain, data.index(b"tkhd"))
    a, b, c, d = matrix
    turn = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(data[:place] + turn + data[place + 36 :])


UPRIGHT = {
    (0, 0, 0, 0): lambda picture: picture,  # says nothing, and players take it so
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
