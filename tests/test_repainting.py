"""Redacted files: the pixels outside stay, in every format and mode."""

import io
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageOps
from redacting import ASTRONAUT, FACE, FILL, around, opened, redacted, written

from visavis import Faces, images
from visavis.effects.redaction import Redaction
from visavis.rewriting.repainting import repainted


def raw(data: bytes) -> np.ndarray:
    """All the values that a file holds, in its own mode, as displayed."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize(
    "coding", ["plain", "progressive", "optimised", "restarts", "grey", "odd size", "coarse", "RGB"]
)
def test_a_jpeg_changes_in_the_blocks_of_the_faces_alone(coding: str, sampling: int):
    image = ASTRONAUT.crop((0, 0, 501, 333)) if coding == "odd size" else ASTRONAUT
    image = image.convert("L") if coding == "grey" else image
    options = {"progressive": {"progressive": True}, "optimised": {"optimize": True}}.get(coding, {})
    options |= {"restart_marker_blocks": 3} if coding == "restarts" else {"keep_rgb": coding == "RGB"}
    sampling = 0 if coding == "RGB" else sampling
    source = written(image, "JPEG", quality=20 if coding == "coarse" else 88, subsampling=sampling, **options)
    result = redacted(source)
    before, after = images.decode(source), images.decode(result)
    mask = FILL.mask(before.shape[:2], FACE)
    outside = ~around(mask)
    assert (before[outside] == after[outside]).all() and outside.mean() > 0.7
    assert np.abs(after[mask].astype(int)).mean() < 2  # black
    assert opened(result).quantization == opened(source).quantization
    assert opened(result).layer == opened(source).layer
    assert len(result) < 1.1 * len(source)


def test_a_jpeg_is_never_in_a_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever is killed would leave it behind, with its faces."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    source = written(ASTRONAUT, "JPEG")
    assert images.decode(redacted(source))[100, 200].sum() < 48


def test_a_system_without_files_in_memory_writes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = written(ASTRONAUT, "JPEG")
    before = redacted(source)
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert redacted(source) == before
    assert not list(tmp_path.iterdir())


def test_painted_blocks_show_what_was_painted():
    picture = np.asarray(ASTRONAUT)
    source = written(ASTRONAUT, "JPEG", quality=95, subsampling=2)
    flipped = picture[::-1, ::-1]
    mask = np.zeros((512, 512), bool)
    mask[100:300, 200:450] = True
    after = images.decode(repainted(source, flipped, mask))
    again = images.decode(written(Image.fromarray(np.ascontiguousarray(flipped)), "JPEG", quality=95, subsampling=2))
    inside = mask & ~around(~mask)
    error, usual = (np.abs(shown[inside].astype(int) - flipped[inside]).mean() for shown in (after, again))
    assert error < 1.05 * usual  # as near as libjpeg's own coding


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_jpeg_stays_turned(orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = written(ASTRONAUT.crop((0, 0, 501, 333)), "JPEG", exif=exif.tobytes())
    before = images.decode(source)
    faces = Faces([[20, 60, 120, 160]])
    result = redacted(source, faces)
    after = images.decode(result)
    outside = ~around(FILL.mask(before.shape[:2], faces))
    assert opened(result).getexif()[0x0112] == orientation and after.shape == before.shape
    assert (before[outside] == after[outside]).all() and (after[65:155, 25:115] < 8).all()


def test_a_cmyk_jpeg_is_coded_anew_with_the_same_tables():
    source = written(ASTRONAUT.convert("CMYK"), "JPEG", quality=90)
    result = redacted(source)
    assert opened(result).mode == "CMYK" and opened(result).quantization == opened(source).quantization
    mask = FILL.mask((512, 512), FACE)
    before, after = images.decode(source), images.decode(result)
    assert after[mask].mean() < 8 and np.abs(before[~mask].astype(int) - after[~mask]).mean() < 1


def lossless(mode: str) -> Image.Image:
    picture = np.asarray(ASTRONAUT)
    if mode == "I;16":
        return Image.fromarray(picture[:, :, 0].astype(np.uint16) * 257 + 19)
    if mode == "P":
        return ASTRONAUT.quantize(200)
    if mode in ("RGBA", "LA"):
        image = ASTRONAUT.convert(mode)
        image.putalpha(Image.fromarray(np.full((512, 512), 255, np.uint8) - np.tri(512, dtype=np.uint8) * 55))
        return image
    return ASTRONAUT.convert(mode)


LOSSLESS = [
    *(("PNG", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")),
    *(("TIFF", mode) for mode in ("RGB", "L", "P", "1", "I;16", "CMYK")),
    *(("GIF", "P"), ("GIF", "L"), ("BMP", "RGB"), ("BMP", "P"), ("WEBP", "RGB"), ("WEBP", "RGBA")),
]
# An effect is done to the picture before a format takes it: colours that a mode has to find, and a mask that is round.
BLACK = [("PNG", "P"), ("PNG", "I;16"), ("TIFF", "1"), ("TIFF", "CMYK"), ("GIF", "P"), ("WEBP", "RGBA")]
ROUND = [("PNG", "RGB"), ("GIF", "P"), ("WEBP", "RGB")]


@pytest.mark.parametrize(
    "effect, format, mode",
    [(effect, *one) for effect, some in (("blur", LOSSLESS), ("fill", BLACK), ("oval-blur", ROUND)) for one in some],
)
def test_lossless_formats_keep_every_other_pixel_and_their_mode(effect: str, format: str, mode: str):
    redaction = Redaction(effect)
    source = written(lossless(mode), format, **({"lossless": True} if format == "WEBP" else {}))
    result = redacted(source, FACE, redaction)
    mask = redaction.mask((512, 512), FACE)
    assert (opened(result).format, opened(result).mode) == (format, opened(source).mode)
    assert (raw(result)[~mask] == raw(source)[~mask]).all()
    shown, before = images.decode(result)[mask].astype(int), images.decode(source)[mask].astype(int)
    assert shown.max() < 16 if effect == "fill" else np.abs(shown - before).mean() > 4


def test_a_lossy_webp_keeps_every_other_pixel_too():
    source = written(ASTRONAUT, "WEBP", quality=60)
    mask = FILL.mask((512, 512), FACE)
    assert (raw(redacted(source))[~mask] == raw(source)[~mask]).all()


@pytest.mark.parametrize("colours", [(12, 13, 6, 1), (9, 16, 9, 0)], ids=["Display P3", "BT.2020 PQ"])
def test_a_heic_whose_colours_are_told_by_numbers_keeps_them(colours: tuple[int, ...]):
    names = ("color_primaries", "transfer_characteristics", "matrix_coefficients", "full_range_flag")
    images.decode(written(ASTRONAUT, "PNG"))  # Pillow knows HEIF from there on
    source = written(ASTRONAUT, "HEIF", save_nclx_profile=True, **dict(zip(names, colours, strict=True)))
    for data in (source, redacted(source)):
        assert tuple(opened(data).info["nclx_profile"][name] for name in names) == colours
    mask = around(FILL.mask((512, 512), FACE))
    assert np.abs(images.decode(source).astype(int) - images.decode(redacted(source)))[~mask].mean() < 1


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_pictures_the_first_alone_is_left(format: str):
    second = ASTRONAUT.rotate(180)
    source = written(ASTRONAUT, format, save_all=True, append_images=[second])
    assert opened(source).n_frames == 2
    result = redacted(source)
    assert getattr(opened(result), "n_frames", 1) == 1
    assert images.decode(result)[100, 200].sum() < 48


def test_colours_below_full_transparency_are_cleared():
    pixels = np.dstack([np.asarray(ASTRONAUT), np.full((512, 512), 255, np.uint8)])
    pixels[300:, :, 3] = 0
    after = raw(redacted(written(Image.fromarray(pixels), "PNG")))
    assert not after[300:].any() and (after[250:300, :100] == pixels[250:300, :100]).all()


def test_transparent_colours_of_a_palette_draw_nothing():
    """Index 0 to 199 are a photo, of which the lower part is drawn by others like them, all of them transparent."""
    image = ASTRONAUT.quantize(100)
    palette = np.array(image.getpalette()[:300]).reshape(100, 3)
    indices = np.array(image)
    indices[300:] += 100
    hidden = Image.fromarray(indices, "P")
    hidden.putpalette(np.concatenate([palette, palette]).astype(np.uint8).tobytes())
    source = written(hidden, "PNG", transparency=b"\xff" * 100 + bytes(100))
    assert (images.decode(source)[300:] == 255).all() and np.ptp(raw(source)[300:]) > 50
    after = opened(redacted(source))
    assert np.ptp(np.asarray(after)[300:]) == 0
    colours = np.array(after.getpalette()).reshape(-1, 3)
    assert len(np.unique(colours[100:200], axis=0)) == 1  # nor do those that are left tell of it
    assert (np.asarray(after)[250:300, :100] == indices[250:300, :100]).all()
    shown = images.decode(redacted(source))
    assert (shown[300:] == 255).all() and shown[FILL.mask((512, 512), FACE)].max() < 48


def test_a_bmp_whose_alpha_is_all_zero_keeps_its_pixels():
    photo = skimage.data.astronaut()
    data = bytearray(written(Image.fromarray(np.dstack([photo, np.full(photo.shape[:2], 7, np.uint8)])), "BMP"))
    head = struct.pack("<I4I", 108, 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    start = struct.unpack_from("<I", data, 10)[0]
    pixels = np.frombuffer(data[start:], np.uint8).reshape(-1, 4).copy()
    pixels[:, 3] = 0
    info = head[:4] + data[18:30] + struct.pack("<I", 3) + data[34:54] + head[4:]
    source = b"BM" + struct.pack("<IHHI", 122 + pixels.nbytes, 0, 0, 122) + info.ljust(108, b"\0") + pixels.tobytes()
    assert Image.open(io.BytesIO(source)).getextrema()[3] == (0, 0)
    copy = opened(redacted(source))
    assert (copy.format, copy.mode) == ("BMP", "RGB")
    x1, y1, x2, y2 = FACE.boxes[0].astype(int)
    beyond = np.ones(photo.shape[:2], bool)
    beyond[y1 - 60 : y2 + 60, x1 - 60 : x2 + 60] = False
    assert (np.asarray(copy)[beyond] == photo[beyond]).all()
    assert photo[y1:y2, x1:x2].mean() > 100 and (np.asarray(copy)[y1:y2, x1:x2] == 0).all()


def test_a_broken_pixel_of_a_float_tiff_stays_alone():
    values = np.asarray(Image.fromarray(skimage.data.astronaut()).convert("L")) / np.float32(255)
    values[0, :3] = np.nan, np.inf, -np.inf
    values[100, 200] = np.nan  # in the face
    copy = np.asarray(opened(redacted(written(Image.fromarray(values), "TIFF"))))
    assert copy.dtype == np.float32
    x1, y1, x2, y2 = FACE.boxes[0].astype(int)
    face = copy[y1:y2, x1:x2]
    assert np.isfinite(face).all() and face.max() < 0.1
    np.testing.assert_array_equal(copy[:40], values[:40])
