"""Of the metadata of redacted files, what is private goes and the rest stays."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from redacting import ASTRONAUT, FACE, FILL, around, opened, redacted, written

from visavis import Faces, images
from visavis.errors import ImageError
from visavis.rewriting import jpeg
from visavis.rewriting.metadata import safe_exif
from visavis.rewriting.repainting import repainted

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


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
