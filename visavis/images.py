"""Pictures between files and arrays: decode, orient, resize, encode. RGB uint8 HWC everywhere.

The name of a file says nothing: its bytes decide. Every photo is judged here, so that download, clean, training and
prediction judge the same file in the same way.
"""

import io
import math
import os
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from visavis.colours import appearances, to_rgb
from visavis.cut_off import is_cut_off
from visavis.errors import ImageError

Picture = NDArray[np.uint8]  # (height, width, 3) uint8, RGB
OneImage = Picture | Image.Image | str | os.PathLike[str]  # what `taken` makes a picture of

EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}
EXTENSIONS |= {"HEIF": ".heic", "AVIF": ".avif"}
"""The formats that are read, and the extension that a file of each should have."""

SUFFIXES = frozenset(EXTENSIONS.values()) | {".jpeg", ".jpe", ".jfif", ".tiff", ".heif", ".hif"}
"""Names that are taken for photos when a folder is searched through."""

MAX_PIXELS = 50_000_000
ALREADY_READ = 2**40
"""The limit for a photo that was read before, under the limit of whoever asked."""
JPEG_SIDE = 65_500
"""The most pixels a side that libjpeg writes."""
MAX_BYTES = 500_000_000
"""Of a file: what `MAX_PIXELS` of 16-bit colours take, and some more."""


@dataclass(frozen=True)
class Reduced:
    """A photo that was decoded no larger than needed.

    picture: as displayed. times: by how much it is smaller than the photo: 1, 2, 4 or 8.
    height, width: of the whole photo, pixels as displayed. animated: it is the first of several frames or pages.
    otherwise: what others may see of it, see `visavis.colours.appearances`.
    """

    picture: Picture
    times: int
    height: int
    width: int
    animated: bool
    otherwise: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Header:
    """The header of a picture: format as in `EXTENSIONS`, size as displayed, and EXIF's orientation, 1 to 8, by
    which the pixels that are stored are turned and mirrored for that."""

    format: str
    height: int
    width: int
    orientation: int = 1


def limit_at(height: int, width: int) -> int:
    """The pixel limit for a photo that was accepted at this size, perhaps under a larger limit than the default."""
    return max(MAX_PIXELS, height * width)


def read(path: str | Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode the photo at `path` completely, as displayed. Raises ImageError."""
    return decode(read_bytes(path), max_pixels)


def read_reduced(path: str | Path, shortest: int | None, max_pixels: int = MAX_PIXELS) -> tuple[Picture, int]:
    """Decode a photo no larger than needed: the picture, and by how many times it is smaller: 1, 2, 4 or 8.

    shortest: pixels that the shorter side must still have; libjpeg then computes a half, a quarter or an eighth of a
    JPEG's pixels alone, which takes less time. Other formats, and None, come in full. The pixel limit
    applies to the full size. The picture may be written to. Raises ImageError.
    """
    reduced = decode_reduced(read_bytes(path), lambda height, width: shortest, max_pixels)
    return reduced.picture, reduced.times


def decode_reduced(
    data: bytes,
    shortest: Callable[[int, int], int | None],
    max_pixels: int = MAX_PIXELS,
    otherwise: bool = False,
) -> Reduced:
    """`read_reduced` of a photo's bytes. shortest: of the photo's height and width, pixels. otherwise: whether what
    others may see of it is wanted, too. Raises ImageError."""
    with opened(data, max_pixels) as picture:
        before, (height, width) = max(picture.size), _displayed(picture)
        least = shortest(height, width)
        if least is not None:
            factor = least / min(picture.size)
            picture.draft(None, (math.ceil(picture.width * factor), math.ceil(picture.height * factor)))
        times = round(before / max(picture.size))  # of the longer side: a reduced one is rounded up
        animated = picture.format != "MPO" and bool(getattr(picture, "is_animated", False))
        seen = map(np.array, appearances(picture))
        return Reduced(next(seen), times, height, width, animated, tuple(seen) if otherwise else ())


def header(path: str | Path) -> tuple[int, int] | None:
    """Height and width of a photo as displayed, from its first bytes alone; None where they cannot be read."""
    with _QUIET:
        try:
            with Image.open(path, formats=_formats()) as picture:
                return _displayed(picture)
        except (UnidentifiedImageError, Image.DecompressionBombError, *_DECODER_ERRORS):
            return None


def read_bytes(path: str | Path) -> bytes:
    """The file's bytes. Raises ImageError (`missing`, `unreadable`, `too_large`, judged before reading)."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise ImageError("too_large", f"{size:,} bytes, the limit is {MAX_BYTES:,}")
            return file.read(size)
    except FileNotFoundError:
        raise ImageError("missing", "no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ImageError("unreadable", str(error)) from None


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode the bytes of a photo: first frame, EXIF orientation applied, transparency on white.

    Returns (height, width, 3) uint8 RGB. Raises ImageError.
    """
    with opened(data, max_pixels) as picture:
        return np.asarray(to_rgb(picture))


def inspect(data: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Decode every pixel and return the header alone: the cheap way to judge a photo. Raises ImageError."""
    with opened(data, max_pixels) as picture:
        picture.load()
        height, width = _displayed(picture)
        # A JPEG that carries a second picture, as many telephones write it, is MPO to Pillow.
        return Header("JPEG" if picture.format == "MPO" else str(picture.format), height, width, _orientation(picture))


def frames(data: bytes, max_pixels: int = MAX_PIXELS) -> int:
    """How many pictures an animation has; 1 for a still one. Pages of a TIFF count, too. Raises ImageError."""
    with opened(data, max_pixels) as picture:
        return 1 if picture.format == "MPO" else int(getattr(picture, "n_frames", 1))


def resize(picture: Picture, size: tuple[int, int]) -> Picture:
    """Resize to `size` (height, width), antialiased; the picture itself if it has that size."""
    height, width = size
    if picture.shape[:2] == size:
        return np.ascontiguousarray(picture)
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


def grey(picture: Picture) -> NDArray[np.uint8]:
    """Its brightness alone, (height, width) uint8."""
    return np.asarray(Image.fromarray(picture).convert("L"))


def fit(picture: Picture, longest: int) -> tuple[Picture, float]:
    """Shrink so that the longer side is at most `longest`. Returns the picture and the factor (<= 1)."""
    height, width = picture.shape[:2]
    factor = min(1.0, longest / max(height, width))
    if factor == 1.0:
        return picture, 1.0
    return resize(picture, (max(1, round(height * factor)), max(1, round(width * factor)))), factor


def encode(picture: Picture, format: str = "JPEG", quality: int = 90, comment: str = "") -> bytes:
    """The bytes of a file of that format. comment: a text in its metadata. A JPEG has at most `JPEG_SIDE` pixels a
    side: what is longer is reduced."""
    if format == "JPEG":
        picture, _ = fit(picture, JPEG_SIDE)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format, quality=quality, **({"comment": comment} if comment else {}))
    return stream.getvalue()


def find(folder: Path) -> Iterator[Path]:
    """Every photo below `folder` by its name's ending, in a stable order; hidden ones are left out."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield path


@cache
def _formats() -> list[str]:
    """The formats that Pillow is to try. It reads all but HEIF by itself."""
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)
    return list(EXTENSIONS)


def _displayed(picture: Image.Image) -> tuple[int, int]:
    """Height and width with the EXIF orientation applied."""
    width, height = picture.size
    return (width, height) if _orientation(picture) >= 5 else (height, width)


def _orientation(picture: Image.Image) -> int:
    """EXIF's, where it is one; of a TIFF, which Pillow turns itself, 1."""
    known = picture.getexif().get(0x0112, 1) if picture.format != "TIFF" else 1
    return known if known in range(1, 9) else 1


@contextmanager
def opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Open with Pillow, judge the size, and translate what Pillow raises, while decoding too."""
    if not data:
        raise ImageError("empty", "the file has no bytes")
    with _QUIET:  # our own limit stands in for Pillow's; broken EXIF is not our matter
        try:
            picture = Image.open(io.BytesIO(data), formats=_formats())
        except Image.DecompressionBombError as error:
            raise ImageError("too_large", str(error)) from None
        except (UnidentifiedImageError, *_DECODER_ERRORS) as error:
            unknown = isinstance(error, UnidentifiedImageError)
            detail = f"begins with {data[:16]!r}" if unknown else f"{type(error).__name__}: {error}"
            raise ImageError("truncated" if is_cut_off(data) else "not_image", detail) from None
        with picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise ImageError("too_large", f"{width} x {height} pixels, the limit is {max_pixels:,} in all")
            try:
                yield picture
            except Image.DecompressionBombError as error:
                raise ImageError("too_large", str(error)) from None
            except _DECODER_ERRORS as error:
                raise ImageError("truncated", f"{type(error).__name__}: {error}") from None


class _Quiet:
    """No warnings, no limit of Pillow's own (178,956,970 pixels), and no leniency with files that are cut off, which a
    program may have asked Pillow for (as face_recognition does when it is imported), while any thread is inside.
    `warnings.catch_warnings` alone, entered by several threads at once, may leave them off for good: the last to leave
    puts back what the first one set."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._catch = warnings.catch_warnings()
        self._limit = Image.MAX_IMAGE_PIXELS
        self._lenient = ImageFile.LOAD_TRUNCATED_IMAGES

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
                self._lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
                self._catch = warnings.catch_warnings()
                self._catch.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *failure: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._catch.__exit__(None, None, None)
                Image.MAX_IMAGE_PIXELS = self._limit
                ImageFile.LOAD_TRUNCATED_IMAGES = self._lenient  # type: ignore[bad-assignment]


_QUIET = _Quiet()


# What Pillow's plugins raise on damaged bytes: OSError by contract, the others from their parsers (AVIF: RuntimeError).
_DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, IndexError, KeyError, TypeError),
    *(EOFError, ZeroDivisionError, OverflowError, RuntimeError, struct.error),
)


def as_picture(value: Any) -> Picture:
    """Check that `value` is a picture as this project has it, of one pixel or more. Raises ValueError."""
    if isinstance(value, np.ndarray) and value.ndim == 3 and value.shape[2] == 3 and value.dtype == np.uint8:
        if not value.size:
            raise ValueError(f"a picture of {value.shape[0]} x {value.shape[1]} pixels has nothing to look at")
        return value
    kind = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
    raise ValueError(f"a picture is a (height, width, 3) uint8 RGB array, not {kind}; see visavis.images.read")


def taken(image: OneImage) -> Picture:
    """A picture from any form in which programs have one: an array as it is, a Pillow image, the path of a photo.

    Pillow images and photos are taken as displayed: EXIF orientation applied, transparency on white.
    Raises ImageError for a path that holds no photo, ValueError for anything else that is not a picture.
    """
    if isinstance(image, str | os.PathLike):
        return read(os.fspath(image))
    if isinstance(image, Image.Image):
        return np.asarray(to_rgb(ImageOps.exif_transpose(image)))
    return as_picture(image)
