"""Redacted files: the pixels outside stay, what is private goes, the rest of the metadata stays."""

import io
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageCms, ImageOps, PngImagePlugin
from scipy.ndimage import maximum_filter

from visavis import Faces, images
from visavis.effects.redaction import Redaction
from visavis.errors import ImageError
from visavis.rewriting import jpeg
from visavis.rewriting.metadata import safe_exif
from visavis.rewriting.repainting import repainted

ASTRONAUT = Image.fromarray(skimage.data.astronaut())
FACE = Faces([[175, 70, 280, 205]])
FILL = Redaction("fill")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def written(image: Image.Image, format: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def redacted(source: bytes, faces: Faces = FACE, redaction: Redaction = FILL) -> bytes:
    picture = images.decode(source)
    size = (picture.shape[0], picture.shape[1])
    return repainted(source, redaction(picture, faces), redaction.mask(size, faces))


def raw(data: bytes) -> np.ndarray:
    """All the values that a file holds, in its own mode, as displayed."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image))


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def around(mask: np.ndarray, mcu: int = 16) -> np.ndarray:
    """The mask and as much around it as may lie in a touched MCU, or take part of its colours from one."""
    return maximum_filter(mask, 2 * mcu + 3)


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


@pytest.mark.parametrize("exif", [False, True])
@pytest.mark.parametrize("faces", [FACE, Faces()], ids=["a face", "no face"])
def test_an_orientation_that_xmp_alone_tells_stays(exif: bool, faces: Faces):
    options = {"xmp": b'<x:xmpmeta><rdf:Description place="Oxfordshire" tiff:Orientation="6"/></x:xmpmeta>'}
    if exif:
        block = Image.Exif()
        block[0x010F] = "Camera works"
        options["exif"] = block.tobytes()
    source = written(ASTRONAUT.crop((0, 0, 512, 300)), "JPEG", **options)
    assert opened(source).getexif().get(0x0112) == 6 and images.decode(source).shape == (512, 300, 3)
    result = redacted(source, faces)
    assert images.decode(result).shape == (512, 300, 3) and PLACE not in result
    assert opened(result).getexif().get(0x010F) == ("Camera works" if exif else None)


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


@pytest.mark.parametrize("effect", ["blur", "fill", "oval-blur"])
@pytest.mark.parametrize(
    "format, mode",
    [
        *(("PNG", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")),
        *(("TIFF", mode) for mode in ("RGB", "L", "P", "1", "I;16", "CMYK")),
        *(("GIF", "P"), ("GIF", "L"), ("BMP", "RGB"), ("BMP", "P"), ("WEBP", "RGB"), ("WEBP", "RGBA")),
    ],
)
def test_lossless_formats_keep_every_other_pixel_and_their_mode(format: str, mode: str, effect: str):
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


PLACE = b"Oxfordshire"
PREVIEW = written(ASTRONAUT.resize((64, 64)), "JPEG")


def private_exif() -> bytes:
    """As a telephone writes it: orientation, camera, artist; exposure and a maker note; GPS; a thumbnail."""
    order = ">"

    def directory(at: int, entries: list[tuple[int, int, bytes]], following: int = 0) -> bytes:
        rows, values = struct.pack(">H", len(entries)), b""
        behind = at + 2 + 12 * len(entries) + 4
        for tag, type, value in entries:
            size = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8}[type]
            rows += struct.pack(">HHI", tag, type, len(value) // size)
            rows += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(">I", behind + len(values))
            values += value if len(value) > 4 else b""
        return rows + struct.pack(order + "I", following) + values

    def blocks(links: dict[str, int]) -> tuple[bytes, ...]:
        first = [
            (0x010E, 2, b"Anna at home\0"),
            (0x010F, 2, b"Camera works\0"),
            (0x0112, 3, b"\0\6"),
            (0x013B, 2, "J. Müller\0".encode()),
            (0x8298, 2, "© Müller\0".encode("latin-1")),
            (0x8769, 4, struct.pack(">I", links["capture"])),
            (0x8825, 4, struct.pack(">I", links["gps"])),
            (0x9C9B, 1, "Anna".encode("utf-16-le")),
            (0x9C9E, 1, "Anna".encode("utf-16-le")),
            (0xC4A5, 7, PLACE),
        ]
        capture = [
            (0x829A, 5, struct.pack(">II", 1, 250)),
            (0x9204, 10, struct.pack(">ii", -1, 3)),
            (0x927C, 7, b"NOTE" + PREVIEW),
            (0x9286, 7, b"ASCII\0\0\0Anna, " + PLACE),
            (0xA436, 2, b"Anna\0"),
        ]
        gps = [(1, 2, b"N\0"), (0x1C, 7, PLACE)]
        thumbnail = [
            (0x0201, 4, struct.pack(">I", links["thumbnail"] + 30)),
            (0x0202, 4, struct.pack(">I", len(PREVIEW))),
        ]
        return (
            b"MM\0*\0\0\0\x08" + directory(8, first, links["thumbnail"]),
            directory(links["capture"], capture),
            directory(links["gps"], gps),
            directory(links["thumbnail"], thumbnail) + PREVIEW,
        )

    links = dict.fromkeys(("capture", "gps", "thumbnail"), 0)
    lengths = [len(block) for block in blocks(links)]
    links = dict(zip(links, np.cumsum(lengths)[:3].tolist(), strict=True))
    return b"Exif\0\0" + b"".join(blocks(links))


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="51,45N" place="Oxfordshire"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def private_jpeg() -> bytes:
    """A photo with everything that a JPEG file may hold besides its picture."""
    second = written(ASTRONAUT.rotate(90), "JPEG")
    plain = written(ASTRONAUT, "JPEG", quality=90, icc_profile=SRGB, comment=b"Anna, " + PLACE, dpi=(300, 300))
    thumbnail = plain[4:20].replace(b"\0\0\xff", b"\0\0\xff")
    assert plain[2:4] == b"\xff\xe0" and thumbnail
    jfif = segment(0xE0, plain[6:18] + bytes([2, 2]) + b"JFIFpicture.")
    asides = [
        segment(0xE0, b"JFXX\0\x10" + PREVIEW),
        segment(0xE1, private_exif()),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + PLACE + PREVIEW),
        segment(0xE2, b"MPF\0" + PLACE),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x0c\0\0" + struct.pack(">I", len(PREVIEW)) + PREVIEW + PLACE),
        segment(0xEB, b"JP" + PLACE),
        segment(0xEE, b"Adobe\0d\0\0\0\0\1" + PLACE),
        segment(0xDC, PLACE),
    ]
    return plain[:2] + jfif + b"".join(asides) + plain[20:] + second + PREVIEW


@pytest.mark.parametrize("faces", [FACE, Faces()], ids=["a face", "no face"])
def test_nothing_private_of_a_jpeg_is_passed_on(faces: Faces):
    source = private_jpeg()
    assert images.decode(source).shape == (512, 512, 3) and source.count(b"\xff\xd8\xff") >= 6
    assert source.count(PLACE) == 11 and b"JFIFpicture" in source
    result = redacted(source, faces)
    assert result.count(b"\xff\xd8\xff") == 1 and result.endswith(b"\xff\xd9")
    for word in (PLACE, b"Anna", "Anna".encode("utf-16-le"), b"GPS"):
        assert word not in result
    for word in (b"xap", b"JFXX", b"JFIFpicture", b"Photoshop", b"MPF", b"NOTE", PREVIEW[20:60]):
        assert word not in result

    image = opened(result)
    assert (image.format, image.info["icc_profile"], "comment" in image.info) == ("JPEG", SRGB, False)
    assert image.info["dpi"] == (300, 300) and not image.getexif().get_ifd(0x8825)
    exif, capture = image.getexif(), image.getexif().get_ifd(0x8769)
    assert exif[0x010F] == "Camera works" and exif[0x0112] == 6 and 0xC4A5 not in exif
    assert "J. Müller\0".encode() in result and "© Müller\0".encode("latin-1") in result  # byte for byte
    assert (float(capture[0x829A]), float(capture[0x9204])) == (1 / 250, -1 / 3)
    assert not {0x9286, 0x927C, 0xA436} & set(capture)
    before, after = images.decode(source), images.decode(result)
    outside = ~around(FILL.mask((512, 512), faces), 32)
    assert (before[outside] == after[outside]).all() and outside.mean() > 0.7


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("faces", [FACE, Faces()], ids=["a face", "no face"])
def test_nothing_private_of_other_formats_is_passed_on(format: str, faces: Faces):
    options = {"exif": private_exif(), "icc_profile": SRGB}
    if format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        text.add_text("Raw profile type APP1", PLACE.decode())
        text.add(b"gAMA", struct.pack(">I", 45455))
        options["pnginfo"] = text
    if format == "WEBP":
        options |= {"xmp": XMP, "lossless": True}
    if format == "TIFF":
        options["exif"] = exif = Image.Exif()
        exif.load(private_exif())
        exif[0x013B] = "J. Müller".encode()
        exif[700], exif[34377], exif[33723] = XMP, PLACE, PLACE
    source = written(ASTRONAUT, format, **options)
    assert PLACE in source and b"xmpmeta" in source and (b"NOTE" in source or format == "TIFF")
    result = redacted(source, faces)
    for word in (PLACE, b"Anna", "Anna".encode("utf-16-le"), b"GPS", b"NOTE", PREVIEW[20:60], b"xmpmeta"):
        assert word not in result
    image = opened(result)
    exif = image.getexif()
    assert exif[0x010F] == "Camera works" and exif.get(0x0112, 1) == 1 and not exif.get_ifd(0x8825)
    assert float(exif.get_ifd(0x8769)[0x829A]) == 1 / 250
    assert exif[0x013B].encode("latin-1").decode() == "J. Müller" and image.info["icc_profile"] == SRGB
    assert image.info.get("gamma") == (0.45455 if format == "PNG" else None)
    mask = FILL.mask((512, 512), faces)
    assert (images.decode(result)[~mask] == images.decode(source)[~mask]).all()  # turned alike


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_what_does_not_decode_is_never_passed_on(format: str):
    source = written(ASTRONAUT, format)
    for part in (0, 10, len(source) // 3, len(source) - 400):
        with pytest.raises(ImageError):
            repainted(source[:part], np.zeros((512, 512, 3), np.uint8), np.zeros((512, 512), bool))


def test_exif_that_is_damaged_is_cut_and_never_read_beyond():
    whole = private_exif()
    assert safe_exif(b"") == safe_exif(b"Exif\0\0") == safe_exif(b"II*\0") == safe_exif(b"text, no EXIF") == b""
    for length in range(len(whole)):
        safe = safe_exif(whole[:length])
        assert PLACE not in safe and len(safe) <= length + 30
        assert safe == b"" or safe_exif(safe) == safe
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole[:400])
        for place in rng.integers(0, 400, 5):
            damaged[place] = rng.integers(0, 256)
        safe_exif(bytes(damaged))


def test_little_endian_exif_is_read_as_well():
    exif = Image.Exif()
    exif.endian = "<"
    exif[0x010F], exif[0x0112] = "Camera works", 8
    safe = Image.Exif()
    safe.load(safe_exif(exif.tobytes(), upright=True))
    assert dict(safe) == {0x010F: "Camera works"} and safe.endian == "<"


def test_a_jpeg_without_an_end_gets_one():
    source = written(ASTRONAUT, "JPEG")
    result = jpeg.without_private(source[:-2])
    assert result == jpeg.without_private(source) and (images.decode(result) == images.decode(source)).all()


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
