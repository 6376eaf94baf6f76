"""A tree of a few hundred files as ten years of photos may hold them, and worse, out of real photos.

`make` writes it and says of each entry what files.csv must say of it.
"""

import io
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import skimage.data
from clips import clip
from PIL import Image

ASTRONAUT = Image.fromarray(skimage.data.astronaut()[0:256, 96:352])
COFFEE = Image.fromarray(skimage.data.coffee()).resize((150, 100))
CAT = Image.fromarray(skimage.data.chelsea()).resize((150, 100))
SMALL = ASTRONAUT.resize((128, 128))

BACK = {2: (0,), 3: (3,), 4: (1,), 5: (5,), 6: (2,), 7: (6,), 8: (4,)}
"""EXIF orientation -> the Pillow transposition of the upright photo that is to be stored with it."""

OK, FIRST = ("ok", ""), ("ok", "first_frame")

Expected = dict[str, tuple[str, ...]]
"""Path below the tree -> status, and the reason, or those that are right."""


def make(root: Path) -> Expected:
    """Write the tree."""
    expected: Expected = {}

    def put(name: str | bytes, data: bytes, *verdict: str) -> None:
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        expected[os.fsdecode(name)] = verdict

    pillow_heif.register_heif_opener()
    photo = saved(SMALL)
    _orientations(put)
    _formats(put)
    _damaged(put)
    _names(put, photo)
    _not_files(root, expected, photo)
    faces = Image.new("RGB", (960, 480))
    head = ASTRONAUT.crop((70, 55, 190, 205)).resize((44, 46))
    for number in range(200):
        faces.paste(head, (number % 20 * 48 + 2, number // 20 * 48 + 1))
    put("crowd.png", saved(faces, "PNG"), *OK)
    for shade in (0, 128, 255):
        put(f"plain/{shade}.png", saved(Image.new("L", (200, 150), shade), "PNG"), *OK)
    for number in range(120):  # ordinary photos among them, in nested folders, with equal names
        some = (SMALL, COFFEE, CAT)[number % 3]
        name = f"years/{2010 + number // 24}/{number // 8 % 3}/IMG_{number % 8:04}.jpg"
        put(name, saved(some.rotate(number % 5), quality=80), *OK)
    _videos(root, put, photo)
    expected["videos/pipe.mp4"] = ("skipped", "pipe")
    put("zz/grows.jpg", photo[: len(photo) // 2], *OK)  # whole by the time that it is looked at
    put("zz/vanishes.jpg", photo, "unreadable", "missing")
    return expected


def grow_and_vanish(root: Path) -> None:
    """What happens to two files while others are looked at."""
    with (root / "zz/grows.jpg").open("ab") as file:
        whole = saved(SMALL)
        file.write(whole[len(whole) // 2 :])
    (root / "zz/vanishes.jpg").unlink()


def saved(image: Image.Image, format: str = "JPEG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def _orientations(put) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = ASTRONAUT.crop((0, 0, 256, 240))
        for transposition in BACK.get(orientation, ()):
            stored = stored.transpose(Image.Transpose(transposition))
        put(f"turned/{orientation}.jpg", saved(stored, exif=exif, quality=95), *OK)


def _formats(put) -> None:
    for format, ending in (("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif"), ("BMP", "bmp"), ("TIFF", "tif")):
        put(f"formats/photo.{ending}", saved(SMALL, format), *OK)
    put("formats/photo.heic", saved(SMALL, "HEIF"), *OK)
    put("formats/photo.avif", saved(SMALL, "AVIF"), *OK)
    put("formats/second.jpg", saved(SMALL, "MPO", save_all=True, append_images=[COFFEE]), *OK)
    put("formats/cmyk.jpg", saved(SMALL.convert("CMYK")), *OK)
    put("formats/progressive.jpg", saved(SMALL, progressive=True), *OK)
    put("formats/grey.jpg", saved(SMALL.convert("L")), *OK)
    sixteen = Image.fromarray(np.asarray(SMALL.convert("L")).astype(np.uint16) * 257)
    put("formats/16-bit.png", saved(sixteen, "PNG"), *OK)
    put("formats/16-bit.tif", saved(sixteen, "TIFF"), *OK)
    put("formats/1-bit.png", saved(SMALL.convert("1"), "PNG"), *OK)
    palette = SMALL.convert("P")
    put("formats/palette.png", saved(palette, "PNG", transparency=int(np.asarray(palette)[0, 0])), *OK)
    put("formats/clear.webp", saved(SMALL.convert("RGBA"), "WEBP"), *OK)
    for format, ending in (("GIF", "gif"), ("WEBP", "webp"), ("PNG", "png"), ("TIFF", "tiff")):
        put(
            f"formats/many.{ending}",
            saved(SMALL, format, save_all=True, append_images=[CAT.resize((128, 128))]),
            *FIRST,
        )
    put("formats/really-png.jpg", saved(SMALL, "PNG"), *OK)
    put("formats/really-heic.JPEG", saved(SMALL, "HEIF"), *OK)
    put("formats/1x1.png", saved(SMALL.crop((60, 60, 61, 61)), "PNG"), *OK)
    put("formats/1x5000.png", saved(SMALL.resize((1, 5000)), "PNG"), *OK)
    put("formats/5000x1.jpg", saved(SMALL.resize((5000, 1))), *OK)


def _damaged(put) -> None:
    kinds = (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif"), ("HEIF", "heic"), ("GIF", "gif"))
    for format, ending in kinds:
        data = saved(SMALL, format)
        for tenth in range(10):
            verdict = ("empty",) if tenth == 0 else ("truncated", "not_image")
            put(f"damaged/{tenth}.{ending}", data[: len(data) * tenth // 10], "unreadable", *verdict)
    avif = bytearray(saved(SMALL, "AVIF"))
    avif[-6] ^= 0xFF
    put("damaged/flipped.avif", bytes(avif), "unreadable", "truncated")
    progressive = saved(ASTRONAUT, progressive=True)
    for tenth in range(1, 10):
        put(
            f"damaged/p{tenth}.jpg",
            progressive[: len(progressive) * tenth // 10],
            "unreadable",
            "truncated",
            "not_image",
        )
    put("damaged/words.jpg", b"Dear diary, today I took no photo.\n" * 100, "unreadable", "not_image")
    put("damaged/noise.jpg", np.random.default_rng(8).bytes(5000), "unreadable", "not_image")
    put("damaged/nul.png", bytes(4096), "unreadable", "not_image")
    put("damaged/bomb.png", bomb(), "unreadable", "too_large")


def bomb() -> bytes:
    """A picture of 30,000 x 30,000 pixels that is whole: 900 megapixels in some 100 KB."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 30_000 // 8) * 1000
    data = b"".join(packer.compress(row) for _ in range(30)) + packer.flush()
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    packed = [struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _names(put, photo: bytes) -> None:
    odd = ["two words", "a,b", '"quoted"', "it's", "new\nline", "carriage\r\nreturn", "tab\there", "\N{GRINNING FACE}"]
    odd += [
        "-dash",
        "--out",
        "@at",
        "*star?",
        "[abc]",
        "back\\slash",
        "%41&<b>",
        "\N{LATIN SMALL LETTER E}\u0301",
        "=1+1",
    ]
    odd += ["n" * 246, "\N{SNOWMAN}" * 82, "bell\a", " ", "...", "x" * 251]
    for name in odd:
        put(f"names/{name}.jpg" if name != "..." else "names/dots...jpg", photo, *OK)
    put(b"names/not-utf-8-\xff\xfe.jpg", photo, *OK)
    put(b"names/\xe9t\xe9/photo.jpg", photo, *OK)
    for name in ("one", "two", "one/three"):
        put(f"equal/{name}/photo.jpg", photo, *OK)
        put(f"equal/{name}/photo.JPG", photo, *OK)
        put(f"equal/{name}/photo.jpeg", photo, *OK)
        put(f"equal/{name}/photo.png", saved(SMALL, "PNG"), *OK)
    put("names/notes.txt", b"words", "skipped", "other_ending")
    put("names/.hidden.jpg", photo, "skipped", "hidden")


def _videos(root: Path, put, photo: bytes) -> None:
    """Videos, and what only seems to be one or not to be one."""
    clip(root / "whole.mp4", range(0, 320, 40), sound=None)
    data = (root / "whole.mp4").read_bytes()
    (root / "whole.mp4").unlink()
    put("videos/whole.mp4", data, *OK)
    put("videos/headless.mov", data[: len(data) // 2], "unreadable", "not_video")
    put("videos/empty.mkv", b"", "unreadable", "empty")
    put("videos/words.avi", b"Dear diary, today I took no video.\n" * 100, "unreadable", "not_video")
    put("videos/list.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/hosts\n#EXT-X-ENDLIST\n", "unreadable", "not_video")
    put("videos/really-photo.mp4", photo, "unreadable", "not_video")
    put("videos/really-video.jpg", data, "unreadable", "not_image")
    os.mkfifo(root / "videos/pipe.mp4")


def _not_files(root: Path, expected: Expected, photo: bytes) -> None:
    place = root / "kinds"
    (place / "folder.jpg").mkdir(parents=True)
    (place / "folder.jpg/inside.jpg").write_bytes(photo)
    expected |= {"kinds/folder.jpg": ("skipped", "folder"), "kinds/folder.jpg/inside.jpg": OK}
    (place / ".thumbnails").mkdir()
    (place / ".thumbnails/small.jpg").write_bytes(photo)
    expected["kinds/.thumbnails"] = ("skipped", "hidden")
    links = {"self.jpg": "self.jpg", "ping.jpg": "pong.jpg", "pong.jpg": "ping.jpg", "broken.jpg": "gone.jpg"}
    links |= {"up": "..", "good.jpg": "folder.jpg/inside.jpg"}
    for name, goal in links.items():
        (place / name).symlink_to(goal)
        expected[f"kinds/{name}"] = ("skipped", "link_loop")
    expected |= {"kinds/broken.jpg": ("unreadable", "missing"), "kinds/up": ("skipped", "linked_folder")}
    expected["kinds/good.jpg"] = OK
    os.mkfifo(place / "pipe.jpg")
    expected["kinds/pipe.jpg"] = ("skipped", "pipe")
    before = os.getcwd()
    os.chdir(place)  # the name of a socket may have 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("socket.jpg")
    finally:
        os.chdir(before)
    expected["kinds/socket.jpg"] = ("skipped", "socket")
    (place / "device.jpg").symlink_to("/dev/zero")
    expected["kinds/device.jpg"] = ("skipped", "device")
    if os.geteuid() != 0:  # root may read all
        for name in ("locked.jpg", "locked"):
            (place / name).mkdir() if name == "locked" else (place / name).write_bytes(photo)
            (place / name).chmod(0)
            expected[f"kinds/{name}"] = ("unreadable", "unreadable", "unreadable_folder")
