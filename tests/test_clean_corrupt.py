import io
from collections import Counter

import numpy as np
import pytest
import skimage.data
from PIL import Image
from PIL.JpegPresets import presets

from clean import corrupt
from visavis import images
from visavis.errors import ImageError

ASTRONAUT = skimage.data.astronaut()


def reason(picture: np.ndarray, min_side: int = 32) -> str:
    try:
        corrupt.examine(picture, min_side)
    except ImageError as error:
        return error.reason
    return ""


@pytest.mark.parametrize("quality", [75, 95])
def test_one_and_two_colours_are_no_photo_even_after_jpeg(quality: int):
    page = np.full((200, 300, 3), 250, np.uint8)
    sign = page.copy()
    sign[50:120, 40:200] = (0, 0, 120)
    chessboard = (
        np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((32, 32)))[..., None].repeat(3, 2).astype(np.uint8) * 255
    )
    for picture in (page, sign, chessboard):
        assert reason(picture) == "not_a_photo"
        assert reason(images.decode(images.encode(picture, quality=quality))) == "not_a_photo"
    sign[60:120, 210:290] = (200, 30, 30)
    assert reason(sign) == ""  # a third colour is where this ends


def test_real_photos_pass_dark_grey_and_small_ones_too():
    camera = skimage.data.camera()[..., None].repeat(3, axis=2)
    for picture in (ASTRONAUT, ASTRONAUT // 3, camera, skimage.data.coffee(), ASTRONAUT[80:170, 180:270]):
        assert reason(picture) == ""


def test_the_shorter_side_decides():
    assert reason(ASTRONAUT[:31], 32) == "too_small"
    assert reason(ASTRONAUT[:, :31], 32) == "too_small"
    assert reason(ASTRONAUT[:32], 32) == ""
    assert reason(np.zeros((1, 1, 3), np.uint8), 1) == "not_a_photo"


def test_a_jpeg_that_decodes_to_something_else_is_damaged():
    whole = images.encode(skimage.data.astronaut()[:256, :256], quality=75)
    start = whole.index(b"\xff\xda")
    before = images.decode(whole)
    reasons: Counter[str] = Counter()
    for place in range(20, start):  # each byte of the header inverted
        data = bytearray(whole)
        data[place] ^= 0xFF
        try:
            same = np.array_equal(images.decode(bytes(data)), before)
        except ImageError:
            continue
        if same:
            continue
        reasons[_check(bytes(data))] += 1
    assert reasons.keys() == {"", "damaged"}
    assert reasons["damaged"] > 4 * reasons[""]


def _check(data: bytes) -> str:
    try:
        corrupt.check(data, images.MAX_PIXELS)
    except ImageError as error:
        return error.reason
    return ""


@pytest.mark.parametrize("quality", [1, 5, 30, 75, 90, 95, 100])
def test_what_encoders_write_is_not_damaged(quality: int):
    picture = Image.fromarray(skimage.data.astronaut())
    for options in ({}, {"progressive": True}, {"optimize": True}, {"subsampling": 0}, {"restart_marker_blocks": 4}):
        for mode in ("RGB", "L", "CMYK"):
            stream = io.BytesIO()
            picture.convert(mode).save(stream, "JPEG", quality=quality, **options)
            corrupt.check(stream.getvalue(), images.MAX_PIXELS)
            corrupt.check(
                stream.getvalue() + bytes(100), images.MAX_PIXELS
            )  # what stands behind the picture is not of it
            corrupt.check(stream.getvalue()[:-2] + bytes(8) + b"\xff\xd9", images.MAX_PIXELS)


def test_photoshops_tables_are_not_damaged():
    picture = Image.fromarray(skimage.data.astronaut())
    for preset in presets.values():
        stream = io.BytesIO()
        picture.save(stream, "JPEG", qtables=preset["quantization"])
        corrupt.check(stream.getvalue(), images.MAX_PIXELS)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    corrupt.check(stream.getvalue(), images.MAX_PIXELS)
