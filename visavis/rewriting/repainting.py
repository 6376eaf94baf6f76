"""Copies a photo's file with some pixels repainted and private metadata removed.

The format stays, and so does every pixel that is not repainted: to the bit in JPEG (only whole MCUs that contain
repainted pixels are coded again, see jpeg.py) and in lossless formats, except that 16-bit colours (PNG, TIFF) are
reduced to 8 bits, since Pillow reads no more; 16-bit grey keeps all bits. To keep its pixels, a lossy WebP becomes a
lossless one; HEIC and AVIF are coded again at `QUALITY`. Only the first picture is kept of animations and of files with
several pages, since faces were found in that one alone. See visavis.rewriting.metadata for what metadata is kept.
"""

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin

from visavis.colours import as_meant, white
from visavis.errors import ImageError
from visavis.images import MAX_PIXELS, Picture, opened
from visavis.rewriting import jpeg
from visavis.rewriting.metadata import ORIENTATION, safe_exif

QUALITY = 95
"""The quality for formats that must be coded again."""

_UNTURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation -> what turns a picture from displayed to stored."""

_MEANING = frozenset({"icc_profile", "nclx_profile", "transparency", "background", "dpi"})
"""The entries of Pillow's `info` that say how to interpret pixels; the rest is left out."""


def repainted(source: bytes, picture: Picture, mask: NDArray[np.bool_], max_pixels: int = MAX_PIXELS) -> bytes:
    """The file `source` with the pixels of `picture` where `mask` is set.

    source: the bytes of a photo. picture: (height, width, 3) uint8 RGB, and mask: (height, width) bool, both as
    displayed. Raises visavis.errors.ImageError if the photo does not decode to its end, or cannot be saved in its own
    format.
    """
    with opened(source, max_pixels) as image:
        image.load()
        if image.format in ("JPEG", "MPO"):
            return _jpeg(source, image, picture, mask)
        format, options = str(image.format), _options(source, image)
        ImageOps.exif_transpose(image, in_place=True)
        painted = _painted(as_meant(image), picture, mask)
    stream = io.BytesIO()
    try:
        painted.save(stream, format, **options)
    except (OSError, ValueError, KeyError) as error:  # raised by Pillow's plugins for a mode or an option
        raise ImageError("unwritable", f"{format} in {painted.mode}: {error}") from None
    return stream.getvalue()


def _jpeg(source: bytes, image: Image.Image, picture: Picture, mask: NDArray[np.bool_]) -> bytes:
    """As `repainted`, for a JPEG: it keeps its orientation, and its pixels are repainted as stored."""
    orientation = image.getexif().get(ORIENTATION, 1)  # Pillow takes it from EXIF, or else from XMP, which is not kept
    if not mask.any():
        return jpeg.without_private(source, orientation)
    turn = _UNTURNED.get(orientation)
    if turn is not None:
        picture = np.asarray(Image.fromarray(picture).transpose(turn))
        mask = np.asarray(Image.fromarray(mask).transpose(turn))
    try:
        return jpeg.changed(source, picture, mask, orientation)
    except ValueError:  # such as CMYK: blocks cannot be kept, so all are coded again with the source's tables
        stream = io.BytesIO()
        tables: Any = getattr(image, "quantization", None)
        _painted(image, picture, mask).save(stream, "JPEG", qtables=tables, subsampling=_sampling(image))
        return jpeg.with_asides_of(source, stream.getvalue(), orientation)


def _sampling(image: Image.Image) -> int:
    """Pillow's number for the chroma sampling of an opened JPEG; 4:4:4 if Pillow cannot write the source's."""
    from PIL.JpegImagePlugin import get_sampling

    return max(0, get_sampling(image))


def _painted(image: Image.Image, picture: Picture, mask: NDArray[np.bool_]) -> Image.Image:
    """A picture in the mode of `image`, with `picture` where `mask` is set, and of its `info` only `_MEANING`."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.array(image)
        top = white(image)
        grey = np.asarray(Image.fromarray(picture).convert("L"), dtype=np.float64)
        values[mask] = (grey[mask] / 255 * top).astype(values.dtype)
        painted = Image.fromarray(values)
    else:
        painted = image.copy()
        patch = Image.fromarray(picture)
        if image.mode == "P":
            painted, patch = _in_palette(painted, patch)
        if image.mode in ("LA", "RGBA"):  # colours under full transparency are invisible, and might show a face
            alpha = image.getchannel("A").point(lambda value: 255 if value else 0)
            painted = Image.composite(painted, Image.new(image.mode, image.size), alpha)
        painted.paste(patch.convert(image.mode), mask=Image.fromarray(mask))
    painted.info = {key: value for key, value in image.info.items() if key in _MEANING}
    return painted


def _in_palette(image: Image.Image, patch: Image.Image) -> tuple[Image.Image, Image.Image]:
    """A picture with a palette, and an RGB one of the same size in the colours of that palette.

    Fully transparent colours are replaced by a single one, because what they draw is invisible, and might show a face.
    """
    alphas = image.info.get("transparency", b"")
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    clear = [alphas] if isinstance(alphas, int) else [index for index, alpha in enumerate(alphas) if not alpha]
    clear = [index for index in clear if index < len(colours)]
    opaque = next((index for index in range(len(colours)) if index not in clear), None)
    if not clear or opaque is None:
        return image, patch.quantize(palette=image, dither=Image.Dither.NONE)
    colours[clear] = colours[opaque]
    image.putpalette(colours.tobytes())
    drawn = patch.quantize(palette=image, dither=Image.Dither.NONE)
    unseen = [clear[0] if index in clear else index for index in range(256)]
    seen = [opaque if index in clear else index for index in range(256)]
    image, drawn = image.point(unseen), drawn.point(seen)
    return image, drawn


def _options(source: bytes, image: Image.Image) -> dict[str, Any]:
    """The options with which Pillow saves a picture of this format without changing pixels, or hardly."""
    options: dict[str, Any] = {"icc_profile": image.info.get("icc_profile")}
    if exif := _exif(source, image):
        options["exif"] = exif
    if "dpi" in image.info:
        options["dpi"] = image.info["dpi"]
    if image.format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        for name, content in _chunks(source):
            if name in (b"cHRM", b"cICP", b"gAMA", b"sRGB"):
                chunks.add(name, content)
        options["pnginfo"] = chunks
    elif image.format == "WEBP":
        options["lossless"] = True
    elif image.format == "GIF":
        options["optimize"] = False  # keeps the palette
    elif image.format == "TIFF":
        compression = str(image.info.get("compression", "raw"))
        options["compression"] = "tiff_adobe_deflate" if compression in ("jpeg", "tiff_jpeg", "webp") else compression
    else:
        options["quality"] = QUALITY
    return options


def _exif(source: bytes, image: Image.Image) -> bytes | Image.Exif:
    """The EXIF data that is kept, without the orientation: the pixels are saved as displayed."""
    if image.format != "TIFF":
        return safe_exif(image.info.get("exif") or b"", upright=True)
    exif = Image.Exif()
    exif.load(safe_exif(source, upright=True))  # a TIFF file is structured like an EXIF block
    for tag, value in exif.items():
        if isinstance(value, str):  # Pillow reads bytes as Latin-1 and would write ASCII
            exif[tag] = value.encode("latin-1")
    return exif


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a PNG file that decodes (ISO/IEC 15948, section 5.3)."""
    place = 8
    while place + 8 <= len(png):
        length, name = struct.unpack_from(">I4s", png, place)
        yield name, png[place + 8 : place + 8 + length]
        place += 12 + length
