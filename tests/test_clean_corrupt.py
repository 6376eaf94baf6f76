import numpy as np
import pytest
import skimage.data

from clean import corrupt
from visavis import images
from visavis.images import ImageError

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
