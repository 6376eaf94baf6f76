"""A photo's file again, with some of its pixels painted anew and all that is private left out of what surrounds them.

The format stays, and so does every pixel that is not painted: to the bit in JPEG (whole MCUs around what is painted
are coded anew, see jpeg.py) and in the lossless formats, but for colours of 16 bits (PNG, TIFF), of which 8 are left,
since Pillow reads no more; 16-bit grey keeps all. A lossy WebP becomes a lossless one for that reason; HEIC and
AVIF are coded anew at `QUALITY`. Of animations and of files with several pages the first picture alone is left, since
it alone has been looked at. Which metadata stay: visavis.rewriting.metadata.
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
"""Of the formats that must be coded anew."""

_UNTURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation -> what turns a picture as displayed into one as stored."""

_MEANING = frozenset({"icc_profile", "nclx_profile", "transparency", "background", "dpi"})
"""What Pillow knows of a picture that says how its pixels are meant; the rest of its `info` is left out."""


def repainted(source: bytes, picture: Picture, mask: NDArray[np.bool_], max_pixels: int = MAX_PIXELS) -> bytes:
    """The file `source` with the pixels of `picture` where `mask` is set.

    source: the bytes of a photo. picture: (height, width, 3) uint8 RGB, and mask: (height, width) bool, both as
    displayed. Raises visavis.errors.ImageError where the photo does not decode to its end (nothing of it is passed on),
    and where it cannot be saved in its own format.
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
    except (OSError, ValueError, KeyError) as error:  # what Pillow's plugins raise at a mode or an option
        raise ImageError("unwritable", f"{format} in {painted.mode}: {error}") from None
    return stream.getvalue()


def _jpeg(source: bytes, image: Image.Image, picture: Picture, mask: NDArray[np.bool_]) -> bytes:
    """A JPEG keeps its orientation: its pixels are painted as they are stored."""
    orientation = image.getexif().get(ORIENTATION, 1)  # Pillow's: of EXIF, or else of XMP, which is not passed on
    if not mask.any():
        return jpeg.without_private(source, orientation)
    turn = _UNTURNED.get(orientation)
    if turn is not None:
        picture = np.asarray(Image.fromarray(picture).transpose(turn))
        mask = np.asarray(Image.fromarray(mask).transpose(turn))
    try:
        return jpeg.changed(source, picture, mask, orientation)
    except ValueError:  # in CMYK, say: coded anew with the source's tables, where whole blocks cannot be kept
        stream = io.BytesIO()
        tables: Any = getattr(image, "quantization", None)
        _painted(image, picture, mask).save(stream, "JPEG", qtables=tables, subsampling=_sampling(image))
        return jpeg.with_asides_of(source, stream.getvalue(), orientation)


def _sampling(image: Image.Image) -> int:
    """Pillow's number for the chroma sampling of an opened JPEG; full where Pillow cannot write the source's."""
    from PIL.JpegImagePlugin import get_sampling

    return max(0, get_sampling(image))


def _painted(image: Image.Image, picture: Picture, mask: NDArray[np.bool_]) -> Image.Image:
    """A picture in the mode of `image`, with `picture` where `mask` is set, and no more of its `info` than is meant."""
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
        if image.mode in ("LA", "RGBA"):  # what lies unseen under full transparency may be anything
            alpha = image.getchannel("A").point(lambda value: 255 if value else 0)
            painted = Image.composite(painted, Image.new(image.mode, image.size), alpha)
        painted.paste(patch.convert(image.mode), mask=Image.fromarray(mask))
    painted.info = {key: value for key, value in image.info.items() if key in _MEANING}
    return painted


def _in_palette(image: Image.Image, patch: Image.Image) -> tuple[Image.Image, Image.Image]:
    """A picture with a palette, and an RGB one of the same size in the colours of that palette.

    Of its colours that are fully transparent one is left, which shows nothing: what they draw unseen may be anything.
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
    """How Pillow is to save a picture of this format so that its pixels stay as they are, or nearly."""
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
        options["optimize"] = False  # the palette as it is
    elif image.format == "TIFF":
        compression = str(image.info.get("compression", "raw"))
        options["compression"] = "tiff_adobe_deflate" if compression in ("jpeg", "tiff_jpeg", "webp") else compression
    else:
        options["quality"] = QUALITY
    return options


def _exif(source: bytes, image: Image.Image) -> bytes | Image.Exif:
    """What may be passed on of a picture's EXIF, but for the orientation: its pixels are saved as displayed."""
    if image.format != "TIFF":
        return safe_exif(image.info.get("exif") or b"", upright=True)
    exif = Image.Exif()
    exif.load(safe_exif(source, upright=True))  # a TIFF file is built as an EXIF block is
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
