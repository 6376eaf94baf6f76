import io
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import skimage.data
from PIL import Image, ImageFile

from visavis import images

PHOTO = skimage.data.astronaut()[:200, :300]
FORMATS = {"JPEG": {"quality": 95}, "PNG": {}, "WEBP": {"quality": 95}, "GIF": {}, "BMP": {}, "TIFF": {}}
FORMATS |= {"HEIF": {"quality": 80}, "AVIF": {"quality": 80}}
pillow_heif.register_heif_opener()  # for those that the tests write
BACK = {2: (0,), 3: (3,), 4: (1,), 5: (5,), 6: (2,), 7: (6,), 8: (4,)}
"""EXIF orientation -> the Pillow transposition of the upright photo that is to be stored with it."""


def saved(image: Image.Image, format: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def off(picture: np.ndarray, other: np.ndarray) -> float:
    assert picture.shape == other.shape
    return float(np.abs(picture.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read_by_its_bytes(format: str, tmp_path: Path):
    data = saved(Image.fromarray(PHOTO), format, **FORMATS[format])
    (tmp_path / "photo.txt").write_bytes(data)
    picture = images.read(tmp_path / "photo.txt")
    assert (picture.dtype, picture.shape) == (np.uint8, (200, 300, 3))
    assert off(picture, PHOTO) < 6
    assert images.inspect(data) == images.Header(format, 200, 300)
    assert set(FORMATS) == set(images.EXTENSIONS)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(format: str, orientation: int, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(PHOTO)
    for transposition in BACK.get(orientation, ()):
        stored = stored.transpose(Image.Transpose(transposition))
    data = saved(stored, format, exif=exif, **FORMATS[format])
    assert off(images.decode(data), PHOTO) < 6
    assert images.inspect(data) == images.Header(format, 200, 300, orientation if format != "TIFF" else 1)
    reduced = images.decode_reduced(data, lambda height, width: None)
    assert (reduced.height, reduced.width) == reduced.picture.shape[:2] == (200, 300)
    (tmp_path / "photo").write_bytes(data)
    assert images.header(tmp_path / "photo") == (200, 300)


def test_a_telephones_jpeg_with_a_second_picture_is_a_jpeg():
    second = Image.fromarray(PHOTO[:50, :50])
    data = saved(Image.fromarray(PHOTO), "MPO", save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert images.inspect(data) == images.Header("JPEG", 200, 300)
    assert off(images.decode(data), PHOTO) < 6


def test_modes_become_rgb():
    rgb, grey = Image.fromarray(PHOTO), Image.fromarray(PHOTO).convert("L")
    as_grey = np.asarray(grey.convert("RGB"))
    assert off(images.decode(saved(rgb.convert("CMYK"), "JPEG", quality=95)), PHOTO) < 6
    assert off(images.decode(saved(grey, "PNG")), as_grey) == 0
    assert off(images.decode(saved(rgb.convert("P"), "PNG")), PHOTO) < 30
    assert set(np.unique(images.decode(saved(rgb.convert("1"), "PNG")))) == {0, 255}
    sixteen = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    assert off(images.decode(saved(sixteen, "PNG")), as_grey) <= 1
    assert off(images.decode(saved(Image.fromarray(np.asarray(grey) / np.float32(255)), "TIFF")), as_grey) <= 2


def test_what_is_transparent_is_white():
    clear = Image.fromarray(PHOTO).convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.repeat(np.uint8([0, 255]), 150), (200, 1))))
    picture = images.decode(saved(clear, "PNG"))
    assert (picture[:, :150] == 255).all()
    assert off(picture[:, 150:], PHOTO[:, 150:]) == 0


def test_the_first_frame_of_an_animation():
    frames = [Image.fromarray(np.full((20, 30, 3), shade, np.uint8)) for shade in (0, 255)]
    for format in ("GIF", "WEBP", "PNG"):
        animation = saved(frames[0], format, save_all=True, append_images=frames[1:])
        assert images.decode(animation).max() < 9
        assert images.frames(animation) == 2
    assert images.frames(saved(frames[0], "JPEG")) == images.frames(saved(frames[0], "GIF")) == 1
    with pytest.raises(images.ImageError, match="not_image"):
        images.frames(b"words")


def flipped(data: bytes, place: int) -> bytes:
    damaged = bytearray(data)
    damaged[place] ^= 0xFF
    return bytes(damaged)


def a_bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html>404</html>", "not_image"),
        (b"\xff\xd8\xff", "not_image"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "not_image"),
        (a_bomb(), "too_large"),
        (saved(Image.new("L", (8000, 8000)), "PNG"), "too_large"),
        (flipped(saved(Image.fromarray(PHOTO), "AVIF"), -6), "truncated"),
    ],
)
def test_verdicts(data: bytes, reason: str):
    for judge in (images.decode, images.inspect):
        with pytest.raises(images.ImageError) as caught:
            judge(data)
        assert caught.value.reason == reason
        assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "AVIF"])
def test_a_photo_cut_short_is_never_taken_for_whole(format: str, lenient: bool, monkeypatch: pytest.MonkeyPatch):
    """Whatever the program around wants of Pillow: the import of face_recognition makes it lenient."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    data = saved(Image.fromarray(PHOTO), format)
    for tenth in range(10):
        for judge in (images.decode, images.inspect):
            with pytest.raises(images.ImageError) as caught:
                judge(data[: len(data) * tenth // 10])
            # Of a PNG or a BMP in its header is not known that it is one.
            broken = ("truncated",) if format in ("WEBP", "TIFF", "HEIF", "AVIF") else ("not_image", "truncated")
            assert caught.value.reason in (("empty",) if tenth == 0 else broken)
    assert lenient == ImageFile.LOAD_TRUNCATED_IMAGES  # for the program it stays as it was


@pytest.mark.parametrize("format", ["WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("missing", [1, 4, 12])
def test_a_photo_without_its_last_bytes_is_truncated(format: str, missing: int):
    with pytest.raises(images.ImageError, match="truncated"):
        images.decode(saved(Image.fromarray(PHOTO), format)[:-missing])


def test_files_that_cannot_be_read(tmp_path: Path):
    for path, reason in ((tmp_path / "gone.jpg", "missing"), (tmp_path, "unreadable"), (Path("a\0b"), "unreadable")):
        with pytest.raises(images.ImageError) as caught:
            images.read(path)
        assert caught.value.reason == reason


def test_limit_is_the_callers():
    data = saved(Image.fromarray(PHOTO), "PNG")
    assert images.decode(data, max_pixels=60_000).shape == (200, 300, 3)
    with pytest.raises(images.ImageError, match="too_large"):
        images.decode(data, max_pixels=59_999)


def test_warnings_are_as_before_after_many_threads():
    before = list(warnings.filters)
    data = saved(Image.fromarray(PHOTO), "PNG")
    threads = [threading.Thread(target=lambda: [images.decode(data) for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_resize_and_fit():
    assert images.resize(PHOTO, (50, 80)).shape == (50, 80, 3)
    mirrored = images.resize(PHOTO[:, ::-1], (PHOTO.shape[0], PHOTO.shape[1]))
    assert (mirrored == PHOTO[:, ::-1]).all() and mirrored.flags.c_contiguous
    same, factor = images.fit(PHOTO, 300)
    assert same is PHOTO
    assert factor == 1
    small, factor = images.fit(PHOTO, 30)
    assert (small.shape, factor) == ((20, 30, 3), 0.1)
    assert images.fit(np.zeros((1, 5000, 3), np.uint8), 100)[0].shape == (1, 100, 3)


def test_encode_and_back():
    assert off(images.decode(images.encode(PHOTO)), PHOTO) < 5
    assert off(images.decode(images.encode(PHOTO, "PNG")), PHOTO) == 0


def test_find_goes_by_name_and_keeps_its_order(tmp_path: Path):
    for name in ("b/2.JPG", "a.png", "b/1.tiff", "notes.txt", ".hidden/x.jpg", "b/.x.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    found = [path.relative_to(tmp_path).as_posix() for path in images.find(tmp_path)]
    assert found == ["a.png", "b/1.tiff", "b/2.JPG"]
    assert list(images.find(tmp_path / "folder.jpg")) == []


def test_as_picture():
    assert images.as_picture(PHOTO) is PHOTO
    for wrong in (PHOTO.astype(float), PHOTO[..., 0], "photo.jpg"):
        with pytest.raises(ValueError, match="uint8 RGB"):
            images.as_picture(wrong)
    with pytest.raises(ValueError, match="0 x 5 pixels has nothing"):
        images.as_picture(PHOTO[:0, :5])


def bmp(pixels: np.ndarray) -> bytes:
    """A BMP of 32 bits with masks for all four channels (BITMAPV4HEADER), as graphics programs write it."""
    height, width = pixels.shape[:2]
    data = pixels[::-1, :, [2, 1, 0, 3]].tobytes()
    head = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(data), 2835, 2835, 0, 0)
    head += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(data), 0, 0, 14 + len(head)) + head + data


@pytest.mark.parametrize("alpha", [0, 1, 255])
def test_a_bmp_whose_alpha_nobody_wrote_is_opaque(alpha: int):
    data = bmp(np.dstack([PHOTO, np.full(PHOTO.shape[:2], alpha, np.uint8)]))
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.mode == "RGBA"
    picture = images.decode(data)
    if alpha == 1:  # of 255: somebody wrote it, and it is nearly white
        assert picture.min() > 250
    else:
        assert (picture == PHOTO).all()


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_one_odd_value_of_a_float_picture_costs_that_pixel_alone(odd: float):
    values = np.asarray(Image.fromarray(PHOTO).convert("L"), np.float32)
    values = values / values.max()
    plain = images.decode(saved(Image.fromarray(values), "TIFF"))
    values[3, 4] = odd
    picture = images.decode(saved(Image.fromarray(values), "TIFF")).copy()
    assert picture[3, 4].tolist() == [255 if odd == np.inf else 0] * 3
    picture[3, 4] = plain[3, 4]
    assert (picture == plain).all() and plain.max() == 255


def test_a_float_picture_of_nothing_but_nan_is_black():
    assert images.decode(saved(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF")).max() == 0


def tiff(values: np.ndarray) -> bytes:
    """A grey TIFF file of these values as they are."""
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    height, width = values.shape
    bits, data = values.dtype.itemsize * 8, values.astype(values.dtype.newbyteorder("<")).tobytes()
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, height),
            (279, len(data)), (339, kind)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


GREY = PHOTO.mean(axis=2)


@pytest.mark.parametrize("broken, shown", [(np.nan, 0), (np.inf, 255), (-np.inf, 0), (1e38, 255), (-1e38, 0)])
@pytest.mark.parametrize("white", [1, 255, 65535])
def test_a_broken_pixel_of_a_float_tiff_is_lost_alone(broken: float, shown: int, white: int):
    values = (GREY / 255 * white).astype(np.float32)
    values[0, 0] = white
    values[100, 150] = broken
    picture = images.decode(tiff(values)).copy()
    assert picture[100, 150].tolist() == [shown] * 3
    picture[100, 150] = GREY[100, 150]
    picture[0, 0] = GREY[0, 0]
    assert off(picture, np.dstack([GREY] * 3)) < 1
    assert (images.decode(tiff(np.full((4, 5), broken, np.float32))) == shown).all()


@pytest.mark.parametrize(("kind", "white"), [("i4", 255), ("i4", 65535), ("f4", 255)])
def test_one_value_far_beyond_the_others_does_not_make_the_photo_black(kind: str, white: int):
    values = (GREY / 255 * white).astype(kind)
    values[0, 0], values[100, 150] = white, 50_000_000
    picture = images.decode(tiff(values)).copy()
    assert picture[100, 150].tolist() == [255] * 3
    picture[100, 150], picture[0, 0] = GREY[100, 150], GREY[0, 0]
    assert off(picture, np.dstack([GREY] * 3)) < 1


def test_a_small_light_in_the_dark_is_white():
    values = np.zeros((100, 100), np.float32)
    values[50, 50] = 900
    assert images.decode(tiff(values))[50, 50].tolist() == [255] * 3


@pytest.mark.parametrize("kind, white", [("u2", 65535), ("i2", 32767), ("i4", 255), ("i4", 65535), ("i4", 2**31 - 1)])
def test_whole_numbers_of_a_tiff_are_as_bright_as_their_kind_says(kind: str, white: int):
    values = (GREY / 255 * white).astype(kind)
    values[0, 0] = white
    picture = images.decode(tiff(values)).copy()
    assert picture[0, 0].tolist() == [255] * 3
    picture[0, 0] = GREY[0, 0]
    assert off(picture, np.dstack([GREY] * 3)) < 1
